"""The price model behind FastAPI as it is usually written: a pydantic body, one row of pandas, a model of joblib that is loaded once."""
import os
from datetime import datetime
from functools import lru_cache

import joblib
import pandas as pd
from fastapi import FastAPI
from fastapi_listing import Listing

app = FastAPI()


@lru_cache
def load_model():
    return joblib.load(os.environ["MODEL"])


@app.post("/predict")
def predict(listing: Listing):
    model = load_model()
    row = pd.DataFrame([listing.model_dump()])
    as_of = listing.as_of or datetime.now()
    days = (as_of - pd.to_datetime(row["prev_sold_date"], errors="coerce")).dt.days
    row["days_since_last_sale"] = days.fillna(-1)
    row = pd.get_dummies(row, columns=["status"], dtype=float)
    features = row.reindex(columns=model.feature_names_in_, fill_value=0)
    return {"prediction": float(model.predict(features)[0])}
