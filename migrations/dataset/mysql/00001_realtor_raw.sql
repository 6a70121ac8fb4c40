-- +goose Up

-- Every listing that was collected, in the order of id. An empty batch_number is 0: the source did not say. Texts compare by bytes.
CREATE TABLE IF NOT EXISTS realtor_raw (
    id             BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    brokered_by    DOUBLE,
    status         MEDIUMTEXT,
    price          DOUBLE,
    bed            DOUBLE,
    bath           DOUBLE,
    acre_lot       DOUBLE,
    street         DOUBLE,
    city           MEDIUMTEXT,
    state          MEDIUMTEXT,
    zip_code       MEDIUMTEXT,
    house_size     DOUBLE,
    prev_sold_date MEDIUMTEXT,
    fetched_at     VARCHAR(32) NOT NULL,
    batch_number   BIGINT NOT NULL,
    dag_run_id     VARCHAR(250) NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE realtor_raw;
