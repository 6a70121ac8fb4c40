-- +goose Up

-- The columns of the clean tables: the column of the table, and the feature that it holds. They have the same name unless the
-- database could not tell it from another column's (see datasetstore).
CREATE TABLE clean_columns (
    table_name  TEXT    NOT NULL,
    ordinal     INTEGER NOT NULL,
    column_name TEXT    NOT NULL,
    feature     TEXT    NOT NULL,
    PRIMARY KEY (table_name, ordinal)
);

-- The same as in RawData, which may be the same database.
CREATE TABLE IF NOT EXISTS task_fences (
    dag_run_id TEXT    NOT NULL,
    task_id    TEXT    NOT NULL,
    fence      INTEGER NOT NULL,
    PRIMARY KEY (dag_run_id, task_id)
);

CREATE TABLE IF NOT EXISTS table_sets (
    name      TEXT PRIMARY KEY,
    loader    TEXT NOT NULL,
    made_by   TEXT NOT NULL,
    row_count INTEGER NOT NULL
);

-- +goose Down
DROP TABLE clean_columns;
DROP TABLE IF EXISTS task_fences;
DROP TABLE IF EXISTS table_sets;
