#!/usr/bin/env python3
"""Writes the golden files of `tasador train`: hostile CSV files, each with the result of the reference beside it.

Usage: generate.py [--out pkg/cli/testdata/train] [--reference scripts/reference.py]

For every case NAME it writes NAME.csv and NAME.json (what reference.py prints, unchanged but for the timings), and one
cases.json: the as-of instant of each case and, to compare numbers near zero, the largest absolute value and the sum of
absolute values of every clean column; for files that the reference refuses, its reason. The files are generated from
fixed seeds: running it again changes nothing unless the reference or its libraries do.
"""
import argparse
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "parity")]
import hostile  # noqa: E402
import parity  # noqa: E402

KNOWN = hostile.KNOWN
DAY = "2026-01-01"


def rows(count, seed, statuses=hostile.STATUSES, nulls=0.0, change=None):
    """count tidy rows as dictionaries; change may alter each."""
    rng = random.Random(seed)
    out = []
    for i in range(count):
        row = {"brokered_by": f"{rng.randint(1, 99999)}.0", "street": f"{rng.randint(1, 1999999)}.0", "city": "Adjuntas",
               "state": "Puerto Rico", "zip_code": f"{rng.randint(601, 988):05}", "status": rng.choice(statuses),
               "prev_sold_date": f"{rng.randint(1960, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"}
        for column in ("bed", "bath", "acre_lot", "house_size", "price"):
            row[column] = hostile.number(rng, column)
        for column in list(row):
            if rng.random() < nulls:
                row[column] = ""
        if change:
            change(i, row, rng)
        out.append(row)
    return out


def csv(data, columns=tuple(KNOWN), newline="\n"):
    rng = random.Random(0)
    lines = [",".join(columns)]
    lines += [",".join(hostile.quote(row.get(c, ""), rng) for c in columns) for row in data]
    return (newline.join(lines) + newline).encode()


def setter(column, values):
    def change(_, row, rng):
        row[column] = rng.choice(values)
    return change


def at(positions, column, value):
    def change(i, row, _):
        if i in positions:
            row[column] = value
    return change


def cases():
    """Name → (content, as-of)."""
    required = hostile.NEEDED
    out = {
        "tidy": (csv(rows(120, 1)), DAY),
        "nulls": (csv(rows(200, 2, nulls=0.3)), DAY),
        "as_of_time_of_day": (csv(rows(150, 3, nulls=0.1)), "2025-03-09T17:45:30.5"),
        "as_of_before_sales": (csv(rows(60, 4)), "1990-06-15"),
        "reversed_columns": (csv(rows(80, 5, nulls=0.1), KNOWN[::-1]), DAY),
        "required_columns_only": (csv(rows(80, 6, nulls=0.1), required), DAY),
        "price_first_status_last": (csv(rows(50, 7), ["price", "house_size", "bath", "prev_sold_date", "acre_lot", "bed", "status"]), DAY),
        "extra_columns": (csv(rows(50, 8), ["id", *KNOWN, "fetched_at", "batch"]), DAY),
        "duplicate_headers": (csv(rows(50, 9), [*KNOWN, "bed", "price", "status"]), DAY),
        "one_status": (csv(rows(40, 10, statuses=["for_sale"])), DAY),
        "no_status": (csv(rows(40, 11, statuses=[""])), DAY),
        "many_statuses": (csv(rows(300, 12, statuses=[f"s{i}" for i in range(70)])), DAY),
        "odd_statuses": (csv(rows(300, 13, statuses=hostile.ODD_STATUSES + hostile.STATUSES + [""])), DAY),
        "statuses_that_look_null": (csv(rows(60, 14, statuses=["nan", "NaN", "NA", "None", "null", "N/A", ""])), DAY),
        "rare_statuses": (csv(rows(30, 15, statuses=["for_sale"] * 9 + ["b", "c", "d", "e"])), DAY),
        "empty_bed_and_bath": (csv(rows(40, 16, change=lambda i, r, g: r.update(bed="", bath=""))), DAY),
        "empty_prices": (csv(rows(40, 17, change=lambda i, r, g: r.update(price=""))), DAY),
        "empty_dates": (csv(rows(40, 18, change=lambda i, r, g: r.update(prev_sold_date=""))), DAY),
        "all_empty": (csv([{"city": "Adjuntas"} for _ in range(12)]), DAY),
        "duplicate_rows": (csv(rows(6, 19) * 20), DAY),
        "constant_rows": (csv(rows(1, 20) * 15), DAY),
        "odd_dates": (csv(rows(400, 21, change=setter("prev_sold_date", hostile.DATES))), DAY),
        "odd_dates_and_time_of_day": (csv(rows(400, 22, change=setter("prev_sold_date", hostile.DATES))), "2021-01-01 10:00:00.123456"),
        "leap_days": (csv(rows(60, 23, change=setter("prev_sold_date", ["2020-02-29", "2019-02-29", "1900-02-29", "2000-02-29"]))), "2024-02-29"),
        "text_in_numbers": (csv(rows(200, 24, change=lambda i, r, g: r.update({g.choice(required[1:6]): g.choice(hostile.ODD_NUMBERS)}))), DAY),
        "unusual_numbers": (csv(rows(200, 25, change=lambda i, r, g: r.update(
            {g.choice(["bed", "bath", "acre_lot"]): g.choice([n for n in hostile.GOOD_NUMBERS if len(n) < 12])}))), DAY),
        "outlier_1e9_house_size": (csv(rows(400, 26, change=at({7}, "house_size", "1e9"))), DAY),
        "outlier_1e9_acre_lot": (csv(rows(400, 27, change=at({3, 11}, "acre_lot", "1000000000"))), DAY),
        "outlier_1e9_price": (csv(rows(300, 28, change=at({5, 100, 200}, "price", "1e9"))), DAY),
        "outlier_2147483647": (csv(rows(300, 29, change=at({17}, "bed", "2147483647.0"))), DAY),
        "outlier_1e9_few_rows": (csv(rows(8, 30, change=at({2}, "bed", "1e9"))), DAY),
        "quoted_newlines": (csv(rows(60, 31, change=lambda i, r, g: r.update(city="one\ntwo\n\nfour", street='a "b", c'))), DAY),
        "crlf": (csv(rows(60, 32, nulls=0.2, change=lambda i, r, g: r.update(city="one\r\ntwo")), newline="\r\n"), DAY),
        "byte_order_mark": (b"\xef\xbb\xbf" + csv(rows(30, 33), ["price", *[c for c in KNOWN if c != "price"]]), DAY),
        "blank_lines": (csv(rows(40, 34)).replace(b"\n", b"\n\n  \n", 12), DAY),
        "short_rows": (b"\n".join(line.rsplit(b",", i % 5)[0] for i, line in enumerate(csv(rows(60, 35)).splitlines())), DAY),
        "no_last_newline": (csv(rows(20, 36)).rstrip(b"\n"), DAY),
    }
    for count in range(1, 21):
        out[f"{count:02}_rows"] = (csv(rows(count, 100 + count, nulls=0.1)), DAY)
    return out


HOSTILE_SEEDS = range(5000, 5040)
LARGEST = 40_000  # bytes of a hostile file that is kept


def write(folder, name, content, as_of, reference_path, reference):
    path = os.path.join(folder, name + ".csv")
    with open(path, "wb") as f:
        f.write(content)
    done = subprocess.run([sys.executable, "-W", "ignore", reference_path, path, "--as-of", as_of], capture_output=True, text=True)
    if done.returncode != 0:
        return {"as_of": as_of, "refused": done.stderr.strip().splitlines()[-1]}
    result = json.loads(done.stdout)
    del result["seconds"]
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    return {"as_of": as_of, "scales": parity.scales(reference, path, as_of)}


def exact_enough(folder, name, case, reference):
    """Whether scikit-learn got the file right: the worst scaled ones are beyond its doubles, and no yardstick for ours."""
    if "refused" in case:
        return True
    path = os.path.join(folder, name)
    with open(path + ".json") as f:
        theirs = json.load(f)
    return not parity.judge(reference, path + ".csv", case["as_of"], theirs, theirs, case["scales"])[0].faults


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", default="pkg/cli/testdata/train")
    ap.add_argument("--reference", default="scripts/reference.py")
    args = ap.parse_args()
    warnings.filterwarnings("ignore")
    reference = parity.load_reference(args.reference)
    with tempfile.TemporaryDirectory() as folder:
        index = make_all(folder, args.reference, reference)
        replace(args.out, folder)
    refused = sum("refused" in case for case in index.values())
    print(f"{len(index)} cases in {args.out}, of which the reference refuses {refused}")


def make_all(folder, reference_file, reference):
    index = {}
    for name, (content, as_of) in cases().items():
        index[name] = write(folder, name, content, as_of, reference_file, reference)
    for seed in HOSTILE_SEEDS:
        name, content = f"hostile_{seed}", hostile.make(seed)
        if len(content) > LARGEST:
            continue
        index[name] = write(folder, name, content, DAY, reference_file, reference)
        if not exact_enough(folder, name, index[name], reference):
            del index[name]
            os.remove(os.path.join(folder, name + ".csv"))
            os.remove(os.path.join(folder, name + ".json"))
    with open(os.path.join(folder, "cases.json"), "w") as f:
        json.dump(index, f, indent=1)
        f.write("\n")
    return index


def replace(out, folder):
    """Puts the files in place once all of them are made, so that an interruption leaves the old ones."""
    os.makedirs(out, exist_ok=True)
    for old in glob.glob(os.path.join(out, "*.csv")) + glob.glob(os.path.join(out, "*.json")):
        os.remove(old)
    for name in os.listdir(folder):
        shutil.move(os.path.join(folder, name), os.path.join(out, name))


if __name__ == "__main__":
    main()
