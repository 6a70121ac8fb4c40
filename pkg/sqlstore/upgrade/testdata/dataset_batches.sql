-- What the DAG run collected.
INSERT INTO raw_batches (dag_run_id, batch_number, finished, row_count, payload_sha256, columns, invalid, profile, fetched_at)
    VALUES ('run-1', 3, FALSE, 5, 'abc', '["status", "price", "bed"]', '{"bed": 1}', '{}', '2026-01-01T00:00:00.000000Z');
