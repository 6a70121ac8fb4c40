-- Which rows were seen.
INSERT INTO seen_rows (layer, row_count, entry_count, bits) VALUES (0, 5, 4, '\xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff');
