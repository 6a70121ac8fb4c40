-- +goose Up

-- The prices that houses were sold for, as they were told, in the order of id; journal and sequence as in predictions. One belongs to the newest prediction of that request
-- and item that is not younger than it; the last told of a prediction counts. sold_at is a date, or a date with a time, as it was told.
CREATE TABLE IF NOT EXISTS prediction_feedback (
    id          BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    request_id  VARCHAR(250) NOT NULL,
    item        INT          NOT NULL,
    sale_price  DOUBLE       NOT NULL,
    sold_at     VARCHAR(250),
    received_at VARCHAR(32)  NOT NULL,
    journal     VARCHAR(32)  NOT NULL,
    sequence    BIGINT       NOT NULL,
    UNIQUE KEY prediction_feedback_by_journal (journal, sequence),
    KEY prediction_feedback_by_request (request_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A prediction is one item of one request: item is its place in the list that was sent, 0 if one listing was. journal and sequence name the entry of the journal
-- of the serving process that the row came by (NULL in rows that are older than the journal), so that an entry that is brought twice is one row.
-- MySQL commits each change of a table by itself; after a kill between it and the version this is run again, and must find that it is done.
SET @tasador_change = IF(
    (SELECT count(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'predictions' AND column_name = 'journal') = 0,
    'ALTER TABLE predictions ADD COLUMN item INT NOT NULL DEFAULT 0, ADD COLUMN journal VARCHAR(32), ADD COLUMN sequence BIGINT, ADD UNIQUE KEY predictions_by_journal (journal, sequence, item)',
    'DO 0');
PREPARE tasador_change FROM @tasador_change;
EXECUTE tasador_change;
DEALLOCATE PREPARE tasador_change;

-- +goose Down
DROP TABLE prediction_feedback;
ALTER TABLE predictions DROP KEY predictions_by_journal, DROP COLUMN sequence, DROP COLUMN journal, DROP COLUMN item;
