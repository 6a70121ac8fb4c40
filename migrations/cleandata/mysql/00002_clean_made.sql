-- +goose Up

-- Who made the clean tables; replaced with them. At most one row.
CREATE TABLE IF NOT EXISTS clean_made (
    dag_run_id VARCHAR(250) NOT NULL PRIMARY KEY,
    row_count  BIGINT NOT NULL,
    statuses   MEDIUMTEXT NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE clean_made;
