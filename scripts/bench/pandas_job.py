#!/usr/bin/env python3
"""The job of the DAG as teams write it with pandas, SQLAlchemy and scikit-learn: collect, split, preprocess, train, through databases.

Usage: pandas_job.py --source URL --key KEY --as-of DATE --db URL

Loads with pandas' usual means: on MySQL its default method (PyMySQL makes multi-row INSERTs of it, in chunks), on PostgreSQL the COPY
callable of pandas' documentation. Vectorized throughout. Prints the seconds of each step, the largest resident memory, the chosen alpha
and the test RMSE as JSON. Needs SQLAlchemy, PyMySQL, psycopg2 (requirements-bench.txt).
"""
import argparse
import csv
import io
import json
import resource
import time

import numpy as np
import pandas as pd
import requests
from sklearn.linear_model import Ridge
from sqlalchemy import create_engine

NUMERIC = ["bed", "bath", "acre_lot", "house_size", "price"]
DROPPED = ["id", "raw_id", "position", "brokered_by", "street", "zip_code", "city", "state", "prev_sold_date", "fetched_at"]
SPLITS = ["train", "validation", "test"]
ALPHAS = [0.01, 0.1, 1.0, 10.0, 100.0]
CHUNK = 10_000


def copy_from(table, conn, keys, rows):
    """pandas' documented insert method for PostgreSQL: COPY from CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    buffer.seek(0)
    name = f'"{table.schema}"."{table.name}"' if table.schema else f'"{table.name}"'
    columns = ", ".join(f'"{k}"' for k in keys)
    with conn.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN WITH CSV", buffer)


def write(df, name, engine):
    method = copy_from if engine.dialect.name == "postgresql" else None
    with engine.begin() as connection:
        df.to_sql(name, connection, if_exists="replace", index=False, chunksize=CHUNK, method=method)


def read(name, engine, order):
    with engine.connect() as connection:
        return pd.read_sql(f"SELECT * FROM {name} ORDER BY {order}", connection)


def extract(args, db):
    answer = requests.get(args.source + "/data", params={"group_number": 7, "day": "Tuesday"}, headers={"Idempotency-Key": args.key})
    answer.raise_for_status()
    df = pd.DataFrame(answer.json()["data"])
    df.insert(0, "id", np.arange(1, len(df) + 1))
    df["fetched_at"] = pd.Timestamp.now("UTC").isoformat()
    write(df, "realtor_raw", db)


def split(db):
    shuffled = read("realtor_raw", db, "id").sample(frac=1, random_state=42).rename(columns={"id": "raw_id"})
    shuffled.insert(0, "position", np.arange(len(shuffled)))
    n = len(shuffled)
    a, b = int(0.6 * n), int(0.8 * n)
    for name, part in zip(SPLITS, [shuffled.iloc[:a], shuffled.iloc[a:b], shuffled.iloc[b:]]):
        write(part, name, db)


def preprocess(db, as_of):
    for name in SPLITS:
        df = read(name, db, "position")
        position = df["position"]
        df[NUMERIC] = df[NUMERIC].ffill().fillna(0)
        sold = pd.to_datetime(df["prev_sold_date"], format="ISO8601", errors="coerce")
        df["days_since_last_sale"] = (as_of - sold).dt.days.fillna(-1).astype(int)
        df = pd.get_dummies(df, columns=["status"], drop_first=True, dtype=int)
        df = df.drop(columns=[c for c in DROPPED if c in df.columns])
        df = df[[c for c in df.columns if c != "price"] + ["price"]]
        df.insert(0, "position", position)
        write(df, name + "_clean", db)


def rmse(model, x, y):
    return float(np.sqrt(np.mean((y - model.predict(x)) ** 2)))


def train(db):
    cleaned = {name: read(name + "_clean", db, "position").drop(columns="position") for name in SPLITS}
    columns = sorted({c for df in cleaned.values() for c in df.columns if c != "price"})
    x = {k: df.reindex(columns=columns, fill_value=0).astype(float) for k, df in cleaned.items()}
    y = {k: df["price"].astype(float) for k, df in cleaned.items()}
    val = {a: rmse(Ridge(alpha=a).fit(x["train"], y["train"]), x["validation"], y["validation"]) for a in ALPHAS}
    best = min(val, key=val.get)
    final = Ridge(alpha=best).fit(pd.concat([x["train"], x["validation"]]), pd.concat([y["train"], y["validation"]]))
    return best, rmse(final, x["test"], y["test"])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["source", "key", "as-of", "db"]:
        ap.add_argument("--" + name, required=True)
    args = ap.parse_args()
    db, as_of = create_engine(args.db), pd.Timestamp(args.as_of)
    steps, result = [], None
    for name, do in [("extract", lambda: extract(args, db)), ("split", lambda: split(db)),
                     ("preprocess", lambda: preprocess(db, as_of)), ("train", lambda: train(db))]:
        begin = time.perf_counter()
        result = do()
        steps.append({"name": name, "seconds": time.perf_counter() - begin})
    print(json.dumps({
        "seconds": sum(s["seconds"] for s in steps), "steps": steps, "best_alpha": result[0], "test_rmse": result[1],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


if __name__ == "__main__":
    main()
