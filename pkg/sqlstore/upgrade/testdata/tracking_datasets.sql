-- What a run used.
INSERT INTO datasets (id, experiment_id, name, digest, source_type, source, schema, profile)
    SELECT 'd1', id, 'listings', 'abc', 'local', '{"uri": "listings.csv"}', '{}', '{"rows": 9}' FROM experiments WHERE name = 'old';
INSERT INTO run_datasets (run_id, dataset_id) VALUES ('11111111111111111111111111111111', 'd1');
INSERT INTO run_dataset_tags (run_id, dataset_id, key, value) VALUES ('11111111111111111111111111111111', 'd1', 'mlflow.data.context', 'training');
