"""Makes hostile CSV files of listings: everything that a source may do to us and that the reference still reads."""
import random

KNOWN = ["brokered_by", "status", "price", "bed", "bath", "acre_lot", "street", "city", "state", "zip_code",
         "house_size", "prev_sold_date"]
NEEDED = ["status", "price", "bed", "bath", "acre_lot", "house_size", "prev_sold_date"]
OPTIONAL = [c for c in KNOWN if c not in NEEDED]
STATUSES = ["for_sale", "ready_to_build", "sold", "to_build"]

ODD_STATUSES = ["Sold", "SOLD", " sold", "sold ", "a,b", 'say "hi"', "two\nlines", "two\r\nlines", "ñandú", "状態", "🏠", "\uffee",
                "nan", "NaN", "NA", "None", "null", "0", "1.0", "status", "price", "_", "-", "\u00a0", "É", "e\u0301", "zzz", "~", "A",
                "<b>", "&amp;", "for_sale_" + "x" * 200, "days_since_last_sale", "true"]
ODD_NUMBERS = ["abc", "1,5", "$5", "5 000", "1_000", "0x10", "True", "nan", "NaN", "-", "+", ".", "1e", "e5", "--1", "1.2.3", "١٢",
               "5%", "null", "None", "1e5x", "\u00a05", "N/A", "1d3", "infinit"]
GOOD_NUMBERS = [" 7", "8 ", "\t9", "+5", "-3", "1e2", "1E2", "1.5e+2", "2.", ".5", "00012", "-0", "0e0", "1e-3", "3.0000000000000004",
                "12345678901234567", "0.1234567890123456789", "123456.789012345", "99999999999", "-0.0", "1e-320", "\n4", "4\r\n",
                "00000000000000000000000000000000000000012.5", "1e00000000000000000000002"]
DATES = ["2021-12-01", "2020-02-29", "2019-02-29", "1900-02-29", "2000-02-29", "1677-12-31", "1678-01-01", "2261-12-31", "2262-01-01",
         "2021-13-01", "2021-00-10", "2021-04-31", "2021-1-1", "21-01-01", "2021/01/01", "20210101", "2021-01-01T00:00:00",
         "2021-01-01 23:59:59", "2021-01-01T23:59", "2021-01-01 23", "2021-01-01T24:00:00", "2021-01-01 23:59:60", "2021-01-01 12:60",
         "2021-01-01T12:00:00Z", "2021-01-01T12:00:00z", "2021-01-01 12:00:00 Z", "2021-01-01T00:00:00+05:30",
         "2021-01-01T00:00:00+0530", "2021-01-01T00:00:00-0800", "2021-01-01T00:00-08", "2021-01-01Z", "2021-01-01+05:00",
         "2021-01-01T10:00+23:59", "2021-01-01T10:00+24:00", "2021-01-01T10:00+05:75", "2021-01-01T10:00-23:60", "2021-01-01T10:00-00:00",
         "2021-01-01 10:00:00.5", "2021-01-01 10:00:00.123456789", "2021-01-01 10:00:00.1234567891", "2021-01-01 10:00:00.",
         "2021-01-01 10:00:00,5", " 2021-05-05", "2021-05-05 ", "\t2021-05-05\n", "\u00a02021-05-05", "2021-05-05\u3000", "２０２１-05-05",
         "٢٠٢١-٠٥-٠٥", "today", "now", "NaT", "0", "-1", "1678-01-01T00:00+23:59", "2261-12-31T23:59-23:59", "2261-12-31 23:59:59",
         "2025-12-31T23:59:59.999999999", "2026-01-01", "2026-01-01T00:00:01", "2030-06-15", "2021-01-01  10:00", "2021-01-01T10:00T",
         "2021-01-01t10:00", "+2021-01-01", "-2021-01-01", "2021-01-01T1:00", "2021-01-01T10:0", "2021‐01‐01", "1/2/2021",
         "2025-12-31T23:59:59.99999999999999999", "2021-01-01 00:00:00.0000000000000000000000001"]


def quote(field, rng, always=False):
    needs = any(c in field for c in ',"\n\r') or (field == "" and rng.random() < 0.05)
    if always or needs or rng.random() < 0.01:
        return '"' + field.replace('"', '""') + '"'
    return field


def number(rng, kind):
    value = {
        "bed": lambda: rng.randint(0, 10),
        "bath": lambda: rng.choice([1, 1.5, 2, 2.5, 3, 4]),
        "acre_lot": lambda: round(rng.lognormvariate(-1, 1.5), 3),
        "house_size": lambda: round(rng.lognormvariate(7.4, 0.5)),
        "price": lambda: round(rng.lognormvariate(12.6, 1.0), 2),
    }[kind]()
    text = repr(value)
    return text + ".0" if isinstance(value, int) and rng.random() < 0.5 else text


class Plan:
    """What is odd about one file."""

    def __init__(self, rng):
        self.rows = rng.choice([3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 20, 20, 35, 60, 150, 400, 1500])
        self.nulls = rng.choice([0, 0, 0.02, 0.2, 0.7])
        self.odd_numbers = rng.choice([0, 0, 0, 0.01, 0.2])
        self.good_numbers = rng.choice([0, 0, 0.02, 0.2])
        self.odd_dates = rng.choice([0, 0.02, 0.5, 1])
        self.outliers = rng.choice([0, 0, 0, 0.002, 0.05])
        self.duplicates = rng.choice([0, 0, 0.1, 0.9])
        self.quote_all = rng.random() < 0.15
        self.newline = rng.choice(["\n", "\n", "\n", "\r\n", "\r"])
        self.last_newline = rng.random() < 0.8
        self.mark = rng.random() < 0.15
        self.blank_lines = rng.choice([0, 0, 0.05])
        self.short_rows = rng.choice([0, 0, 0, 0.05])
        kind = rng.random()
        pool = STATUSES + ODD_STATUSES
        if kind < 0.15:
            self.statuses = [rng.choice(pool)]
        elif kind < 0.6:
            self.statuses = STATUSES
        elif kind < 0.7:
            self.statuses = [""]
        elif kind < 0.85:
            self.statuses = pool + [""]
        else:
            self.statuses = [f"s{i}" for i in range(rng.randint(2, 60))] + [""]
        self.columns = list(KNOWN)
        if rng.random() < 0.5:
            rng.shuffle(self.columns)
        if rng.random() < 0.3:
            for c in rng.sample(OPTIONAL, rng.randint(1, len(OPTIONAL))):
                self.columns.remove(c)
        self.empty = set(rng.sample(NEEDED, rng.randint(1, 3))) if rng.random() < 0.25 else set()
        self.constant = set(rng.sample(["bed", "bath", "acre_lot", "house_size", "price"], 1)) if rng.random() < 0.15 else set()
        if rng.random() < 0.3:
            for i in range(rng.randint(1, 3)):
                name = rng.choice([f"extra{i}", "Price", "bed ", "fetched_at", "", "bed", "price", "status", "é"])
                at = rng.randint(self.columns.index(name) + 1 if name in self.columns else 0, len(self.columns))
                self.columns.insert(at, name)


def field(plan, column, rng):
    """One value as text, before quoting."""
    if column in plan.empty or (rng.random() < plan.nulls and column != "extra0"):
        return ""
    if column == "status":
        return rng.choice(plan.statuses)
    if column == "prev_sold_date":
        if rng.random() < plan.odd_dates:
            return rng.choice(DATES)
        return f"{rng.randint(1950, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    if column in plan.constant:
        return "1000000007.5"
    if column in ("bed", "bath", "acre_lot", "house_size", "price"):
        if rng.random() < plan.odd_numbers:
            return rng.choice(ODD_NUMBERS)
        if rng.random() < plan.good_numbers:
            return rng.choice(GOOD_NUMBERS)
        if rng.random() < plan.outliers:
            return rng.choice(["1e9", "1000000000", "-1e9", "2147483647.0", "1e12"])
        return number(rng, column)
    return rng.choice(["12", "x", "a,b", 'q"q', "l1\nl2", "Adjuntas", "Mayagüez", "00601", " ", "103378.0"])


def make(seed):
    """The bytes of one hostile file."""
    rng = random.Random(seed)
    plan = Plan(rng)
    lines, kept = [], []
    lines.append(",".join(quote(c, rng, plan.quote_all) for c in plan.columns))
    for _ in range(plan.rows):
        if kept and rng.random() < plan.duplicates:
            lines.append(rng.choice(kept))
            continue
        fields = [quote(field(plan, c, rng), rng, plan.quote_all) for c in plan.columns]
        if rng.random() < plan.short_rows:
            fields = fields[:rng.randint(1, len(fields))]
        line = ",".join(fields)
        if not line.strip(" \t"):
            line = '""'
        if plan.newline == "\r" and line[0] in " \t,":
            continue  # pandas misreads such lines where no line feed ends the one before
        kept.append(line)
        lines.append(line)
    if plan.blank_lines:
        spread = []
        for line in lines:
            while rng.random() < plan.blank_lines:
                spread.append(rng.choice(["", "", " ", "\t ", "  "]))
            spread.append(line)
        lines = spread
    text = plan.newline.join(lines) + (plan.newline if plan.last_newline else "")
    return ("\ufeff" if plan.mark else "").encode() + text.encode()
