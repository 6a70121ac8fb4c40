#!/usr/bin/env python3
"""Solves the regressions that stand on the standard input (JSON: a list of {x, y, alpha}) with scikit-learn's two direct ridge solvers.

Prints for each the condition of the centred features, scaled to length 1, and the coefficients of both.
"""
import json
import sys
import warnings

import numpy as np
from sklearn.linear_model import Ridge

warnings.simplefilter("ignore")  # that a matrix is ill-conditioned is the point


def solve(problem):
    x, y = np.array(problem["x"]), np.array(problem["y"])
    centred = x - x.mean(axis=0)
    out = {"condition": float(np.linalg.cond(centred / np.linalg.norm(centred, axis=0)))}
    for solver in ["svd", "cholesky"]:
        out[solver] = Ridge(alpha=problem["alpha"], solver=solver).fit(x, y).coef_.tolist()
    return out


json.dump([solve(p) for p in json.load(sys.stdin)], sys.stdout)
