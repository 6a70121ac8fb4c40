-- +goose Up

-- The same as in RawData, which may be the same database.
CREATE TABLE IF NOT EXISTS table_loads (
    name   TEXT PRIMARY KEY,
    loader TEXT NOT NULL
);

-- Who made the clean tables; replaced with them. At most one row.
CREATE TABLE clean_made (
    dag_run_id TEXT    NOT NULL PRIMARY KEY,
    row_count  INTEGER NOT NULL,
    statuses   TEXT    NOT NULL
);

DROP TABLE IF EXISTS table_sets;

-- +goose Down
DROP TABLE clean_made;
DROP TABLE IF EXISTS table_loads;
CREATE TABLE IF NOT EXISTS table_sets (
    name      TEXT PRIMARY KEY,
    loader    TEXT NOT NULL,
    made_by   TEXT NOT NULL,
    row_count INTEGER NOT NULL
);
