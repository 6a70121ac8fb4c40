-- An import that is not finished.
INSERT INTO raw_imports (source_key, source, fingerprint, dag_run_id, finished, nulls, updated_at)
    VALUES ('e75a70cb1447a5df430815b80cb36321e73edc5bbd8eedb94925acf320b4d0ad', '/srv/listings.csv', 'f', 'run-1', FALSE, '{"bed": 1}', '2026-01-02T00:00:00.000000Z');
