-- When a run was deleted, and a run whose removal was begun.
UPDATE runs SET deleted_time = 4500 WHERE id = '22222222222222222222222222222222';
INSERT INTO runs (id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage, deleted_time)
    SELECT '55555555555555555555555555555555', id, 'half gone', 'ana', 'FAILED', 3500, NULL, 'mlflow-artifacts:/7/5/artifacts', 'deleted', 4600 FROM experiments WHERE name = 'old';
INSERT INTO garbage (kind, id) VALUES ('run', '55555555555555555555555555555555');
