-- The last fence of a task.
INSERT INTO task_fences (dag_run_id, task_id, fence) VALUES ('run-1', 'preprocess_data', 40);
