-- +goose Up

-- The columns of the clean tables: the column of the table, and the feature that it holds. They have the same name unless the
-- database could not tell it from another column's (see datasetstore). Replaced with the clean tables.
CREATE TABLE IF NOT EXISTS clean_columns (
    table_name  VARCHAR(250) NOT NULL,
    ordinal     BIGINT NOT NULL,
    column_name MEDIUMTEXT NOT NULL,
    feature     MEDIUMTEXT NOT NULL,
    PRIMARY KEY (table_name, ordinal)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE clean_columns;
