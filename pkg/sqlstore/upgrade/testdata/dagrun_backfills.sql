-- A backfill, and the run that it queued.
INSERT INTO backfill (dag_id, from_date, to_date, reprocess, conf, created_at) VALUES ('prices', 1767225600000000, 1767225600000000, 'failed', '{}', 60);
UPDATE dag_run SET backfill_order = 1, backfill_key = (SELECT max(backfill_key) FROM backfill) WHERE run_id = 'scheduled__1';
