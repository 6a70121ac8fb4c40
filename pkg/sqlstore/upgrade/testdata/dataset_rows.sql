-- Listings of one DAG run.
INSERT INTO realtor_raw (status, price, bed, bath, acre_lot, city, zip_code, house_size, prev_sold_date, fetched_at, batch_number, dag_run_id)
    VALUES ('for_sale', 100000, 3, 2, 0.5, 'Adjuntas', '00601', 920, '2021-12-01', '2026-01-01T00:00:00.000000Z', 3, 'run-1');
INSERT INTO realtor_raw (status, price, bed, fetched_at, batch_number, dag_run_id) VALUES ('sold', 200000, NULL, '2026-01-01T00:00:00.000000Z', 3, 'run-1');
INSERT INTO realtor_raw (status, price, bed, fetched_at, batch_number, dag_run_id) VALUES (NULL, 300000, 4, '2026-01-01T00:00:00.000000Z', 3, 'run-1');
INSERT INTO realtor_raw (status, price, bed, fetched_at, batch_number, dag_run_id) VALUES ('sold', 400000, 5, '2026-01-01T00:00:00.000000Z', 3, 'run-1');
INSERT INTO realtor_raw (status, price, bed, fetched_at, batch_number, dag_run_id) VALUES ('sold', 500000, 6, '2026-01-01T00:00:00.000000Z', 3, 'run-1');
