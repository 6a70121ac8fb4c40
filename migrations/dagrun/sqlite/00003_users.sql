-- +goose Up
-- Who triggered the run, if that user had logged in.
ALTER TABLE dag_run ADD COLUMN triggering_user TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE dag_run DROP COLUMN triggering_user;
