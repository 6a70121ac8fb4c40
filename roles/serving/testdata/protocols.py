"""Asks a running server the price of the same listings in every way that it offers, and MLflow itself: protocols.py ADDRESS MODEL AS_OF < LISTINGS.json

LISTINGS.json is a list of listings as /predict takes them. Prints a JSON object: "expected" are the prices of mlflow.pyfunc.load_model for features that pandas
makes, "answers" those of the server by the name of the way, and "differences" lists the bodies of /invocations to which the server and MLflow's own scoring
code answer differently.
"""
import io
import json
import logging
import sys
import warnings

import mlflow
import pandas as pd
import requests
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

sys.path[:0] = ["scripts", "pkg/model/testdata"]
import predict  # noqa: E402

ADDRESS = sys.argv[1]
JSON = "application/json"
MODEL = f"{ADDRESS}/v2/models/RealtorPriceModel"


def post(path, body, kind=JSON, **headers):
    if not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    address = path if path.startswith("http") else ADDRESS + path
    return requests.post(address, data=body, headers={"Content-Type": kind, **headers}, timeout=60)


def ok(answer):
    assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    return answer


def scored(answer):
    return [row["prediction"] for row in ok(answer).json()["predictions"]]


def inferred(answer):
    (output,) = ok(answer).json()["outputs"]
    assert output["shape"] == [len(output["data"]), 1] and output["datatype"] == "FP64", output
    return output["data"]


def tensor(name, values, kind="FP64"):
    return {"name": name, "shape": [len(values)], "datatype": kind, "data": list(values)}


def ways(raw, listings, frame, as_of):
    """Yields the name of each way and its prices."""
    instant = as_of.isoformat() + "Z"
    yield "predict", [ok(post("/predict", {**one, "as_of": instant})).json()["prediction"] for one in listings]
    lines = "\n".join(json.dumps(one) for one in listings)
    table = raw.to_csv(index=False)
    batch = "/predict/batch?as_of=" + instant
    answer = ok(post(batch, lines, "application/x-ndjson")).text.splitlines()
    yield "batch, NDJSON", [json.loads(line)["prediction"] for line in answer[:-1]]
    yield "batch, JSON", [row["prediction"] for row in ok(post(batch, listings)).json()["results"]]
    yield "batch, CSV", list(pd.read_csv(io.StringIO(ok(post(batch, table, "text/csv")).text))["prediction"])

    shuffled, split = frame[frame.columns[::-1]], lambda f: json.loads(f.to_json(orient="split", double_precision=15))
    whole = frame.astype({c: int for c in frame.columns if (frame[c] % 1 == 0).all()})
    records = json.loads(frame.to_json(orient="records", double_precision=15))
    params = {"params": {"as_of": instant}}
    yield "invocations, split", scored(post("/invocations", {"dataframe_split": split(frame)}))
    yield "invocations, split, shuffled", scored(post("/invocations", {"dataframe_split": split(shuffled)}))
    yield "invocations, split, whole numbers", scored(post("/invocations", {"dataframe_split": split(whole)}))
    yield "invocations, split, listings", scored(post("/invocations", {"dataframe_split": split(raw), **params}))
    yield "invocations, records", scored(post("/invocations", {"dataframe_records": records}))
    yield "invocations, records, listings", scored(post("/invocations", {"dataframe_records": listings, **params}))
    yield "invocations, instances", scored(post("/invocations", {"instances": records}))
    yield "invocations, inputs", scored(post("/invocations", {"inputs": frame.to_dict(orient="list")}))
    yield "invocations, CSV", scored(post("/invocations", shuffled.to_csv(index=False), "text/csv"))

    columns = [tensor(c, shuffled[c]) for c in shuffled.columns]
    matrix = {"name": "features", "shape": list(frame.shape), "datatype": "FP64", "data": frame.to_numpy().tolist()}
    texts = [tensor(c, raw[c].fillna(""), "BYTES") if raw[c].dtype.kind not in "fi" else tensor(c, raw[c]) for c in raw.columns]
    yield "infer, columns", inferred(post(MODEL + "/infer", {"inputs": columns}))
    yield "infer, matrix", inferred(post(MODEL + "/versions/7/infer", {"inputs": [matrix], "outputs": [{"name": "prediction"}]}))
    yield "infer, flat matrix", inferred(post(MODEL + "/infer", {"inputs": [{**matrix, "data": frame.to_numpy().ravel().tolist()}]}))
    yield "infer, listings", inferred(post(MODEL + "/infer", {"inputs": texts, "parameters": {"as_of": instant}}))


def bodies(frame):
    """Bodies of /invocations, good and bad, with the type that they come as."""
    names, row = list(frame.columns), [float(v) for v in frame.iloc[0]]
    record = dict(zip(names, row))
    short = {k: v for k, v in record.items() if k != names[0]}

    def split(columns, *rows, **more):
        return {"dataframe_split": {"columns": columns, "data": list(rows), **more}}

    head, line = ",".join(names), ",".join(map(str, row))
    for body in [
        split(names, row), split(names, row, row, index=[5, 6]), split(names), split(names, [str(v) for v in row]), split(names, row[:-1] + [True]),
        split(names + ["pool"], row + ["x"]), split(names + ["status"], row + ["sold"]), split(names[1:], row[1:]), split(names, ["x"] + row[1:]),
        split(names, row + [1]), split(names + names[:1], row + [5.0]), split(names, row, x=1), {"dataframe_split": {"data": [row]}},
        {"dataframe_split": [1]}, {"dataframe_split": {"columns": names}}, {"dataframe_records": [record, record]}, {"dataframe_records": []},
        {"dataframe_records": record}, {"dataframe_records": [short]}, {"instances": [record]}, {"instances": [row]}, {"instances": row}, {"instances": []},
        {"instances": [short, record]}, {"inputs": {k: [v, v] for k, v in record.items()}}, {"inputs": record}, {"inputs": [row]}, {"inputs": [record]},
        {"inputs": {**{k: [v, v] for k, v in record.items()}, names[0]: [1.0]}}, {"inputs": {}}, {"params": {}}, {}, [1], [], "x", None, 5,
        {**split(names, row), "inputs": [row]}, {**split(names, row), "params": {"a": 1}}, {**split(names, row), "params": [1]}, {**split(names, row), "other": 1},
    ]:
        yield json.dumps(body), JSON
    yield json.dumps(split(names, row)), JSON + "; charset=UTF-8"
    for text in ["{", "", '{"a":1}x', '{"dataframe_split": tru}', "\ufeff{}"]:
        yield text, JSON
    for text in [f"{head}\n{line}\n", f"{head}\n{line}", f"{head}\n", "", f"{','.join(names[1:])}\n{line.split(',', 1)[1]}\n", f"{head}\nx,{line.split(',', 1)[1]}\n", f'{head}\n"{line}\n',
                 f"{head}\r\n{line}\r\n\r\n", f"{head},pool\n{line},3\n"]:
        yield text, "text/csv"
    for kind in ["application/json; charset=latin1", "application/json; format=x", "application/xml", "text/plain", "text/csv; charset=utf-16"]:
        yield "{}", kind


class Model:
    """A model without the warnings of its predictions."""

    def __init__(self, model):
        self.metadata, self.model = model.metadata, model

    def predict(self, data, params=None):
        return self.model.predict(data)


def mlflows(model, body, kind):
    """What MLflow's own scoring code answers: status, media type, error code or predictions."""
    try:
        answer = scoring_server.invocations(body.encode(), kind, Model(model), model.metadata.get_input_schema())
    except MlflowException as e:
        return [e.get_http_status_code(), JSON, e.error_code]
    return [answer.status, answer.mimetype, json.loads(answer.response) if answer.status == 200 else ""]


def ours(body, kind):
    answer = post("/invocations", body.encode(), kind)
    media = answer.headers["Content-Type"].split(";")[0]
    if answer.status_code == 200:
        return [200, media, answer.json()]
    if media == JSON:
        assert answer.json()["message"], answer.text
        return [answer.status_code, media, answer.json()["error_code"]]
    return [answer.status_code, media, ""]


def main():
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")
    as_of = pd.Timestamp(sys.argv[3])
    listings = json.load(sys.stdin)
    raw = pd.DataFrame(listings)
    model = mlflow.pyfunc.load_model(sys.argv[2])
    raw["prev_sold_date"] = raw["prev_sold_date"].where(raw["prev_sold_date"].notna(), None)
    frame = predict.encode(raw, model.metadata.get_input_schema().input_names(), as_of)
    expected = [float(v) for v in model.predict(frame)["prediction"]]
    differences = [{"body": body[:200], "type": kind, "mlflow": theirs, "ours": own} for body, kind in bodies(frame)
                   if (theirs := mlflows(model, body, kind)) != (own := ours(body, kind))]
    print(json.dumps({"expected": expected, "answers": dict(ways(raw, listings, frame, as_of)), "differences": differences}))


if __name__ == "__main__":
    main()
