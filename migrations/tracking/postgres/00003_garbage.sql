-- +goose Up
-- When a run was deleted; those of before count from now on.
ALTER TABLE runs ADD COLUMN deleted_time BIGINT;
UPDATE runs SET deleted_time = CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) * 1000 WHERE lifecycle_stage = 'deleted';

-- What is being removed for good: nothing here can be restored. Kind is run, logged_model or experiment.
CREATE TABLE garbage (
    kind TEXT COLLATE "C" NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, id)
);

-- +goose Down
DROP TABLE garbage;
ALTER TABLE runs DROP COLUMN deleted_time;
