-- +goose Up
CREATE TABLE backfill (
    backfill_key INTEGER PRIMARY KEY AUTOINCREMENT,
    dag_id       TEXT   NOT NULL REFERENCES dag (dag_id),
    from_date    BIGINT NOT NULL,
    to_date      BIGINT NOT NULL,
    reprocess    TEXT   NOT NULL,
    conf         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    completed_at BIGINT NOT NULL DEFAULT 0 -- when its last run ended, or when it was cancelled
);
-- The backfill that queued the run last, 0 for none, and its place there, from 1.
ALTER TABLE dag_run ADD COLUMN backfill_key BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dag_run ADD COLUMN backfill_order INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dag_run_by_backfill ON dag_run (backfill_key);

-- +goose Down
DROP INDEX dag_run_by_backfill;
ALTER TABLE dag_run DROP COLUMN backfill_order;
ALTER TABLE dag_run DROP COLUMN backfill_key;
DROP TABLE backfill;
