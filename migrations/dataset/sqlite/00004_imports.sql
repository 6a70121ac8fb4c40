-- +goose Up

-- How far the import of a file has come; its rows, and the counts of them, stand in raw_batches under the same dag_run_id.
CREATE TABLE raw_imports (
    source_key  TEXT    PRIMARY KEY, -- SHA-256 of source
    source      TEXT    NOT NULL,    -- path or address of the file
    fingerprint TEXT    NOT NULL,    -- what the file was when the import began
    dag_run_id  TEXT    NOT NULL,
    finished    BOOLEAN NOT NULL,
    nulls       TEXT    NOT NULL,    -- JSON: values that were missing, by column
    updated_at  TEXT    NOT NULL
);

-- +goose Down
DROP TABLE raw_imports;
