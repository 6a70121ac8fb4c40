-- A prediction that came by the journal, and a sale.
INSERT INTO predictions (request_id, predicted_at, model_name, model_version, model_run_id, as_of, prediction, item, journal, sequence)
    VALUES ('new-1', '2026-01-02T00:00:00.000001Z', 'Prices', '2', '11111111111111111111111111111111', '2026-01-02T00:00:00.000000Z', 2, 4, '0123456789abcdef0123456789abcdef', 7);
INSERT INTO prediction_feedback (request_id, item, sale_price, sold_at, received_at, journal, sequence)
    VALUES ('new-1', 4, 99000, '2026-01-05', '2026-01-06T00:00:00.000000Z', '0123456789abcdef0123456789abcdef', 8);
