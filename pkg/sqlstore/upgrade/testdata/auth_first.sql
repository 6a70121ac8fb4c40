-- A user with a token and a session.
INSERT INTO auth_user (name, role, password, created_at) VALUES ('ana', 'admin', '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', 1767225600000000);
INSERT INTO auth_token (owner, name, hash, role, created_at, expires_at) VALUES ('ana', 'nightly', 'h1', 'viewer', 1767225600000000, 0);
INSERT INTO auth_session (hash, user_name, kind, created_at, expires_at, seen_at, address, agent)
    VALUES ('h2', 'ana', 'page', 1767225600000000, 4102444800000000, 1767225600000000, '127.0.0.1', 'browser');
