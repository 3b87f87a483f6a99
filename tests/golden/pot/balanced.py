"""Balanced transport between two measures: entropic, divergences, exact."""

import numpy as np
import ot
import scipy
from scipy.special import logsumexp, rel_entr

from .common import agree, cost_matrix, random_weights


def balanced(a, b, c, eps):
    """POT's plan, and potentials in the product convention: plan = a b exp((f + g - C) / eps)."""
    plan, info = ot.sinkhorn(
        a, b, c, eps, method="sinkhorn_log", numItermax=400_000, stopThr=1e-14, log=True
    )
    marginal_error = np.abs(plan.sum(1) - a).sum() + np.abs(plan.sum(0) - b).sum()
    agree("sinkhorn marginals", marginal_error, 0.0, 5e-13)
    used = b > 0
    g = eps * (info["log_v"][used] - np.log(b[used]))
    # The softmin extends the potentials to points without weight, where POT has -inf.
    f = -eps * logsumexp((g - c[:, used]) / eps, b=b[used], axis=1)
    g = -eps * logsumexp((f[:, None] - c) / eps, b=a[:, None], axis=0)
    shift = (f @ a - g @ b) / 2
    f, g = f - shift, g + shift
    agree("plan from potentials", np.outer(a, b) * np.exp((f[:, None] + g - c) / eps), plan, 1e-13)
    return plan, f, g, info["niter"]


def balanced_terms(plan, a, b, c, eps):
    linear = (plan * c).sum()
    divergence = rel_entr(plan, np.outer(a, b)).sum()
    return {
        "linear": linear,
        "negative_entropy": -scipy.special.entr(plan).sum(),
        "kl": divergence,
        "value": linear + eps * divergence,
    }


def sinkhorn_cases(rng):
    settings = [
        ("square_2d", "squared_euclidean", 20, 25, 2, 0.0, (0.5, 0.05, 0.01)),
        ("square_3d", "squared_euclidean", 40, 30, 3, 0.0, (0.2, 0.03)),
        ("square_3d_far_from_origin", "squared_euclidean", 24, 31, 3, 50.0, (0.1,)),
        ("distance_2d", "euclidean", 30, 22, 2, 0.0, (0.2, 0.03)),
        ("distance_3d", "euclidean", 21, 37, 3, 0.0, (0.05,)),
    ]
    for name, cost, n, m, dimension, offset, epsilons in settings:
        x = offset + rng.uniform(size=(n, dimension))
        y = offset + rng.uniform(size=(m, dimension)) * 0.8 + 0.3
        a, b = random_weights(rng, n, zero=3), random_weights(rng, m, zero=m - 2)
        c = cost_matrix(x, y, cost)
        for eps in epsilons:
            plan, f, g, iterations = balanced(a, b, c, eps)
            terms = balanced_terms(plan, a, b, c, eps)
            # Strong duality is the independent check: the two values come from different sums.
            agree(name, terms["value"], f @ a + g @ b, 1e-12)
            yield {
                "name": f"{name}_eps_{eps}",
                "source": "ot.sinkhorn(method='sinkhorn_log')",
                "cost": cost,
                "x": x,
                "y": y,
                "a": a,
                "b": b,
                "epsilon": eps,
                "expected": terms
                | {"plan_row_0": plan[0], "f": f, "g": g, "pot_iterations": iterations},
            }


def divergence_cases(rng):
    for n, m, dimension, eps in [(15, 20, 2, 0.1), (20, 20, 3, 0.5), (12, 18, 1, 0.02)]:
        x, y = rng.uniform(size=(n, dimension)), rng.uniform(size=(m, dimension)) + 0.25
        a, b = random_weights(rng, n), random_weights(rng, m)
        pairs = {"ab": (a, b, x, y), "aa": (a, a, x, x), "bb": (b, b, y, y)}
        terms = {}
        for key, (p, q, u, v) in pairs.items():
            c = cost_matrix(u, v, "squared_euclidean")
            terms[key] = balanced_terms(balanced(p, q, c, eps)[0], p, q, c, eps)

        def debiased(term, terms=terms):
            return terms["ab"][term] - (terms["aa"][term] + terms["bb"][term]) / 2

        pot = ot.bregman.empirical_sinkhorn_divergence(
            x, y, eps, a, b, numIterMax=100_000, stopThr=1e-13
        )
        # POT debiases the linear terms alone: the divergence proper also holds the entropies.
        agree("POT's divergence is linear only", pot, debiased("linear"), 1e-9)
        yield {
            "name": f"{n}_by_{m}_in_{dimension}d",
            "source": "differences of ot.sinkhorn(method='sinkhorn_log')",
            "cost": "squared_euclidean",
            "x": x,
            "y": y,
            "a": a,
            "b": b,
            "epsilon": eps,
            "expected": {
                "divergence": debiased("value"),
                "linear_divergence": debiased("linear"),
                "value_ab": terms["ab"]["value"],
                "value_aa": terms["aa"]["value"],
                "value_bb": terms["bb"]["value"],
            },
        }


def exact_cases(rng):
    for n, m, dimension, cost in [
        (5, 7, 2, "squared_euclidean"),
        (20, 20, 2, "euclidean"),
        (30, 41, 3, "squared_euclidean"),
        (25, 18, 1, "squared_euclidean"),
        (33, 33, 1, "euclidean"),
    ]:
        x, y = rng.normal(size=(n, dimension)), rng.normal(size=(m, dimension)) * 1.5 + 0.5
        a, b = random_weights(rng, n), random_weights(rng, m)
        value, info = ot.emd2(a, b, cost_matrix(x, y, cost), numItermax=10**6, log=True)
        agree("simplex duals", info["u"] @ a + info["v"] @ b, value, 1e-12)
        if dimension == 1:
            metric = {"squared_euclidean": "sqeuclidean", "euclidean": "euclidean"}[cost]
            sorted_value = ot.emd2_1d(x[:, 0], y[:, 0], a, b, metric=metric)
            agree("emd2 and emd2_1d", value, sorted_value, 1e-12)
        yield {
            "name": f"{cost}_{n}_by_{m}_in_{dimension}d",
            "source": "ot.emd2",
            "cost": cost,
            "x": x,
            "y": y,
            "a": a,
            "b": b,
            "expected": {"value": value},
        }
