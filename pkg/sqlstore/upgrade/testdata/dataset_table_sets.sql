-- Who made the splits, as it was told first.
INSERT INTO table_sets (name, loader, made_by, row_count) VALUES ('split', 'run-1/split_data/40', 'run-1', 5);
