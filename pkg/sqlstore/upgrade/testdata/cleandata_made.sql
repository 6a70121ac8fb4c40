-- Who made the clean tables.
INSERT INTO clean_made (dag_run_id, row_count, statuses) VALUES ('run-1', 5, '{}');
