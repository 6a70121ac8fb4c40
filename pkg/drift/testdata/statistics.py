"""Reads cases from stdin and prints what scipy and numpy find: the expected values of the tests of pkg/drift.

A case holds the values that a model was trained on and those of a window."""

import json
import sys

import numpy as np
from scipy import stats


def psi(reference, window):
    edges = np.unique(np.percentile(reference, np.arange(10, 100, 10), method="inverted_cdf"))
    bins = np.concatenate([[-np.inf], edges, [np.inf]])

    def shares(values):
        # np.histogram's bins hold their lower edge; ours the upper one, so both are mirrored.
        counts = np.histogram(-values, bins=-bins[::-1])[0][::-1]
        return np.maximum(counts / len(values), 1e-4)

    e, a = shares(reference), shares(window)
    return float(np.sum((a - e) * np.log(a / e)))


def answer(case):
    reference, window = np.array(case["reference"]), np.array(case["window"])
    d = float(stats.ks_2samp(reference, window, method="asymp").statistic)
    n, m = len(reference), len(window)
    distance = float(stats.wasserstein_distance(reference, window))
    return {
        "psi": psi(reference, window),
        "ks": d,
        "ksp": float(stats.kstwobign.sf(np.sqrt(n * m / (n + m)) * d)),
        "distance": distance,
        "std": float(np.std(reference)),
        "errors": [float(np.mean(np.abs(window))), float(np.sqrt(np.mean(window**2))), float(np.mean(window))],
    }


json.dump([answer(c) for c in json.load(sys.stdin)], sys.stdout)
