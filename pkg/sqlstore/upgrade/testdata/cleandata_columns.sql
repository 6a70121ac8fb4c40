-- A clean table and its columns.
CREATE TABLE train_clean (position BIGINT NOT NULL PRIMARY KEY, bed DOUBLE PRECISION NOT NULL, price DOUBLE PRECISION NOT NULL);
INSERT INTO train_clean (position, bed, price) VALUES (0, 3, 100000);
INSERT INTO train_clean (position, bed, price) VALUES (1, 4, 200000);
INSERT INTO train_clean (position, bed, price) VALUES (2, 5, 300000);
INSERT INTO clean_columns (table_name, ordinal, column_name, feature) VALUES ('train_clean', 0, 'bed', 'bed');
INSERT INTO clean_columns (table_name, ordinal, column_name, feature) VALUES ('train_clean', 1, 'price', 'price');
