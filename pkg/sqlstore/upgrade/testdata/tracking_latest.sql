-- The latest points with their experiment.
INSERT INTO latest_metrics (experiment_id, run_id, key, value, is_nan, timestamp, step, model_id)
    SELECT experiment_id, id, 'test_rmse', 7.25, FALSE, 3200, 1, '' FROM runs WHERE id = '11111111111111111111111111111111';
INSERT INTO latest_metrics (experiment_id, run_id, key, value, is_nan, timestamp, step, model_id)
    SELECT experiment_id, id, 'odd', 0, TRUE, 3200, 0, '' FROM runs WHERE id = '11111111111111111111111111111111';
