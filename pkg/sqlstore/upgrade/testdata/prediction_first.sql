-- Predictions before there was a journal.
INSERT INTO predictions (request_id, predicted_at, model_name, model_version, model_run_id, as_of, prediction, status, bed, house_size, street, prev_sold_date)
    VALUES ('old-1', '2026-01-01T00:00:00.000001Z', 'Prices', '2', '11111111111111111111111111111111', '2026-01-01T00:00:00.000000Z', 123456.75, 'for_sale', 3, 920, 'Main', '2021-12-01');
INSERT INTO predictions (request_id, predicted_at, model_name, model_version, model_run_id, as_of, prediction)
    VALUES ('old-1', '2026-01-01T00:00:00.000002Z', 'Prices', '2', '11111111111111111111111111111111', '2026-01-01T00:00:00.000000Z', 1);
