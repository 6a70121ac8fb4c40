-- +goose Up

-- A prediction is one item of one request: item is its place in the list that was sent, 0 if one listing was. journal and sequence name the entry of the journal
-- of the serving process that the row came by (NULL in rows that are older than the journal), so that an entry that is brought twice is one row.
ALTER TABLE predictions ADD COLUMN item INTEGER NOT NULL DEFAULT 0;
ALTER TABLE predictions ADD COLUMN journal TEXT;
ALTER TABLE predictions ADD COLUMN sequence INTEGER;
CREATE UNIQUE INDEX predictions_by_journal ON predictions (journal, sequence, item);

-- The prices that houses were sold for, as they were told, in the order of id; journal and sequence as above. One belongs to the newest prediction of that request
-- and item that is not younger than it; the last told of a prediction counts. sold_at is a date, or a date with a time, as it was told.
CREATE TABLE prediction_feedback (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id  TEXT NOT NULL,
    item        INTEGER NOT NULL,
    sale_price  REAL NOT NULL,
    sold_at     TEXT,
    received_at TEXT NOT NULL,
    journal     TEXT NOT NULL,
    sequence    INTEGER NOT NULL
);
CREATE UNIQUE INDEX prediction_feedback_by_journal ON prediction_feedback (journal, sequence);
CREATE INDEX prediction_feedback_by_request ON prediction_feedback (request_id);

-- +goose Down
DROP TABLE prediction_feedback;
DROP INDEX predictions_by_journal;
ALTER TABLE predictions DROP COLUMN sequence;
ALTER TABLE predictions DROP COLUMN journal;
ALTER TABLE predictions DROP COLUMN item;
