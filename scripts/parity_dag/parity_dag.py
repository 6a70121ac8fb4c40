#!/usr/bin/env python3
"""Compares the tables and the tracking run of a DAG run with the reference.

Usage: parity_dag.py DATA-DIR --tracking http://127.0.0.1:5000 --dag-run ID [--reference scripts/reference.py]

Exports realtor_raw in insertion order, runs the reference on it as of the DAG run's instant, and compares the tables train,
validation, test (order, columns, values), train_clean, validation_clean, test_clean (order, columns, sums), and the metrics,
params, tags and coefficients of the training run. Prints each comparison with its largest relative difference. Exit code 1 if
one is beyond 1e-9 (coefficients count where the reference's scaled_condition is under 1e6).
"""
import argparse
import csv
import hashlib
import json
import os
import sqlite3
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))
import parity  # noqa: E402

EXPERIMENT = "Realtor_Price_Experiment"
SPLITS = ["train", "validation", "test"]


def connect(folder, name):
    db = sqlite3.connect(f"file:{os.path.join(folder, name)}?mode=ro", uri=True)
    db.text_factory = str
    return db


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def export_raw(db, known, path):
    """realtor_raw as CSV: an empty field is NULL, and so is an empty text, as the DAG takes it. Returns the rows and their ids."""
    rows = db.execute(f"SELECT id, {', '.join(known)} FROM realtor_raw ORDER BY id").fetchall()
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(known)
        for row in rows:
            out.writerow(["" if v is None else repr(v) if isinstance(v, float) else v for v in row[1:]])
    return {row[0]: i for i, row in enumerate(rows)}, [row[1:] for row in rows]


class Tracking:
    """The REST calls of MLflow that the comparison needs."""

    def __init__(self, uri):
        self.uri = uri.rstrip("/") + "/api/2.0/"

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.uri + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def run(self, dag_run, name):
        """The DAG run's one run of that name; without it the decision says why it did not train."""
        found = self.call(f"mlflow/experiments/get-by-name?experiment_name={EXPERIMENT}")["experiment"]
        runs = self.call("mlflow/runs/search", {"experiment_ids": [found["experiment_id"]], "filter": f"tags.dag_run_id = '{dag_run}'"})
        named_so = [r for r in runs.get("runs", []) if r["info"]["run_name"] == name]
        if len(named_so) != 1:
            reasons = [named(r["data"]["tags"]).get("reason", "") for r in runs.get("runs", [])]
            sys.exit(f"parity-dag: tracking has {len(named_so)} runs named {name}, not one; the decision was: {' '.join(reasons)}")
        return named_so[0]

    def model(self, run):
        """tasador.json of the run's model."""
        outputs = run["outputs"]["model_outputs"]
        logged = self.call("mlflow/logged-models/" + outputs[0]["model_id"])["model"]["info"]
        return self.call("mlflow-artifacts/artifacts/" + logged["artifact_uri"].split(":", 1)[1].strip("/") + "/tasador.json")


def named(entries):
    return {e["key"]: e["value"] for e in entries or []}


class Report:
    """Prints each comparison when it is done."""

    def __init__(self):
        self.failed, self.largest = False, 0.0

    def add(self, what, comparison):
        self.failed |= bool(comparison.faults)
        self.largest = max(self.largest, comparison.largest)
        print(f"{what:20} {'ok' if not comparison.faults else 'DIFFERS':8} largest relative difference {comparison.largest:.2e}")
        for fault in comparison.faults[:10]:
            print("  ", fault)


def compare_split(db, name, known, places, raw, wanted):
    """A split table with the reference's split: the rows, their order, and that they are those of realtor_raw."""
    c = parity.Comparison()
    have = [row[1] for row in db.execute(f"PRAGMA table_info({quote(name)})")]
    c.exact("columns", have, ["position", "raw_id"] + known + ["fetched_at"])
    rows = db.execute(f"SELECT raw_id, {', '.join(known)} FROM {quote(name)} ORDER BY position").fetchall()
    positions = [places[row[0]] for row in rows]
    c.exact("rows", len(rows), wanted["rows"])
    c.exact("first_raw_positions", positions[:10], wanted["first_raw_positions"])
    digest = hashlib.sha256("\n".join(map(str, positions)).encode()).hexdigest()
    c.exact("sha256_of_positions", digest, wanted["sha256_of_positions"])
    c.exact("rows that are not those of realtor_raw", sum(row[1:] != raw[p] for row, p in zip(rows, positions)), 0)
    return c


def compare_clean(raw_db, db, split, wanted, scale):
    """A clean table with the reference's: as many rows at the same positions, the columns, and their sums."""
    c = parity.Comparison()
    table = split + "_clean"
    columns = db.execute("SELECT column_name, feature FROM clean_columns WHERE table_name = ? ORDER BY ordinal", [table]).fetchall()
    c.exact("columns", [feature for _, feature in columns], wanted["columns"])
    have = [row[1] for row in db.execute(f"PRAGMA table_info({quote(table)})")]
    c.exact("columns of the table", have, ["position"] + [column for column, _ in columns])
    positions = db.execute(f"SELECT position FROM {quote(table)} ORDER BY position").fetchall()
    c.exact("positions equal those of the split", positions == raw_db.execute(f"SELECT position FROM {quote(split)} ORDER BY position").fetchall(), True)
    for column, feature in columns:
        (total,) = db.execute(f"SELECT total({quote(column)}) FROM {quote(table)}").fetchone()
        if feature in scale:
            c.number(f"sum of {feature}", total, wanted["column_sums"][feature], scale[feature]["sum"])
    return c


def compare_run(run, wanted, price):
    c = parity.Comparison()
    metrics, params, tags = (named(run["data"].get(kind)) for kind in ("metrics", "params", "tags"))
    expected = {f"val_rmse_alpha_{alpha}": rmse for alpha, rmse in wanted["val_rmse_alpha"].items()}
    expected.update(best_val_rmse=wanted["best_val_rmse"], test_rmse=wanted["test_rmse"])
    expected.update({f"rows_{split}": part["rows"] for split, part in wanted["split"].items()})
    c.exact("metrics", sorted(metrics), sorted(expected))
    for name, value in expected.items():
        c.number(name, float(metrics.get(name, "nan")), value, price)
    c.exact("param best_alpha", params.get("best_alpha"), repr(wanted["best_alpha"]))
    c.exact("tag best_alpha", tags.get("best_alpha"), repr(wanted["best_alpha"]))
    c.number("tag current_rmse", float(tags.get("current_rmse", "nan")), wanted["test_rmse"], price)
    return c


def compare_model(model, wanted, scales, price):
    c = parity.Comparison()
    features = model["schema"]["features"]
    c.exact("features", features, wanted["features"])
    if wanted["scaled_condition"] < parity.CONDITION:
        for feature, value in zip(features, model["coefficients"]):
            size = max(part[feature]["max"] for part in scales.values() if feature in part)
            c.number(f"coefficient of {feature}", value, wanted["coefficients"][feature], price / size if size > 0 else 0.0)
        c.number("intercept", model["intercept"], wanted["intercept"], price)
    return c


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder")
    ap.add_argument("--tracking", required=True)
    ap.add_argument("--dag-run", required=True)
    ap.add_argument("--reference", default="scripts/reference.py")
    args = ap.parse_args()
    reference = parity.load_reference(args.reference)
    tracking = Tracking(args.tracking)
    run = tracking.run(args.dag_run, "train__" + args.dag_run)
    as_of = named(run["data"]["tags"])["as_of"].removesuffix("+00:00")  # the reference takes UTC without an offset
    raw_db, clean_db = connect(args.folder, "rawdata.db"), connect(args.folder, "cleandata.db")
    with tempfile.TemporaryDirectory() as folder:
        raw_csv, result = os.path.join(folder, "realtor_raw.csv"), os.path.join(folder, "result.json")
        places, raw = export_raw(raw_db, reference.KNOWN, raw_csv)
        done, error = parity.run([sys.executable, args.reference, raw_csv, "--as-of", as_of, "--out", result])
        if not done:
            sys.exit(f"parity-dag: the reference refuses the rows: {error}")
        with open(result) as f:
            wanted = json.load(f)
        scales = parity.scales(reference, raw_csv, as_of)
    price = max(part["price"]["max"] for part in scales.values())
    report = Report()
    for split in SPLITS:
        report.add(split, compare_split(raw_db, split, reference.KNOWN, places, raw, wanted["split"][split]))
    for split in SPLITS:
        report.add(split + "_clean", compare_clean(raw_db, clean_db, split, wanted["clean"][split], scales[split]))
    report.add("run", compare_run(run, wanted, price))
    report.add("model", compare_model(tracking.model(run), wanted, scales, price))
    if wanted["scaled_condition"] >= parity.CONDITION:
        print(f"coefficients are not compared: scaled_condition is {wanted['scaled_condition']:.3g}")
    print(f"parity-dag: {'NOT equal' if report.failed else 'ok'} rows={len(raw)} as_of={as_of} max_rel={report.largest:.2e}")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
