-- +goose Up

-- Who may load the next tables of a set aside: split (here), clean (in CleanData, which may be the same database).
CREATE TABLE IF NOT EXISTS table_loads (
    name   TEXT PRIMARY KEY,
    loader TEXT NOT NULL -- DAG run, task and fence
);

-- Who made train, validation and test; replaced with them. At most one row.
CREATE TABLE split_made (
    dag_run_id TEXT    NOT NULL PRIMARY KEY,
    row_count  INTEGER NOT NULL,
    statuses   TEXT    NOT NULL -- JSON: the values of status in each split
);

-- What told this before did not know the statuses: a DAG run that was between two tasks has to split again.
DROP TABLE IF EXISTS table_sets;

-- +goose Down
DROP TABLE split_made;
DROP TABLE IF EXISTS table_loads;
CREATE TABLE IF NOT EXISTS table_sets (
    name      TEXT PRIMARY KEY,
    loader    TEXT NOT NULL,
    made_by   TEXT NOT NULL,
    row_count INTEGER NOT NULL
);
