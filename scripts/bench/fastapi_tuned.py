"""The same service with numpy in place of pandas: the features are written into one array, and the model is loaded at the start."""
import os
from datetime import datetime

import joblib
import numpy as np
from fastapi import FastAPI
from fastapi_listing import Listing

app = FastAPI()
model = joblib.load(os.environ["MODEL"])
places = {name: i for i, name in enumerate(model.feature_names_in_)}
del model.feature_names_in_  # else scikit-learn warns of each array without names


def encode(listing):
    x = np.zeros((1, len(places)))
    for name in ("bed", "bath", "acre_lot", "house_size"):
        x[0, places[name]] = getattr(listing, name)
    days = -1
    if listing.prev_sold_date:
        days = ((listing.as_of or datetime.now()) - datetime.fromisoformat(listing.prev_sold_date)).days
    x[0, places["days_since_last_sale"]] = days
    status = places.get("status_" + listing.status)
    if status is not None:
        x[0, status] = 1
    return x


@app.post("/predict")
def predict(listing: Listing):
    return {"prediction": float(model.predict(encode(listing))[0])}
