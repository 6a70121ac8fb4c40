-- A move of the audit trail.
INSERT INTO model_moves (model_id, at, matter, version, alias, from_value, to_value, via, address, agent, user_name)
    SELECT id, 5600, 'stage', 2, '', 'None', 'Production', 'page', '127.0.0.1', 'browser', 'ana' FROM registered_models WHERE name = 'Prices';
