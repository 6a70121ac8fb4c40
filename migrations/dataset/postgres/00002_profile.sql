-- +goose Up

-- What is added to a batch later, one row for each DAG run: JSON but for run_id, NULL until there is one.
CREATE TABLE batch_notes (
    dag_run_id TEXT COLLATE "C" PRIMARY KEY,
    decision   TEXT, -- what decide_to_train answered and with what limits
    run_id     TEXT, -- of the decision run in tracking
    splits     TEXT  -- the profiles of the splits
);

-- The Bloom filter that tells which rows were collected before: one row for each layer, oldest first.
CREATE TABLE seen_rows (
    layer       BIGINT PRIMARY KEY,
    row_count   BIGINT NOT NULL, -- rows that were added to the layer
    entry_count BIGINT NOT NULL, -- those of them that were not there yet
    bits        BYTEA  NOT NULL  -- at most 4 MiB
);

-- +goose Down
DROP TABLE seen_rows;
DROP TABLE batch_notes;
