"""The tuned service taken as far as scikit-learn goes: no thread for each request, and no checks of the array."""
import sklearn
from fastapi import FastAPI
from fastapi_listing import Listing
from fastapi_tuned import encode, model

app = FastAPI()
sklearn.set_config(assume_finite=True, skip_parameter_validation=True)


@app.post("/predict")
async def predict(listing: Listing):
    return {"prediction": float(model.predict(encode(listing))[0])}
