"""Writes the Parquet files of the tests into the folder that is given: pyarrow is what most people's files come from."""
import datetime as dt
import decimal
import sys

import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
D = decimal.Decimal


def write(name, table, **options):
    pq.write_table(table, f"{folder}/{name}.parquet", **options)


# Every type that fits, columns in another order, one that is unknown.
write("types", pa.table({
    "prev_sold_date": pa.array(["2021-12-01", None, ""], pa.string()),
    "zip_code": pa.array([601.0, 60610.5, None], pa.float64()),
    "price": pa.array([D("185000.10"), D("-0.01"), None], pa.decimal128(12, 2)),
    "bed": pa.array([3, -1, None], pa.int8()),
    "bath": pa.array([2, 4294967295, None], pa.uint32()),
    "acre_lot": pa.array([0.5, float("nan"), float("inf")], pa.float32()),
    "unknown": pa.array([1, 2, 3]),
    "brokered_by": pa.array([18446744073709551615, 1, None], pa.uint64()),
    "street": pa.array([9007199254740993, 1, None], pa.int64()),
    "house_size": pa.array([920.5, None, 1e300], pa.float64()),
    "city": pa.array(["Adjuntas", "", "Ñuñoa"], pa.large_string()),
    "state": pa.array(["Puerto Rico", None, "X"]).dictionary_encode(),
    "status": pa.array([b"for_sale", b"\xff", None], pa.binary()),
}))

# What fits nowhere becomes NULL.
write("misfits", pa.table({
    "price": pa.array(["185000", None]),
    "bed": pa.array([True, None]),
    "bath": pa.array([[1.0], None], pa.list_(pa.float64())),
    "acre_lot": pa.array([{"a": 1}, None], pa.struct([("a", pa.int64())])),
    "house_size": pa.array([dt.date(2021, 1, 1), None]),
    "status": pa.array([1, None]),
    "city": pa.array([dt.datetime(2021, 1, 1), None]),
    "zip_code": pa.array(["601", None]),
    "prev_sold_date": pa.array([20211201, None]),
}))

day, noon = dt.datetime(2021, 12, 1), dt.datetime(1969, 12, 31, 12, 30, 0, 250000)
dates = {"date": pa.array([day.date(), dt.date(1969, 12, 31)], pa.date32())}
for unit in "ms", "us", "ns":
    dates[unit] = pa.array([day, noon], pa.timestamp(unit))
dates["zone"] = pa.array([day, noon], pa.timestamp("us", "America/Bogota"))
for name, values in dates.items():
    write(f"date-{name}", pa.table({"prev_sold_date": values}), version="2.6")
write("date-int96", pa.table({"prev_sold_date": dates["ns"]}), use_deprecated_int96_timestamps=True)

# Many rows in small groups and pages, in every compression and both page formats.
n = 10_000
many = pa.table({
    "price": pa.array([float(i) if i % 7 else None for i in range(n)]),
    "status": pa.array([f"s{i % 4}" if i % 5 else None for i in range(n)]),
    "bed": pa.array([i % 11 for i in range(n)], pa.int32()),
})
for compression in "none", "snappy", "gzip", "zstd", "brotli":
    for page in "1.0", "2.0":
        write(f"many-{compression}-{page}", many, compression=compression, data_page_version=page, row_group_size=1700, data_page_size=512)
write("many-plain", many, use_dictionary=False, row_group_size=3000)
write("lz4", many, compression="lz4")
write("empty", many.slice(0, 0))
write("long", pa.table({"status": ["x", "y" * (1 << 20), "z" * ((1 << 20) + 1)]}))
