-- +goose Up
-- Whether the user of an entry had logged in; else the client only claimed to be that user.
ALTER TABLE model_moves ADD COLUMN verified BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE model_moves DROP COLUMN verified;
