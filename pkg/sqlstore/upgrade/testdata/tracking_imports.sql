-- A run that came from another server.
INSERT INTO imports (source, kind, source_id, local_id, fingerprint, merged, at)
    VALUES ('http://other:5000', 'run', '11111111111111111111111111111111', '11111111111111111111111111111111', 'f', FALSE, 7000);
