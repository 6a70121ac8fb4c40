-- +goose Up

-- The Bloom filter that tells which rows were collected before: one row for each layer, oldest first.
CREATE TABLE IF NOT EXISTS seen_rows (
    layer       BIGINT NOT NULL PRIMARY KEY,
    row_count   BIGINT NOT NULL, -- rows that were added to the layer
    entry_count BIGINT NOT NULL, -- those of them that were not there yet
    bits        LONGBLOB NOT NULL -- at most 4 MiB
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE seen_rows;
