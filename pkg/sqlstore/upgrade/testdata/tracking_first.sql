-- What the first version of tracking kept, but the latest points (see tracking_latest_*.sql).
INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time) VALUES ('old', 'mlflow-artifacts:/7', 'active', 1000, 2000);
INSERT INTO experiment_tags (experiment_id, key, value) SELECT id, 'team', 'prices' FROM experiments WHERE name = 'old';
INSERT INTO runs (id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage)
    SELECT '11111111111111111111111111111111', id, 'train__1', 'ana', 'FINISHED', 3000, 4000, 'mlflow-artifacts:/7/1/artifacts', 'active' FROM experiments WHERE name = 'old';
INSERT INTO runs (id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage)
    SELECT '22222222222222222222222222222222', id, 'gone', 'ana', 'FAILED', 3500, NULL, 'mlflow-artifacts:/7/2/artifacts', 'deleted' FROM experiments WHERE name = 'old';
INSERT INTO run_tags (run_id, key, value) VALUES ('11111111111111111111111111111111', 'promoted', 'true');
INSERT INTO params (run_id, key, value) VALUES ('11111111111111111111111111111111', 'best_alpha', '1.0');
INSERT INTO metrics (run_id, key, timestamp, step, value, is_nan, model_id) VALUES ('11111111111111111111111111111111', 'test_rmse', 3100, 0, 9.5, FALSE, '');
INSERT INTO metrics (run_id, key, timestamp, step, value, is_nan, model_id) VALUES ('11111111111111111111111111111111', 'test_rmse', 3200, 1, 7.25, FALSE, '');
INSERT INTO metrics (run_id, key, timestamp, step, value, is_nan, model_id) VALUES ('11111111111111111111111111111111', 'odd', 3200, 0, 0, TRUE, '');
INSERT INTO run_models (run_id, direction, model_id, step) VALUES ('11111111111111111111111111111111', 'output', 'm-33333333333333333333333333333333', 2);
INSERT INTO logged_models (id, experiment_id, name, model_type, source_run_id, artifact_uri, status, status_message, creation_time, last_update_time, lifecycle_stage)
    SELECT 'm-33333333333333333333333333333333', id, 'model', 'ridge', '11111111111111111111111111111111', 'mlflow-artifacts:/7/models/m-3/artifacts', 'READY', '', 3300, 3400, 'active'
    FROM experiments WHERE name = 'old';
INSERT INTO logged_model_tags (model_id, key, value) VALUES ('m-33333333333333333333333333333333', 'recipe', 'classic');
INSERT INTO logged_model_params (model_id, key, value) VALUES ('m-33333333333333333333333333333333', 'alpha', '1.0');
INSERT INTO logged_model_metrics (model_id, run_id, key, timestamp, step, value, is_nan)
    VALUES ('m-33333333333333333333333333333333', '11111111111111111111111111111111', 'rmse', 3350, 0, 7.25, FALSE);
INSERT INTO registered_models (name, description, creation_time, last_update_time) VALUES ('Prices', 'of houses', 5000, 6000);
INSERT INTO registered_model_tags (model_id, key, value) SELECT id, 'owner', 'ana' FROM registered_models WHERE name = 'Prices';
INSERT INTO model_versions (model_id, version, stage, description, source, storage_location, run_id, logged_model_id, creation_time, last_update_time)
    SELECT id, 1, 'Archived', '', 'models:/m-1', '', '', '', 5000, 5500 FROM registered_models WHERE name = 'Prices';
INSERT INTO model_versions (model_id, version, stage, description, source, storage_location, run_id, logged_model_id, creation_time, last_update_time)
    SELECT id, 2, 'Production', 'better', 'models:/m-33333333333333333333333333333333', 'mlflow-artifacts:/7/models/m-3/artifacts', '11111111111111111111111111111111',
    'm-33333333333333333333333333333333', 5200, 5600 FROM registered_models WHERE name = 'Prices';
INSERT INTO model_version_tags (model_id, version, key, value) SELECT id, 2, 'rmse', '7.25' FROM registered_models WHERE name = 'Prices';
INSERT INTO model_aliases (model_id, alias, version) SELECT id, 'champion', 2 FROM registered_models WHERE name = 'Prices';
