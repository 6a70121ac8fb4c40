-- Who made the splits.
INSERT INTO split_made (dag_run_id, row_count, statuses) VALUES ('run-1', 5, '{"train": ["sold"], "validation": [], "test": []}');
