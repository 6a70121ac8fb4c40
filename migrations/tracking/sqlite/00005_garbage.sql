-- +goose Up
-- When a run was deleted; those of before count from now on.
ALTER TABLE runs ADD COLUMN deleted_time BIGINT;
UPDATE runs SET deleted_time = CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE lifecycle_stage = 'deleted';

-- What is being removed for good: nothing here can be restored. Kind is run, logged_model or experiment.
CREATE TABLE garbage (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE garbage;
ALTER TABLE runs DROP COLUMN deleted_time;
