-- The latest points before they had their experiment.
INSERT INTO latest_metrics (run_id, key, value, is_nan, timestamp, step, model_id) VALUES ('11111111111111111111111111111111', 'test_rmse', 7.25, FALSE, 3200, 1, '');
INSERT INTO latest_metrics (run_id, key, value, is_nan, timestamp, step, model_id) VALUES ('11111111111111111111111111111111', 'odd', 0, TRUE, 3200, 0, '');
