-- +goose Up

-- Every prediction that serving answered, in the order of id. Times are UTC, as 2026-01-31T12:34:56.789012Z. The inputs are as
-- they were asked, NULL where the request left them out; price is the asking price, which the prediction does not use.
CREATE TABLE predictions (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id     TEXT NOT NULL,
    predicted_at   TEXT NOT NULL,
    model_name     TEXT NOT NULL,
    model_version  TEXT NOT NULL,
    model_run_id   TEXT NOT NULL,
    as_of          TEXT NOT NULL,
    prediction     REAL NOT NULL,
    brokered_by    REAL,
    status         TEXT COLLATE BINARY,
    price          REAL,
    bed            REAL,
    bath           REAL,
    acre_lot       REAL,
    street         TEXT,
    city           TEXT,
    state          TEXT,
    zip_code       TEXT,
    house_size     REAL,
    prev_sold_date TEXT
);
CREATE INDEX predictions_by_time ON predictions (predicted_at);
CREATE INDEX predictions_by_request ON predictions (request_id);

-- +goose Down
DROP TABLE predictions;
