-- A move by somebody who had logged in.
INSERT INTO model_moves (model_id, at, matter, version, alias, from_value, to_value, via, address, agent, user_name, verified)
    SELECT id, 5700, 'stage', 2, '', 'Production', 'Archived', 'page', '127.0.0.1', 'browser', 'bob', TRUE FROM registered_models WHERE name = 'Prices';
