-- +goose Up
-- What runs used: one row for each name and digest of an experiment.
CREATE TABLE datasets (
    id            TEXT    PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    name          TEXT    NOT NULL,
    digest        TEXT    NOT NULL,
    source_type   TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    schema        TEXT    NOT NULL,
    profile       TEXT    NOT NULL,
    UNIQUE (experiment_id, name, digest)
);

CREATE TABLE run_datasets (
    run_id     TEXT NOT NULL REFERENCES runs (id),
    dataset_id TEXT NOT NULL REFERENCES datasets (id),
    PRIMARY KEY (run_id, dataset_id)
) WITHOUT ROWID;

CREATE TABLE run_dataset_tags (
    run_id     TEXT NOT NULL,
    dataset_id TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (run_id, dataset_id, key),
    FOREIGN KEY (run_id, dataset_id) REFERENCES run_datasets (run_id, dataset_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE run_dataset_tags;
DROP TABLE run_datasets;
DROP TABLE datasets;
