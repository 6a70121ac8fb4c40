-- +goose Up
-- Runs are searched and ordered by a metric along an index, so that it takes no longer when there are more runs.
ALTER TABLE latest_metrics ADD COLUMN experiment_id INTEGER NOT NULL DEFAULT 0;
UPDATE latest_metrics SET experiment_id = (SELECT experiment_id FROM runs WHERE runs.id = latest_metrics.run_id);
CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment_id, key, is_nan, value, run_id);
CREATE INDEX run_datasets_by_dataset ON run_datasets (dataset_id);

-- +goose Down
DROP INDEX run_datasets_by_dataset;
DROP INDEX latest_metrics_by_value;
ALTER TABLE latest_metrics DROP COLUMN experiment_id;
