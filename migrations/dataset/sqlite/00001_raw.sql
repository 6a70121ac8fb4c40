-- +goose Up

-- Every listing that was collected, in the order of id. An empty batch_number is 0: the source did not say.
CREATE TABLE realtor_raw (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    brokered_by    REAL,
    status         TEXT COLLATE BINARY,
    price          REAL,
    bed            REAL,
    bath           REAL,
    acre_lot       REAL,
    street         REAL,
    city           TEXT,
    state          TEXT,
    zip_code       TEXT,
    house_size     REAL,
    prev_sold_date TEXT,
    fetched_at     TEXT    NOT NULL,
    batch_number   INTEGER NOT NULL,
    dag_run_id     TEXT    NOT NULL
);

-- One row for each DAG run whose rows are in realtor_raw: what extract_data stored, and what decide_to_train judges.
CREATE TABLE raw_batches (
    dag_run_id     TEXT    PRIMARY KEY,
    batch_number   INTEGER NOT NULL,
    finished       BOOLEAN NOT NULL,
    row_count      INTEGER NOT NULL,
    payload_sha256 TEXT    NOT NULL,
    columns        TEXT    NOT NULL, -- JSON: the known columns that some row of the payload has
    invalid        TEXT    NOT NULL, -- JSON: values of the wrong type, by column
    profile        TEXT    NOT NULL, -- JSON: the counts that the gate judges
    fetched_at     TEXT    NOT NULL
);

-- The largest fence that was seen of a task instance. Also in CleanData, which may be the same database.
CREATE TABLE IF NOT EXISTS task_fences (
    dag_run_id TEXT    NOT NULL,
    task_id    TEXT    NOT NULL,
    fence      INTEGER NOT NULL,
    PRIMARY KEY (dag_run_id, task_id)
);

-- The sets of tables that are replaced together: who loads the next ones aside, and who made those in place.
CREATE TABLE IF NOT EXISTS table_sets (
    name      TEXT PRIMARY KEY, -- split, clean
    loader    TEXT NOT NULL,    -- DAG run, task and fence that may load; empty if none does
    made_by   TEXT NOT NULL,    -- DAG run whose rows are in place; empty if there are none
    row_count INTEGER NOT NULL
);

-- +goose Down
DROP TABLE realtor_raw;
DROP TABLE raw_batches;
DROP TABLE IF EXISTS task_fences;
DROP TABLE IF EXISTS table_sets;
