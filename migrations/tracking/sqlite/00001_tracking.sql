-- +goose Up
-- Times are milliseconds since 1970 (UTC), as MLflow's REST API has them.

CREATE TABLE experiments (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    name              TEXT    NOT NULL UNIQUE,
    artifact_location TEXT    NOT NULL,
    lifecycle_stage   TEXT    NOT NULL,
    creation_time     BIGINT  NOT NULL,
    last_update_time  BIGINT  NOT NULL
);

CREATE TABLE experiment_tags (
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    key           TEXT    NOT NULL,
    value         TEXT    NOT NULL,
    PRIMARY KEY (experiment_id, key)
) WITHOUT ROWID;

CREATE TABLE runs (
    id              TEXT    PRIMARY KEY,
    experiment_id   INTEGER NOT NULL REFERENCES experiments (id),
    name            TEXT    NOT NULL,
    user_id         TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    start_time      BIGINT  NOT NULL,
    end_time        BIGINT,
    artifact_uri    TEXT    NOT NULL,
    lifecycle_stage TEXT    NOT NULL
);
CREATE INDEX runs_by_start ON runs (experiment_id, lifecycle_stage, start_time DESC, id);

CREATE TABLE run_tags (
    run_id TEXT NOT NULL REFERENCES runs (id),
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

CREATE TABLE params (
    run_id TEXT NOT NULL REFERENCES runs (id),
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- NaN is kept as value 0 with is_nan, because it is not equal to itself and so no part of a key.
CREATE TABLE metrics (
    run_id    TEXT    NOT NULL REFERENCES runs (id),
    key       TEXT    NOT NULL,
    timestamp BIGINT  NOT NULL,
    step      BIGINT  NOT NULL,
    value     DOUBLE PRECISION NOT NULL,
    is_nan    BOOLEAN NOT NULL,
    model_id  TEXT    NOT NULL,
    PRIMARY KEY (run_id, key, timestamp, step, value, is_nan)
) WITHOUT ROWID;

-- The point of each metric with the greatest step, timestamp and value, in this order.
CREATE TABLE latest_metrics (
    run_id    TEXT    NOT NULL REFERENCES runs (id),
    key       TEXT    NOT NULL,
    value     DOUBLE PRECISION NOT NULL,
    is_nan    BOOLEAN NOT NULL,
    timestamp BIGINT  NOT NULL,
    step      BIGINT  NOT NULL,
    model_id  TEXT    NOT NULL,
    PRIMARY KEY (run_id, key)
) WITHOUT ROWID;

-- Logged models around a run; direction is input or output.
CREATE TABLE run_models (
    run_id    TEXT   NOT NULL REFERENCES runs (id),
    direction TEXT   NOT NULL,
    model_id  TEXT   NOT NULL,
    step      BIGINT NOT NULL,
    PRIMARY KEY (run_id, direction, model_id)
) WITHOUT ROWID;

CREATE TABLE logged_models (
    id               TEXT    PRIMARY KEY,
    experiment_id    INTEGER NOT NULL REFERENCES experiments (id),
    name             TEXT    NOT NULL,
    model_type       TEXT    NOT NULL,
    source_run_id    TEXT    NOT NULL,
    artifact_uri     TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    status_message   TEXT    NOT NULL,
    creation_time    BIGINT  NOT NULL,
    last_update_time BIGINT  NOT NULL,
    lifecycle_stage  TEXT    NOT NULL
);
CREATE INDEX logged_models_by_creation ON logged_models (experiment_id, lifecycle_stage, creation_time DESC, id);

CREATE TABLE logged_model_tags (
    model_id TEXT NOT NULL REFERENCES logged_models (id),
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (model_id, key)
) WITHOUT ROWID;

CREATE TABLE logged_model_params (
    model_id TEXT NOT NULL REFERENCES logged_models (id),
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (model_id, key)
) WITHOUT ROWID;

CREATE TABLE logged_model_metrics (
    model_id  TEXT    NOT NULL REFERENCES logged_models (id),
    run_id    TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    timestamp BIGINT  NOT NULL,
    step      BIGINT  NOT NULL,
    value     DOUBLE PRECISION NOT NULL,
    is_nan    BOOLEAN NOT NULL,
    PRIMARY KEY (model_id, key, timestamp, step, run_id, value, is_nan)
) WITHOUT ROWID;

CREATE TABLE registered_models (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT    NOT NULL UNIQUE,
    description      TEXT    NOT NULL,
    creation_time    BIGINT  NOT NULL,
    last_update_time BIGINT  NOT NULL
);

CREATE TABLE registered_model_tags (
    model_id INTEGER NOT NULL REFERENCES registered_models (id),
    key      TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    PRIMARY KEY (model_id, key)
) WITHOUT ROWID;

-- Deleted versions stay, redacted, so that their numbers are not given again; their stage is Deleted_Internal.
CREATE TABLE model_versions (
    model_id         INTEGER NOT NULL REFERENCES registered_models (id),
    version          BIGINT  NOT NULL,
    stage            TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    source           TEXT    NOT NULL,
    storage_location TEXT    NOT NULL,
    run_id           TEXT    NOT NULL,
    logged_model_id  TEXT    NOT NULL,
    creation_time    BIGINT  NOT NULL,
    last_update_time BIGINT  NOT NULL,
    PRIMARY KEY (model_id, version)
) WITHOUT ROWID;
CREATE INDEX model_versions_by_run ON model_versions (run_id);

CREATE TABLE model_version_tags (
    model_id INTEGER NOT NULL,
    version  BIGINT  NOT NULL,
    key      TEXT    NOT NULL,
    value    TEXT    NOT NULL,
    PRIMARY KEY (model_id, version, key),
    FOREIGN KEY (model_id, version) REFERENCES model_versions (model_id, version)
) WITHOUT ROWID;

CREATE TABLE model_aliases (
    model_id INTEGER NOT NULL,
    alias    TEXT    NOT NULL,
    version  BIGINT  NOT NULL,
    PRIMARY KEY (model_id, alias),
    FOREIGN KEY (model_id, version) REFERENCES model_versions (model_id, version)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE model_aliases;
DROP TABLE model_version_tags;
DROP TABLE model_versions;
DROP TABLE registered_model_tags;
DROP TABLE registered_models;
DROP TABLE logged_model_metrics;
DROP TABLE logged_model_params;
DROP TABLE logged_model_tags;
DROP TABLE logged_models;
DROP TABLE run_models;
DROP TABLE latest_metrics;
DROP TABLE metrics;
DROP TABLE params;
DROP TABLE run_tags;
DROP TABLE runs;
DROP TABLE experiment_tags;
DROP TABLE experiments;
