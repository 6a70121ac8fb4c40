"""The ridge of the reference in 100-digit decimals: tells which side is right where two floating-point results differ."""
from decimal import Decimal, localcontext

import numpy as np

DIGITS = 100


def results(reference, csv, as_of, alphas):
    """val_rmse_alpha, best_alpha, test_rmse, coefficients and intercept as the reference defines them, free of rounding errors."""
    parts = reference.split(reference.read(csv))
    cleaned = {k: reference.clean(v, reference.pd.Timestamp(as_of)) for k, v in parts.items()}
    columns = sorted({c for d in cleaned.values() for c in d.columns if c != "price"})
    with localcontext() as context:
        context.prec = DIGITS
        x = {k: decimals(d.reindex(columns=columns, fill_value=0).astype(float).to_numpy()) for k, d in cleaned.items()}
        y = {k: decimals(d["price"].astype(float).to_numpy()) for k, d in cleaned.items()}
        val = {}
        train = Moments(x["train"], y["train"])
        for alpha in alphas:
            b, b0 = train.ridge(alpha)
            val[alpha] = rmse(x["validation"], y["validation"], b, b0)
        least, scale = min(val.values()), float(max(abs(y["train"]).max(), abs(y["validation"]).max()))
        best = next(a for a, v in val.items() if v - least <= 1e-12 * max(least, scale))
        both = Moments(np.vstack([x["train"], x["validation"]]), np.concatenate([y["train"], y["validation"]]))
        b, b0 = both.ridge(best)
        return {
            "val_rmse_alpha": val,
            "best_alpha": best,
            "best_val_rmse": val[best],
            "test_rmse": rmse(x["test"], y["test"], b, b0),
            "coefficients": {c: float(v) for c, v in zip(columns, b)},
            "intercept": float(b0),
        }


def decimals(values):
    return np.vectorize(Decimal, otypes=[object])(values)


class Moments:
    """The centred normal equations of [X y]."""

    def __init__(self, x, y):
        n = Decimal(len(y))
        self.x_mean, self.y_mean = x.sum(axis=0) / n, y.sum() / n
        centred = x - self.x_mean
        self.xx, self.xy = centred.T.dot(centred), centred.T.dot(y - self.y_mean)

    def ridge(self, alpha):
        p = len(self.xy)
        a = np.empty((p, p + 1), dtype=object)
        a[:, :p], a[:, p] = self.xx, self.xy
        for i in range(p):
            a[i, i] += Decimal(alpha)
        for i in range(p):  # positive definite: no pivoting needed
            a[i] = a[i] / a[i, i]
            for k in range(p):
                if k != i and a[k, i] != 0:
                    a[k] = a[k] - a[i] * a[k, i]
        b = a[:, p]
        return b, self.y_mean - b.dot(self.x_mean)


def rmse(x, y, b, b0):
    residual = y - (x.dot(b) + b0)
    return float((residual.dot(residual) / Decimal(len(y))).sqrt())
