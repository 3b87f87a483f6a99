"""What all kinds of cases share: laws, costs, divergences, checks."""

import sys

import numpy as np
from scipy.special import rel_entr

FIXED = {"kind": "fixed"}
FREE = {"kind": "free"}


def kl(rho):
    return {"kind": "kl", "rho": rho}


def tv(rho):
    return {"kind": "tv", "rho": rho}


def interval(low, high):
    return {"kind": "range", "low": low, "high": high}


def log(x):
    """The logarithm, with log 0 = -inf and no warning: zero weights are legal."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def random_weights(rng, n, mass=1.0, zero=None):
    w = rng.uniform(0.2, 1.0, n)
    if zero is not None:
        w[zero] = 0.0
    return mass * w / w.sum()


def cost_matrix(x, y, cost):
    squared = ((x[:, None, :] - y[None, :, :]) ** 2).sum(-1)
    return squared if cost == "squared_euclidean" else np.sqrt(squared)


def generalised_kl(p, q):
    return rel_entr(p, q).sum() - p.sum() + q.sum()


def agree(what, left, right, tolerance):
    error = np.max(np.abs(np.asarray(left) - np.asarray(right)))
    if not error <= tolerance:
        sys.exit(f"{what}: the two ways differ by {error:.3e}, allowed {tolerance:.0e}")


def plain(value):
    """JSON's view of numpy values."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
