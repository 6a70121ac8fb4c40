-- Who made the clean tables, as it was told first.
INSERT INTO table_sets (name, loader, made_by, row_count) VALUES ('clean', 'run-1/preprocess_data/40', 'run-1', 5);
