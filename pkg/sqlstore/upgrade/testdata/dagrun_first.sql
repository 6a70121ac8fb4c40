-- A run that ended, with what its task left, and one that is under way.
INSERT INTO dag (dag_id, paused, next_run) VALUES ('prices', TRUE, 1767312000000000);
INSERT INTO dag_run (dag_id, run_id, run_type, state, logical_date, interval_end, queued_at, started_at, ended_at, decided_at, triggered_by, note, conf)
    VALUES ('prices', 'scheduled__1', 'scheduled', 'success', 1767225600000000, 1767312000000000, 10, 20, 90, 30, 'timetable', 'fine', '{"as_of": "2026-01-01"}');
INSERT INTO dag_run (dag_id, run_id, run_type, state, logical_date, interval_end, queued_at, started_at)
    VALUES ('prices', 'manual__2', 'manual', 'running', 1767225600000001, 1767225600000001, 100, 110);
INSERT INTO task_instance (run_key, task_id, state, try, failures, lost, fence, queued_at, started_at, ended_at)
    SELECT run_key, 'extract_data', 'success', 2, 1, 0, 41, 25, 30, 80 FROM dag_run WHERE run_id = 'scheduled__1';
INSERT INTO task_instance (run_key, task_id, state, try, fence, lease_until, queued_at, started_at)
    SELECT run_key, 'extract_data', 'running', 1, 42, 500, 105, 112 FROM dag_run WHERE run_id = 'manual__2';
INSERT INTO task_instance (run_key, task_id) SELECT run_key, 'end' FROM dag_run WHERE run_id = 'manual__2';
INSERT INTO task_try (instance_key, try, state, fence, queued_at, started_at, ended_at, error)
    SELECT instance_key, 1, 'failed', 40, 21, 22, 24, 'no answer' FROM task_instance WHERE fence = 41;
INSERT INTO task_try (instance_key, try, state, fence, queued_at, started_at, ended_at) SELECT instance_key, 2, 'success', 41, 25, 30, 80 FROM task_instance WHERE fence = 41;
INSERT INTO task_log (instance_key, try, logged_at, level, message, attributes) SELECT instance_key, 2, 50, 'INFO', 'rows are stored', '{"rows": 9}' FROM task_instance WHERE fence = 41;
INSERT INTO xcom (instance_key, xcom_key, value, pushed_at) SELECT instance_key, 'new_records', '9', 70 FROM task_instance WHERE fence = 41;
