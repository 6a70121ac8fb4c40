-- Who loads the splits.
INSERT INTO table_loads (name, loader) VALUES ('split', 'run-1/split_data/40');
