-- +goose Up
-- The audit trail of registered models: what moved, from where to where, when and by whom. Rows are never changed, and stay when the model
-- goes, so model_id refers to nothing. matter is stage, alias or name; an empty to_value is a deletion, an empty from_value a beginning.
CREATE TABLE model_moves (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id   INTEGER NOT NULL,
    at         BIGINT  NOT NULL,
    matter     TEXT    NOT NULL,
    version    BIGINT  NOT NULL,
    alias      TEXT    NOT NULL,
    from_value TEXT    NOT NULL,
    to_value   TEXT    NOT NULL,
    via        TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    user_name  TEXT    NOT NULL
);
CREATE INDEX model_moves_by_model ON model_moves (model_id, id);
CREATE INDEX model_moves_by_name ON model_moves (from_value) WHERE matter = 'name' AND to_value = '';

-- +goose Down
DROP TABLE model_moves;
