-- +goose Up

-- One row for each DAG run whose rows are in realtor_raw: what extract_data stored, and what decide_to_train judges.
CREATE TABLE IF NOT EXISTS raw_batches (
    dag_run_id     VARCHAR(250) NOT NULL PRIMARY KEY,
    batch_number   BIGINT  NOT NULL,
    finished       TINYINT(1) NOT NULL,
    row_count      BIGINT  NOT NULL,
    payload_sha256 VARCHAR(64)    NOT NULL,
    columns        MEDIUMTEXT    NOT NULL, -- JSON: the known columns that some row of the payload has
    invalid        MEDIUMTEXT    NOT NULL, -- JSON: values of the wrong type, by column
    profile        MEDIUMTEXT    NOT NULL, -- JSON: the counts that the gate judges
    fetched_at     VARCHAR(32)    NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE raw_batches;
