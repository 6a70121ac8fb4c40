"""Prices the listings of a CSV with a model folder, as a Python user would: predict.py MODEL RAW.csv AS_OF

MODEL is anything that mlflow.pyfunc.load_model takes. The features are made with pandas, by the words of the documentation and
not by the code under test: one listing at a time, so nothing is filled forward. Prints JSON lists of prices: "ordered" for the
columns in the model's order, "shuffled" for a frame with them backwards, "small" for whole numbers of 32 bits and "example" for
the input example that the model carries.
"""
import json
import logging
import sys
import warnings

import mlflow
import pandas as pd

sys.path.insert(0, "scripts")
import reference  # noqa: E402

NUMBERS = ["bed", "bath", "acre_lot", "house_size"]


def encode(raw, columns, as_of):
    frame = raw[NUMBERS].fillna(0.0).astype(float)
    sold = {v: reference.sold_at(v) for v in raw["prev_sold_date"].unique()}
    days = {v: (as_of - t).days if t is not None else -1 for v, t in sold.items()}
    frame["days_since_last_sale"] = raw["prev_sold_date"].map(days).astype(float)
    frame = frame.join(pd.get_dummies(raw["status"], prefix="status").astype(float))
    return frame.reindex(columns=columns, fill_value=0.0)


def main():
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    model = mlflow.pyfunc.load_model(sys.argv[1])
    columns = model.metadata.get_input_schema().input_names()
    frame = encode(reference.read(sys.argv[2]), columns, pd.Timestamp(sys.argv[3]))

    def prices(df):
        answer = model.predict(df)
        assert list(answer.columns) == ["prediction"], answer
        return [float(v) for v in answer["prediction"]]

    whole = frame.copy()
    whole[NUMBERS + ["days_since_last_sale"]] = frame[NUMBERS + ["days_since_last_sale"]].astype("int32")
    example = model.input_example if hasattr(model, "input_example") else model.metadata.load_input_example(sys.argv[1])
    print(json.dumps({
        "columns": columns,
        "types": sorted({str(t) for t in model.metadata.get_input_schema().input_types()}),
        "run_id": model.metadata.run_id,
        "model_id": model.metadata.model_id,
        "ordered": prices(frame),
        "shuffled": prices(frame[columns[::-1]]),
        "small": prices(whole.head(50)),
        "small_floats": prices(whole.head(50).astype(float)),
        "example": prices(example),
    }))


if __name__ == "__main__":
    main()
