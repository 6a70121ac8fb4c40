-- +goose Up

-- What is added to a batch later, one row for each DAG run: JSON but for run_id, NULL until there is one.
CREATE TABLE IF NOT EXISTS batch_notes (
    dag_run_id VARCHAR(250) NOT NULL PRIMARY KEY,
    decision   MEDIUMTEXT, -- what decide_to_train answered and with what limits
    run_id     TEXT, -- of the decision run in tracking
    splits     MEDIUMTEXT  -- the profiles of the splits
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE batch_notes;
