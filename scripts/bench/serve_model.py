"""Writes a model version of tasador as the Ridge of scikit-learn that it stands for: serve_model.py tasador.json MODEL.joblib"""
import json
import sys

import joblib
import numpy as np
from sklearn.linear_model import Ridge

with open(sys.argv[1]) as file:
    saved = json.load(file)
model = Ridge()
model.feature_names_in_ = np.array(saved["schema"]["features"], dtype=object)
model.n_features_in_ = len(saved["schema"]["features"])
model.coef_ = np.array(saved["coefficients"], dtype=float)
model.intercept_ = float(saved["intercept"])
joblib.dump(model, sys.argv[2])
