-- The same point of a model on a dataset.
INSERT INTO logged_model_metrics (model_id, run_id, key, timestamp, step, value, is_nan, dataset_name, dataset_digest)
    VALUES ('m-33333333333333333333333333333333', '11111111111111111111111111111111', 'rmse', 3350, 0, 7.25, FALSE, 'listings', 'abc');
