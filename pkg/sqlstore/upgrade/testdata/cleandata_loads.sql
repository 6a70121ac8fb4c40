-- Who loads the clean tables.
INSERT INTO table_loads (name, loader) VALUES ('clean', 'run-1/preprocess_data/40');
