-- +goose Up

-- The largest fence that was seen of a task instance. Also in CleanData, which may be the same database.
CREATE TABLE IF NOT EXISTS task_fences (
    dag_run_id VARCHAR(250) NOT NULL,
    task_id    VARCHAR(250) NOT NULL,
    fence      BIGINT NOT NULL,
    PRIMARY KEY (dag_run_id, task_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS task_fences;
