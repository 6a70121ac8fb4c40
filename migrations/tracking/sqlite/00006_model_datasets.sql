-- +goose Up
-- What a metric of a logged model was measured on; empty if nobody said. The same point may be of several datasets.
CREATE TABLE new_model_metrics (
    model_id  TEXT    NOT NULL REFERENCES logged_models (id),
    run_id    TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    timestamp BIGINT  NOT NULL,
    step      BIGINT  NOT NULL,
    value     DOUBLE PRECISION NOT NULL,
    is_nan    BOOLEAN NOT NULL,
    dataset_name   TEXT NOT NULL DEFAULT '',
    dataset_digest TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (model_id, key, timestamp, step, run_id, value, is_nan, dataset_name, dataset_digest)
) WITHOUT ROWID;
INSERT INTO new_model_metrics (model_id, run_id, key, timestamp, step, value, is_nan)
    SELECT model_id, run_id, key, timestamp, step, value, is_nan FROM logged_model_metrics;
DROP TABLE logged_model_metrics;
ALTER TABLE new_model_metrics RENAME TO logged_model_metrics;

-- +goose Down
CREATE TABLE old_model_metrics (
    model_id  TEXT    NOT NULL REFERENCES logged_models (id),
    run_id    TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    timestamp BIGINT  NOT NULL,
    step      BIGINT  NOT NULL,
    value     DOUBLE PRECISION NOT NULL,
    is_nan    BOOLEAN NOT NULL,
    PRIMARY KEY (model_id, key, timestamp, step, run_id, value, is_nan)
) WITHOUT ROWID;
INSERT INTO old_model_metrics (model_id, run_id, key, timestamp, step, value, is_nan)
    SELECT DISTINCT model_id, run_id, key, timestamp, step, value, is_nan FROM logged_model_metrics;
DROP TABLE logged_model_metrics;
ALTER TABLE old_model_metrics RENAME TO logged_model_metrics;
