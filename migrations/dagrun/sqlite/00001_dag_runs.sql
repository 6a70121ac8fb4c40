-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 when not known, so that they compare as numbers in every dialect.

CREATE TABLE dag (
    dag_id   TEXT    NOT NULL PRIMARY KEY,
    paused   BOOLEAN NOT NULL DEFAULT FALSE,
    next_run BIGINT  NOT NULL DEFAULT 0  -- start of the next interval of the schedule
);

CREATE TABLE dag_run (
    run_key      INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of triggering
    dag_id       TEXT    NOT NULL REFERENCES dag (dag_id),
    run_id       TEXT    NOT NULL,
    run_type     TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    logical_date BIGINT  NOT NULL,
    interval_end BIGINT  NOT NULL,
    queued_at    BIGINT  NOT NULL,
    started_at   BIGINT  NOT NULL DEFAULT 0,
    ended_at     BIGINT  NOT NULL DEFAULT 0,
    decided_at   BIGINT  NOT NULL DEFAULT 0,
    triggered_by TEXT    NOT NULL DEFAULT '',
    note         TEXT    NOT NULL DEFAULT '',
    conf         TEXT    NOT NULL DEFAULT '{}',
    UNIQUE (dag_id, run_id),
    UNIQUE (dag_id, logical_date)
);
CREATE INDEX dag_run_by_state ON dag_run (dag_id, state);

CREATE TABLE task_instance (
    instance_key INTEGER PRIMARY KEY AUTOINCREMENT,
    run_key      BIGINT  NOT NULL REFERENCES dag_run (run_key),
    task_id      TEXT    NOT NULL,
    state        TEXT    NOT NULL DEFAULT '',
    try          INTEGER NOT NULL DEFAULT 0, -- number of the current try, counted when it is queued
    failures     INTEGER NOT NULL DEFAULT 0, -- tries that failed: these use up the retries
    lost         INTEGER NOT NULL DEFAULT 0, -- tries whose process ended or that were handed back: these do not
    fence        BIGINT  NOT NULL DEFAULT 0,
    lease_until  BIGINT  NOT NULL DEFAULT 0,
    retry_at     BIGINT  NOT NULL DEFAULT 0,
    scheduled_at BIGINT  NOT NULL DEFAULT 0,
    queued_at    BIGINT  NOT NULL DEFAULT 0,
    started_at   BIGINT  NOT NULL DEFAULT 0,
    ended_at     BIGINT  NOT NULL DEFAULT 0,
    skipped_by   TEXT    NOT NULL DEFAULT '',
    UNIQUE (run_key, task_id)
);
CREATE INDEX task_instance_by_state ON task_instance (state);

-- One row for each try that a worker has claimed.
CREATE TABLE task_try (
    instance_key BIGINT  NOT NULL REFERENCES task_instance (instance_key),
    try          INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    fence        BIGINT  NOT NULL,
    queued_at    BIGINT  NOT NULL,
    started_at   BIGINT  NOT NULL,
    ended_at     BIGINT  NOT NULL DEFAULT 0,
    error        TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (instance_key, try)
);

CREATE TABLE task_log (
    line_key     INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_key BIGINT  NOT NULL REFERENCES task_instance (instance_key),
    try          INTEGER NOT NULL,
    logged_at    BIGINT  NOT NULL,
    level        TEXT    NOT NULL,
    message      TEXT    NOT NULL,
    attributes   TEXT    NOT NULL DEFAULT '{}'
);
CREATE INDEX task_log_by_try ON task_log (instance_key, try, line_key);

CREATE TABLE xcom (
    instance_key BIGINT NOT NULL REFERENCES task_instance (instance_key),
    xcom_key     TEXT   NOT NULL,
    value        TEXT   NOT NULL,
    pushed_at    BIGINT NOT NULL,
    PRIMARY KEY (instance_key, xcom_key)
);

-- The one sequence that fences are drawn from. It begins at the clock (milliseconds), above all fences of a database that was in this
-- one's place before: the databases of listings remember those.
CREATE TABLE fence (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value BIGINT  NOT NULL
);
INSERT INTO fence (id, value) VALUES (1, CAST(strftime('%s', 'now') AS INTEGER) * 1000);

-- +goose Down
DROP TABLE fence;
DROP TABLE xcom;
DROP TABLE task_log;
DROP TABLE task_try;
DROP TABLE task_instance;
DROP TABLE dag_run;
DROP TABLE dag;
