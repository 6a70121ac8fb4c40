-- What the gate said.
INSERT INTO batch_notes (dag_run_id, decision, run_id) VALUES ('run-1', '{"decision": "end_no_train", "reason": "5 nuevos"}', '44444444444444444444444444444444');
