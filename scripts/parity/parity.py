#!/usr/bin/env python3
"""Compares `tasador train` with the reference on one CSV file.

Usage: parity.py FILE.csv [--as-of 2026-01-01] [--binary bin/tasador] [--reference scripts/reference.py]

Runs both on the file and prints what differs and the largest relative difference. Split and columns must be equal;
numbers must agree to a relative 1e-9 or, near zero, to 1e-9 of the column's scale; coefficients where the reference's
scaled_condition is under 1e6. Exit code 1 if something differs by more, or if one side refuses the file.
Needs what the reference needs: pandas and scikit-learn.
"""
import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import exact  # noqa: E402

TOLERANCE = 1e-9
NEAR_ZERO = 1e-6  # share of its scale below which a number counts as near zero
EXACT_ROWS = 20000  # up to so many rows, exact arithmetic says which side is right
CONDITION = 1e6  # coefficients of worse conditioned files are not compared


def load_reference(path):
    """reference.py as a module: its own functions give the scales of the clean columns."""
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scales(reference, csv, as_of):
    """For every split and clean column, the largest absolute value and the sum of absolute values."""
    parts = reference.split(reference.read(csv))
    cleaned = {k: reference.clean(v, reference.pd.Timestamp(as_of)) for k, v in parts.items()}
    out = {}
    for name, frame in cleaned.items():
        size = frame.astype(float).abs()
        out[name] = {c: {"max": float(size[c].max()), "sum": float(size[c].sum())} for c in size.columns}
    return out


class Comparison:
    """Collects the differences between two results. The largest one is relative to the value or, near zero, to its scale."""

    def __init__(self):
        self.largest, self.where, self.faults = 0.0, "nothing", []

    def exact(self, what, ours, theirs):
        if ours != theirs:
            self.faults.append(f"{what}: {shorten(ours)} is not {shorten(theirs)}")

    def number(self, what, ours, theirs, scale):
        difference = abs(ours - theirs)
        beyond_zero = abs(theirs) > NEAR_ZERO * scale
        size = abs(theirs) if beyond_zero else scale
        relative = difference / size if size > 0 else difference
        if relative > self.largest:
            self.largest, self.where = relative, what
        if not difference <= TOLERANCE * max(abs(theirs), scale):  # also where ours is not a number
            self.faults.append(f"{what}: {ours!r} is not {theirs!r} (relative {relative:.2e}, scale {scale:.3g})")


def shorten(value, limit=300):
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= limit else text[:limit] + "…"


def compare(ours, theirs, scale):
    """All differences between our result and the reference's. scale is what scales() gives."""
    c = Comparison()
    c.exact("rows", ours["rows"], theirs["rows"])
    c.exact("as_of", ours["as_of"], theirs["as_of"])
    c.exact("split", ours["split"], theirs["split"])
    for name, clean in theirs["clean"].items():
        c.exact(f"clean.{name}.columns", ours["clean"][name]["columns"], clean["columns"])
        for column, value in clean["column_sums"].items():
            got = ours["clean"][name]["column_sums"].get(column, float("nan"))
            c.number(f"clean.{name}.column_sums.{column}", got, value, scale[name][column]["sum"])
    c.exact("features", ours["features"], theirs["features"])
    c.exact("alphas", list(ours["val_rmse_alpha"]), list(theirs["val_rmse_alpha"]))
    c.exact("best_alpha", ours["best_alpha"], theirs["best_alpha"])
    if c.faults:
        return c
    price = max(part["price"]["max"] for part in scale.values())
    for alpha, value in theirs["val_rmse_alpha"].items():
        c.number(f"val_rmse_alpha.{alpha}", ours["val_rmse_alpha"][alpha], value, price)
    c.number("best_val_rmse", ours["best_val_rmse"], theirs["best_val_rmse"], price)
    c.number("test_rmse", ours["test_rmse"], theirs["test_rmse"], price)
    if theirs["scaled_condition"] < CONDITION:
        for column, value in theirs["coefficients"].items():
            size = max(part[column]["max"] for part in scale.values() if column in part)
            c.number(f"coefficients.{column}", ours["coefficients"][column], value, price / size if size > 0 else price)
        c.number("intercept", ours["intercept"], theirs["intercept"], price)
    return c


def judge(reference, csv, as_of, ours, theirs, scale):
    """Where the two differ: the differences of each side from the exact result. Meant for files of a few thousand rows."""
    alphas = {repr_: float(repr_) for repr_ in theirs["val_rmse_alpha"]}
    right = exact.results(reference, csv, as_of, list(alphas.values()))
    right["val_rmse_alpha"] = {name: right["val_rmse_alpha"][alpha] for name, alpha in alphas.items()}
    truth = dict(theirs, **right)
    return compare(ours, truth, scale), compare(theirs, truth, scale)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        return None, lines[-1]
    return done, ""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("csv")
    ap.add_argument("--as-of", default="2026-01-01")
    ap.add_argument("--binary", default="bin/tasador")
    ap.add_argument("--reference", default="scripts/reference.py")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours_path, theirs_path = os.path.join(folder, "ours.json"), os.path.join(folder, "theirs.json")
        mine, mine_error = run([args.binary, "train", "--csv", args.csv, "--as-of", args.as_of, "--json", ours_path])
        other, other_error = run([sys.executable, args.reference, args.csv, "--as-of", args.as_of, "--out", theirs_path])
        if not mine or not other:
            print(f"tasador:   {'ok' if mine else mine_error}")
            print(f"reference: {'ok' if other else other_error}")
            print("parity: no comparison, because " + ("both refuse" if mine is other else "one refuses") + f" {args.csv}")
            sys.exit(1)
        with open(ours_path) as f:
            ours = json.load(f)
        with open(theirs_path) as f:
            theirs = json.load(f)
    reference = load_reference(args.reference)
    scale = scales(reference, args.csv, args.as_of)
    result = compare(ours, theirs, scale)
    for fault in result.faults:
        print("differs:", fault)
    if result.faults and ours["rows"] <= EXACT_ROWS and ours["features"] == theirs["features"]:
        mine, other = judge(reference, args.csv, args.as_of, ours, theirs, scale)
        print(f"exact arithmetic: tasador is off in {len(mine.faults)} numbers (by up to {mine.largest:.1e}), "
              f"the reference in {len(other.faults)} (by up to {other.largest:.1e})")
    print(f"scaled_condition: {theirs['scaled_condition']:.3g}"
          + ("" if theirs["scaled_condition"] < CONDITION else " (coefficients are not compared)"))
    print(f"largest relative difference: {result.largest:.2e} in {result.where}")
    print(f"seconds: tasador {sum(ours['seconds'].values()):.2f}, reference {sum(theirs['seconds'].values()):.2f}")
    print("parity:", "ok" if not result.faults else "NOT equal", f"rows={ours['rows']} as_of={args.as_of}")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
