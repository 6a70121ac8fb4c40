-- +goose Up

-- Who made train, validation and test; replaced with them. At most one row.
CREATE TABLE IF NOT EXISTS split_made (
    dag_run_id VARCHAR(250) NOT NULL PRIMARY KEY,
    row_count  BIGINT NOT NULL,
    statuses   MEDIUMTEXT NOT NULL -- JSON: the values of status in each split
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE split_made;
