-- +goose Up

-- How far the import of a file has come; its rows, and the counts of them, stand in raw_batches under the same dag_run_id.
CREATE TABLE IF NOT EXISTS raw_imports (
    source_key  VARCHAR(64)  NOT NULL PRIMARY KEY, -- SHA-256 of source
    source      MEDIUMTEXT   NOT NULL, -- path or address of the file
    fingerprint MEDIUMTEXT   NOT NULL, -- what the file was when the import began
    dag_run_id  VARCHAR(250) NOT NULL,
    finished    TINYINT(1)   NOT NULL,
    nulls       MEDIUMTEXT   NOT NULL, -- JSON: values that were missing, by column
    updated_at  VARCHAR(32)  NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE raw_imports;
