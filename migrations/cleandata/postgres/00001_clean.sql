-- +goose Up

-- The columns of the clean tables: the column of the table, and the feature that it holds. They have the same name unless the
-- database could not tell it from another column's (see datasetstore). Replaced with the clean tables.
CREATE TABLE clean_columns (
    table_name  TEXT COLLATE "C" NOT NULL,
    ordinal     BIGINT NOT NULL,
    column_name TEXT COLLATE "C" NOT NULL,
    feature     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (table_name, ordinal)
);

-- Who made the clean tables; replaced with them. At most one row.
CREATE TABLE clean_made (
    dag_run_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    row_count  BIGINT NOT NULL,
    statuses   TEXT COLLATE "C" NOT NULL
);

-- The same as in RawData, which may be the same database.
CREATE TABLE IF NOT EXISTS task_fences (
    dag_run_id TEXT COLLATE "C" NOT NULL,
    task_id    TEXT COLLATE "C" NOT NULL,
    fence      BIGINT NOT NULL,
    PRIMARY KEY (dag_run_id, task_id)
);

CREATE TABLE IF NOT EXISTS table_loads (
    name   TEXT COLLATE "C" PRIMARY KEY,
    loader TEXT NOT NULL
);

-- +goose Down
DROP TABLE clean_columns;
DROP TABLE clean_made;
DROP TABLE IF EXISTS task_fences;
DROP TABLE IF EXISTS table_loads;
