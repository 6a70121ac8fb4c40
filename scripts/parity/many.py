#!/usr/bin/env python3
"""Compares `tasador train` with the reference on many generated hostile files.

Usage: many.py COUNT [--seed 1] [--binary bin/tasador] [--reference scripts/reference.py] [--keep FOLDER]

Prints every file that differs (kept in FOLDER, if named) and the largest relative difference. Exit code 1 if any does.
"reference off" are files too badly scaled for scikit-learn: there our result agrees with exact arithmetic, its does not.
"""
import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import warnings

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")]
import hostile  # noqa: E402
import parity  # noqa: E402

FINE = {"ok", "both refuse", "reference off"}
AS_OF = ["2026-01-01", "2026-01-01T12:34:56.789", "2021-01-01 10:00:00", "2024-02-29"]


def reference_result(reference, csv, as_of):
    """What the reference prints, or the reason why it refuses."""
    printed, argv = io.StringIO(), sys.argv
    sys.argv = ["reference.py", csv, "--as-of", as_of]
    try:
        with contextlib.redirect_stdout(printed):
            reference.main()
        return json.loads(printed.getvalue()), ""
    except SystemExit as e:
        return None, str(e)
    except Exception as e:  # whatever pandas raises: the file is beyond the reference
        return None, f"{type(e).__name__}: {e}"
    finally:
        sys.argv = argv


def check(reference, binary, csv, as_of, out):
    """A verdict (ok, differs, only ours, only theirs, both refuse) with what to say, and the largest relative difference."""
    if os.path.exists(out):
        os.remove(out)
    mine, mine_error = parity.run([binary, "train", "--csv", csv, "--as-of", as_of, "--json", out])
    theirs, their_error = reference_result(reference, csv, as_of)
    if not mine or theirs is None:
        if not mine and theirs is None:
            return "both refuse", [mine_error, their_error], 0.0
        return ("only theirs", [mine_error], 0.0) if not mine else ("only ours", [their_error], 0.0)
    with open(out) as f:
        ours = json.load(f)
    scale = parity.scales(reference, csv, as_of)
    result = parity.compare(ours, theirs, scale)
    if not result.faults:
        return "ok", [], result.largest
    notes = [f"scaled_condition {theirs['scaled_condition']:.3g}"] + result.faults[:6]
    if ours["features"] != theirs["features"]:
        return "differs", notes, result.largest
    mine, other = parity.judge(reference, csv, as_of, ours, theirs, scale)
    notes.append(f"exact: ours off by up to {mine.largest:.1e}, theirs by up to {other.largest:.1e}")
    if not mine.faults:
        return "reference off", notes, mine.largest
    return "differs", notes + ["exact: " + fault for fault in mine.faults[:6]], result.largest


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("count", type=int)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--binary", default="bin/tasador")
    ap.add_argument("--reference", default="scripts/reference.py")
    ap.add_argument("--keep")
    args = ap.parse_args()
    warnings.filterwarnings("ignore")  # of columns that are empty, and the like
    reference = parity.load_reference(args.reference)
    counts, largest = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        csv, out = os.path.join(folder, "hostile.csv"), os.path.join(folder, "ours.json")
        for seed in range(args.seed, args.seed + args.count):
            content = hostile.make(seed)
            with open(csv, "wb") as f:
                f.write(content)
            as_of = AS_OF[seed % len(AS_OF)]
            verdict, notes, difference = check(reference, args.binary, csv, as_of, out)
            counts[verdict] = counts.get(verdict, 0) + 1
            if verdict in ("ok", "reference off"):
                largest = max(largest, difference)
            if verdict not in FINE:
                print(f"seed {seed} as of {as_of}: {verdict}")
                for note in notes:
                    print("   ", note)
                if args.keep:
                    with open(os.path.join(args.keep, f"{seed}.csv"), "wb") as f:
                        f.write(content)
    print(f"{counts}; largest relative difference where equal: {largest:.2e}")
    sys.exit(0 if set(counts) <= FINE else 1)


if __name__ == "__main__":
    main()
