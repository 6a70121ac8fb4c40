-- +goose Up
-- What was imported from which server, so that the next import knows what is its own here and what has changed there since. Kind is experiment,
-- run, logged_model, registered_model, model_version or alias. Merged experiments were here before.
CREATE TABLE imports (
    source      TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    source_id   TEXT COLLATE "C" NOT NULL,
    local_id    TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    merged      BOOLEAN NOT NULL,
    at          BIGINT  NOT NULL,
    PRIMARY KEY (source, kind, source_id)
);

-- +goose Down
DROP TABLE imports;
