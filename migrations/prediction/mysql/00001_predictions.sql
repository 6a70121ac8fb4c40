-- +goose Up

-- Every prediction that serving answered, in the order of id. Times are UTC, as 2026-01-31T12:34:56.789012Z. The inputs are as
-- they were asked, NULL where the request left them out; price is the asking price, which the prediction does not use. Texts compare by
-- the bytes of their characters, whatever the server's default.
CREATE TABLE IF NOT EXISTS predictions (
    id             BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    request_id     VARCHAR(250) NOT NULL,
    predicted_at   VARCHAR(32)  NOT NULL,
    model_name     TEXT         NOT NULL,
    model_version  TEXT         NOT NULL,
    model_run_id   TEXT         NOT NULL,
    as_of          VARCHAR(32)  NOT NULL,
    prediction     DOUBLE       NOT NULL,
    brokered_by    DOUBLE,
    status         TEXT,
    price          DOUBLE,
    bed            DOUBLE,
    bath           DOUBLE,
    acre_lot       DOUBLE,
    street         TEXT,
    city           TEXT,
    state          TEXT,
    zip_code       TEXT,
    house_size     DOUBLE,
    prev_sold_date TEXT,
    KEY predictions_by_time (predicted_at),
    KEY predictions_by_request (request_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE predictions;
