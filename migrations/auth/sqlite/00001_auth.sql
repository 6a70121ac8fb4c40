-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 for never, so that they compare as numbers in every dialect. Of secrets only hashes are kept.

CREATE TABLE auth_user (
    name       TEXT   NOT NULL PRIMARY KEY,
    role       TEXT   NOT NULL,
    password   TEXT   NOT NULL, -- argon2id in the PHC string format
    created_at BIGINT NOT NULL
);

CREATE TABLE auth_token (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner      TEXT   NOT NULL REFERENCES auth_user (name) ON DELETE CASCADE,
    name       TEXT   NOT NULL,
    hash       TEXT   NOT NULL UNIQUE,
    role       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    UNIQUE (owner, name)
);

CREATE TABLE auth_session (
    hash       TEXT   NOT NULL PRIMARY KEY,
    user_name  TEXT   NOT NULL REFERENCES auth_user (name) ON DELETE CASCADE,
    kind       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    address    TEXT   NOT NULL,
    agent      TEXT   NOT NULL
);
CREATE INDEX auth_session_by_user ON auth_session (user_name);
CREATE INDEX auth_session_by_end ON auth_session (expires_at);

-- +goose Down
DROP TABLE auth_session;
DROP TABLE auth_token;
DROP TABLE auth_user;
