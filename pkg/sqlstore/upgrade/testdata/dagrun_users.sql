-- A run that somebody triggered who had logged in.
UPDATE dag_run SET triggering_user = 'ana' WHERE run_id = 'scheduled__1';
