-- +goose Up
-- What a metric of a logged model was measured on; empty if nobody said. The same point may be of several datasets.
ALTER TABLE logged_model_metrics ADD COLUMN dataset_name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE logged_model_metrics ADD COLUMN dataset_digest TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE logged_model_metrics DROP CONSTRAINT logged_model_metrics_pkey;
ALTER TABLE logged_model_metrics ADD PRIMARY KEY (model_id, key, timestamp, step, run_id, value, is_nan, dataset_name, dataset_digest);

-- +goose Down
CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
    SELECT DISTINCT model_id, run_id, key, timestamp, step, value, is_nan FROM logged_model_metrics;
DELETE FROM logged_model_metrics;
ALTER TABLE logged_model_metrics DROP CONSTRAINT logged_model_metrics_pkey;
ALTER TABLE logged_model_metrics DROP COLUMN dataset_name;
ALTER TABLE logged_model_metrics DROP COLUMN dataset_digest;
ALTER TABLE logged_model_metrics ADD PRIMARY KEY (model_id, key, timestamp, step, run_id, value, is_nan);
INSERT INTO logged_model_metrics (model_id, run_id, key, timestamp, step, value, is_nan)
    SELECT model_id, run_id, key, timestamp, step, value, is_nan FROM kept;
