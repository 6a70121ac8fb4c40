-- +goose Up

-- Who may load the next tables of a set aside: split (here), clean (in CleanData).
CREATE TABLE IF NOT EXISTS table_loads (
    name   VARCHAR(250) NOT NULL PRIMARY KEY,
    loader VARCHAR(1000) NOT NULL -- DAG run, task and fence
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS table_loads;
