"""Writes pot.json: small seeded problems with answers from POT, closed forms and brute force.

Run it with POT 0.9.7.post1: `python tests/golden/make_pot.py`. Every answer is checked against
a second way of computing it before it is written; README.md says which, and the conventions.
"""

import json
import platform
import sys
import warnings
from pathlib import Path

import numpy as np
import ot
import scipy
from scipy.linalg import sqrtm
from scipy.optimize import brentq, minimize
from scipy.special import logsumexp, rel_entr

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


# ---- balanced entropic transport -----------------------------------------------------------


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


# ---- unbalanced transport -------------------------------------------------------------------


def law_dual(law, weights, f):
    """The law's share of the dual, and its first and second derivatives in f."""
    match law["kind"]:
        case "kl":
            tilted = weights * np.exp(-f / law["rho"])
            return (law["rho"] * (weights - tilted)).sum(), tilted, -tilted / law["rho"]
        case "range":
            slope = weights * np.where(f > 0, law["low"], law["high"])
            return (slope * f).sum(), slope, np.zeros_like(f)
    return (weights * f).sum(), weights, np.zeros_like(f)


def law_penalty(law, marginal, weights):
    match law["kind"]:
        case "kl":
            return law["rho"] * generalised_kl(marginal, weights)
        case "tv":
            return law["rho"] * np.abs(marginal - weights).sum()
        case "range":
            low, high = law["low"] * weights, law["high"] * weights
            outside = np.maximum(low - marginal, 0) + np.maximum(marginal - high, 0)
            agree("range law", outside, 0.0, 1e-13)
        case "fixed":
            agree("fixed law", marginal, weights, 1e-13)
    return 0.0


def frozen(law, f):
    """Which potentials sit on a kink or a bound, and the value they are held at."""
    match law["kind"]:
        case "tv":
            return np.abs(f) > law["rho"] - 1e-5, np.clip(f, -law["rho"], law["rho"])
        case "range":
            return np.abs(f) < 1e-5, np.zeros_like(f)
    return np.zeros(f.shape, bool), f


def solve_dual(laws, a, b, c, eps):
    """Maximises the dual by L-BFGS-B on a smooth box problem, then Newton on the free potentials.

    It shares nothing with Sinkhorn's iteration. Weights must be positive.
    """
    n = a.size
    weights = (a, b)

    def value_and_parts(z):
        f, g = z[:n], z[n:]
        plan = np.outer(a, b) * np.exp((f[:, None] + g - c) / eps)
        parts = [law_dual(law, w, u) for law, w, u in zip(laws, weights, (f, g), strict=True)]
        value = parts[0][0] + parts[1][0] - eps * (plan.sum() - a.sum() * b.sum())
        slope = np.concatenate([parts[0][1] - plan.sum(1), parts[1][1] - plan.sum(0)])
        bend = np.concatenate([parts[0][2], parts[1][2]])
        return value, slope, bend, plan

    # A range law has a kink at zero: potential = up - down, both >= 0, makes it smooth.
    kinked = np.concatenate(
        [np.full(w.size, law["kind"] == "range") for law, w in zip(laws, weights, strict=True)]
    )
    bound = np.concatenate(
        [np.full(w.size, law.get("rho", 0.0)) for law, w in zip(laws, weights, strict=True)]
    )
    boxed = np.concatenate(
        [np.full(w.size, law["kind"] == "tv") for law, w in zip(laws, weights, strict=True)]
    )
    high = np.concatenate([law.get("high", 0.0) * w for law, w in zip(laws, weights, strict=True)])
    low = np.concatenate([law.get("low", 0.0) * w for law, w in zip(laws, weights, strict=True)])
    size = n + b.size

    def smooth(t):
        up, down = t[:size], t[size:]
        value, slope, _, plan = value_and_parts(up - down)
        marginals = np.concatenate([plan.sum(1), plan.sum(0)])
        value += np.where(kinked, low * up - high * down, 0.0).sum()
        value -= np.where(kinked, np.where(up > down, low, high) * (up - down), 0.0).sum()
        rise = np.where(kinked, low - marginals, slope)
        fall = np.where(kinked, marginals - high, 0.0)
        return -value, -np.concatenate([rise, fall])

    bounds = [
        (0.0, None) if k else (-r, r) if t else (None, None)
        for k, t, r in zip(kinked, boxed, bound, strict=True)
    ] + [(0.0, None if k else 0.0) for k in kinked]
    options = {"maxiter": 20_000, "maxfun": 100_000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    start = minimize(
        smooth, np.zeros(2 * size), jac=True, bounds=bounds, method="L-BFGS-B", options=options
    ).x
    z = start[:size] - start[size:]
    held = [frozen(law, u) for law, u in zip(laws, (z[:n], z[n:]), strict=True)]
    free = ~np.concatenate([h[0] for h in held])
    z = np.where(free, z, np.concatenate([h[1] for h in held]))
    for _ in range(30):
        _, slope, bend, plan = value_and_parts(z)
        hessian = np.block(
            [[np.diag(plan.sum(1)), plan], [plan.T, np.diag(plan.sum(0))]]
        ) / eps - np.diag(bend)
        # Least squares: where nothing is held, adding to f and subtracting from g is free.
        step = np.linalg.lstsq(hessian[np.ix_(free, free)], slope[free], rcond=1e-13)[0]
        z[free] += step
    value, _, _, plan = value_and_parts(z)
    return plan, value


def unbalanced_terms(laws, plan, a, b, c, eps):
    linear = (plan * c).sum()
    divergence = generalised_kl(plan, np.outer(a, b))
    marginal_a = law_penalty(laws[0], plan.sum(1), a)
    marginal_b = law_penalty(laws[1], plan.sum(0), b)
    return {
        "mass": plan.sum(),
        "linear": linear,
        "kl": divergence,
        "marginal_a": marginal_a,
        "marginal_b": marginal_b,
        "value": linear + eps * divergence + marginal_a + marginal_b,
    }


def unbalanced_case(name, source, laws, x, y, a, b, eps, plan, dual):
    c = cost_matrix(x, y, "squared_euclidean")
    terms = unbalanced_terms(laws, plan, a, b, c, eps)
    agree(f"{name}: duality gap", terms["value"], dual, 1e-11)
    return {
        "name": name,
        "source": source,
        "cost": "squared_euclidean",
        "laws": laws,
        "x": x,
        "y": y,
        "a": a,
        "b": b,
        "epsilon": eps,
        "expected": terms | {"plan": plan, "dual": dual},
    }


def minimise_primal(laws, a, b, c, eps):
    """The objective as the docs state it, minimised over log P by a general-purpose method."""

    def objective(log_plan):
        plan = np.exp(log_plan).reshape(c.shape)
        slope = c + eps * np.log(plan / np.outer(a, b))
        slope += laws[0]["rho"] * np.log(plan.sum(1) / a)[:, None]
        slope += laws[1]["rho"] * np.log(plan.sum(0) / b)
        value = unbalanced_terms(laws, plan, a, b, c, eps)["value"]
        return value, (slope * plan).ravel()

    start = np.log(np.outer(a, b)).ravel()
    options = {"maxiter": 20_000, "ftol": 1e-16, "gtol": 1e-12}
    return minimize(objective, start, jac=True, method="L-BFGS-B", options=options).fun


def kl_cases(rng):
    for n, m, rhos, zero in [
        (4, 5, (1.0, 1.0), None),
        (8, 10, (0.1, 0.1), None),
        (8, 10, (10.0, 10.0), None),
        (9, 7, (0.3, 3.0), None),
        (7, 9, (0.5, np.inf), None),
        (8, 8, (1.0, 1.0), 2),
    ]:
        x, y = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2)) + 0.2
        a, b = random_weights(rng, n, 1.3, zero), random_weights(rng, m, 0.7, zero)
        c, eps = cost_matrix(x, y, "squared_euclidean"), 0.05
        laws = [FIXED if np.isinf(rho) else kl(rho) for rho in rhos]
        # POT divides 0 by 0 on points without weight, which can hold no mass: it gets the rest.
        kept = np.ix_(a > 0, b > 0)
        problem = a[a > 0], b[b > 0], c[kept], eps
        limits = {"numItermax": 200_000, "stopThr": 1e-15}
        solved = ot.unbalanced.sinkhorn_unbalanced(*problem, rhos, **limits)
        stabilised = ot.unbalanced.sinkhorn_unbalanced(
            *problem, rhos, method="sinkhorn_stabilized", **limits
        )
        by_dual, dual = solve_dual(laws, *problem)
        agree("POT and the dual", solved, by_dual, 1e-13)
        agree("both of POT's methods", solved, stabilised, 1e-11)
        if np.isfinite(rhos).all():
            agree("POT and the primal", minimise_primal(laws, *problem), dual, 1e-8)
        plan = np.zeros(c.shape)
        plan[kept] = solved
        tag = "_".join("inf" if np.isinf(rho) else str(rho) for rho in rhos)
        name = f"kl_{tag}_{n}_by_{m}" + ("" if zero is None else "_zero")
        source = "ot.unbalanced.sinkhorn_unbalanced(reg_type='kl')"
        yield unbalanced_case(name, source, laws, x, y, a, b, eps, plan, dual)


def total_variation_and_range_cases(rng):
    for laws in [
        (tv(0.1), tv(0.1)),
        (tv(0.4), tv(0.2)),
        (tv(2.0), tv(2.0)),
        (tv(0.3), FIXED),
        (interval(0.6, 1.1), interval(0.9, 1.5)),
        (interval(0.0, 1.0), interval(0.5, 2.0)),
        (FIXED, interval(0.5, 2.5)),
        (tv(0.25), interval(0.8, 1.2)),
        (tv(0.25), kl(0.5)),
    ]:
        for n, m, eps in [(5, 6, 0.1), (6, 5, 0.02)]:
            x, y = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2)) + 0.3
            a, b = random_weights(rng, n, 1.0), random_weights(rng, m, 0.8)
            c = cost_matrix(x, y, "squared_euclidean")
            plan, dual = solve_dual(laws, a, b, c, eps)
            tag = "_".join("_".join(str(v) for v in law.values()) for law in laws)
            source = "dual by L-BFGS-B and Newton"
            yield unbalanced_case(f"{tag}_eps_{eps}", source, laws, x, y, a, b, eps, plan, dual)


# ---- barycenters ----------------------------------------------------------------------------


def bregman(apply, inputs, weights, debiased=False, iterations=20_000):
    """Iterative Bregman projections with a symmetric kernel; `apply` maps each u to K u.

    Returns the barycenter and the scalings on the side of the inputs and of the barycenter.
    """
    weights = weights.reshape((-1,) + (1,) * (inputs.ndim - 1))
    v = np.ones_like(inputs)
    correction = np.ones(inputs.shape[1:])
    for _ in range(iterations):
        u = inputs / apply(v)
        blurred = apply(u)
        bar = correction * np.exp((weights * np.log(blurred)).sum(0))
        # The marginals on the inputs hold by construction; the others are the error.
        if np.abs(v * blurred - bar).sum() < 3e-16 * bar.size:
            break
        v = bar / blurred
        if debiased:
            for _ in range(10):
                correction = np.sqrt(correction * bar / apply(correction))
    return bar, u, v


def matrix_kernel(c, eps):
    kernel = np.exp(-c / eps)
    return lambda u: u @ kernel


def grid_kernel(shape, eps):
    first, second = (
        np.exp(-(np.subtract.outer(t, t) ** 2) / eps) for t in (np.linspace(0, 1, k) for k in shape)
    )
    return lambda u: first @ u @ second


def barycenter_cases(rng):
    line = np.linspace(0, 1, 30)[:, None]
    settings = [(0.2, 0.02), (0.6, 0.04), (0.8, 0.01)]
    bumps = [0.01 + np.exp(-((line[:, 0] - m) ** 2) / s) for m, s in settings]
    block = ((line[:, 0] > 0.7) & (line[:, 0] < 0.9)).astype(float)
    cloud = rng.uniform(size=(25, 2))
    scattered = rng.uniform(0.05, 1.0, (3, 25))
    scattered[0, 4] = 0.0
    for name, points, inputs, weights, eps in [
        ("line_even", line, bumps[:2], [0.5, 0.5], 0.002),
        ("line_uneven", line, bumps, [0.2, 0.3, 0.5], 0.002),
        ("line_block_uneven", line, [bumps[0], block], [0.3, 0.7], 0.01),
        ("cloud_uneven", cloud, scattered, [0.6, 0.1, 0.3], 0.02),
    ]:
        inputs = np.array([h / h.sum() for h in inputs])
        weights = np.array(weights)
        c = cost_matrix(points, points, "squared_euclidean")
        apply = matrix_kernel(c, eps)
        problem = inputs.T, c, eps, weights
        limits = {"method": "sinkhorn_log", "numItermax": 20_000, "stopThr": 1e-14, "warn": False}
        bar, u, v = bregman(apply, inputs, weights)
        pot = ot.bregman.barycenter(*problem, **limits)
        agree(f"{name}: POT and Bregman projections", pot, bar, 1e-11)
        plans = u[:, :, None] * np.exp(-c / eps) * v[:, None, :]
        expected = {
            "barycenter": pot,
            "linear": (plans * c).sum((1, 2)),
            "negative_entropy": -scipy.special.entr(plans).sum((1, 2)),
        }
        if "block" not in name:
            bar, _, _ = bregman(apply, inputs, weights, debiased=True)
            pot = ot.bregman.barycenter_debiased(*problem, **limits)
            agree(f"{name}: debiased", pot, bar, 1e-10)
            expected["debiased"] = pot
        yield {
            "name": name,
            "source": "ot.bregman.barycenter, barycenter_debiased (method='sinkhorn_log')",
            "cost": "squared_euclidean",
            "points": points,
            "inputs": inputs,
            "weights": weights,
            "epsilon": eps,
            "expected": expected,
        }


def pictures(shape):
    rows, columns = np.meshgrid(*(np.linspace(0, 1, k) for k in shape), indexing="ij")
    radius = np.hypot(rows - 0.35, columns - 0.4)

    def bump(row, column, tall, wide):
        return np.exp(-((rows - row) ** 2) / tall - (columns - column) ** 2 / wide)

    drawn = {
        "ring": ((radius < 0.3) & (radius > 0.15)).astype(float),
        "square": ((np.abs(rows - 0.6) < 0.2) & (np.abs(columns - 0.6) < 0.25)).astype(float),
        "bump": bump(0.3, 0.35, 0.02, 0.03),
        "oval": bump(0.65, 0.6, 0.04, 0.02),
    }
    return {name: picture / picture.sum() for name, picture in drawn.items()}


def grid_barycenter_cases():
    even, uneven = [0.5, 0.5], [0.5, 0.2, 0.3]
    # Debiasing deconvolves: unless epsilon is below the squared pixel, or the images are much
    # smoother than the blur, it creeps for ever, and what comes out is a matter of patience.
    for name, shape, chosen, weights, eps, debias in [
        ("ring_square_even", (24, 24), ("ring", "square"), even, 0.004, False),
        ("three_uneven", (24, 24), ("ring", "square", "bump"), uneven, 0.004, False),
        ("three_uneven_small_epsilon", (24, 24), ("ring", "square", "bump"), uneven, 0.001, True),
        ("smooth_uneven", (24, 24), ("bump", "oval"), [0.4, 0.6], 0.004, True),
        ("oblong_uneven", (16, 24), ("ring", "oval"), [0.3, 0.7], 0.005, False),
    ]:
        drawn = pictures(shape)
        images = np.array([drawn[key] for key in chosen])
        weights = np.array(weights)
        functions = {"barycenter": ot.bregman.convolutional_barycenter2d}
        if debias:
            functions["debiased"] = ot.bregman.convolutional_barycenter2d_debiased
        expected = {}
        for kind, function in functions.items():
            apply = grid_kernel(shape, eps)
            bar, _, _ = bregman(apply, images, weights, debiased=kind == "debiased")
            # stabThr is a floor that POT adds to what it takes the log of.
            limits = {"stopThr": 1e-14, "stabThr": 1e-300, "warn": False}
            pot = function(images, eps, weights, numItermax=20_000, **limits)
            by_log = function(
                images, eps, weights, method="sinkhorn_log", numItermax=3000, **limits
            )
            agree(f"{name}: POT and Bregman projections", pot, bar, 1e-10)
            agree(f"{name}: both of POT's methods", pot, by_log, 1e-10)
            expected[kind] = pot
        yield {
            "name": name,
            "source": "ot.bregman.convolutional_barycenter2d, .._debiased (method='sinkhorn')",
            "spacing": [1 / (k - 1) for k in shape],
            "images": images,
            "weights": weights,
            "epsilon": eps,
            "expected": expected,
        }


# ---- Gaussians ------------------------------------------------------------------------------


def gaussian_transport(mean_a, cov_a, mean_b, cov_b, eps):
    """Entropic transport of Gaussians (Janati, Muzellec, Peyre, Cuturi 2020), terms apart."""
    mean_a, mean_b = np.asarray(mean_a), np.asarray(mean_b)
    cov_a, cov_b = np.asarray(cov_a), np.asarray(cov_b)
    identity = np.eye(len(mean_a))
    root = np.real(sqrtm(cov_a))
    inner = np.real(sqrtm(root @ cov_b @ root + (eps / 4) ** 2 * identity))
    cross = root @ inner @ np.linalg.inv(root) - eps / 4 * identity
    joint = np.block([[cov_a, cross], [cross.T, cov_b]])
    # Optimal means: right marginals, and a density exp(f + g - |x - y|^2 / eps); the latter
    # says that the off-diagonal block of the precision is -2 / eps times the identity.
    precision = np.linalg.inv(joint)
    agree("Gaussian plan", precision[: len(mean_a), len(mean_a) :], -2 / eps * identity, 1e-9)
    linear = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * cross)
    determinants = [np.linalg.slogdet(s)[1] for s in (cov_a, cov_b, joint)]
    divergence = (determinants[0] + determinants[1] - determinants[2]) / 2
    return {
        "linear": linear,
        "kl": divergence,
        "value": linear + eps * divergence,
        "cross_covariance": cross,
    }


def gaussian_barycenter_variance(variances, weights, eps, debiased=False):
    """Variance S of the entropic barycenter of N(m_k, s_k); its mean is the weighted mean.

    The plan between N(0, s) and N(0, S) has covariance c = sqrt(eps^2/16 + s S) - eps/4, and
    the potential on the side of S is -beta y^2 with beta = ((c + eps/2)/S - 1)/eps. The betas
    must average to zero; debiased, to the beta of the plan from N(0, S) to itself.
    """
    variances, weights = np.asarray(variances), np.asarray(weights)

    def excess(s):
        blurred = weights @ np.sqrt(eps**2 / 16 + variances * s)
        return blurred - (np.sqrt(eps**2 / 16 + s * s) if debiased else s - eps / 4)

    return brentq(excess, 1e-9, 4 * variances.max() + eps, xtol=1e-15, rtol=1e-15)


def density(points, mean, variance):
    weights = np.exp(-((points - mean) ** 2) / (2 * variance))
    return weights / weights.sum()


def gaussian_transport_cases():
    for mean_a, cov_a, mean_b, cov_b, eps in [
        ([0.0], [[1.0]], [0.0], [[1.0]], 0.5),
        ([0.3], [[0.5]], [1.0], [[2.0]], 1.0),
        ([-1.0], [[0.8]], [1.0], [[1.5]], 4.0),
        ([0.0, 0.0], [[1.0, 0.0], [0.0, 0.5]], [1.0, -0.5], [[0.7, 0.0], [0.0, 1.2]], 0.8),
        ([0.2, 0.1], [[1.0, 0.4], [0.4, 0.6]], [1.0, 0.5], [[0.8, -0.3], [-0.3, 1.1]], 0.6),
    ]:
        terms = gaussian_transport(mean_a, cov_a, mean_b, cov_b, eps)
        if len(mean_a) == 1:
            grid = np.linspace(-11, 11, 260)
            a = density(grid, mean_a[0], cov_a[0][0])
            b = density(grid, mean_b[0], cov_b[0][0])
            c = np.subtract.outer(grid, grid) ** 2
            sampled = balanced_terms(balanced(a, b, c, eps)[0], a, b, c, eps)
            for term in ("linear", "kl", "value"):
                agree(f"Gaussian {term} on a grid", terms[term], sampled[term], 1e-9)
        yield {
            "name": f"{len(mean_a)}d_eps_{eps}",
            "source": "closed form, Janati et al. 2020",
            "mean_a": mean_a,
            "covariance_a": cov_a,
            "mean_b": mean_b,
            "covariance_b": cov_b,
            "epsilon": eps,
            "expected": terms,
        }


def gaussian_barycenter_cases():
    grid = np.linspace(-9, 9, 220)
    c = np.subtract.outer(grid, grid) ** 2
    for means, variances, weights, eps in [
        ([-1.0, 1.0], [0.8, 0.8], [0.5, 0.5], 0.5),
        ([-1.0, 1.5], [0.5, 1.5], [0.5, 0.5], 0.5),
        ([-2.0, 0.0, 1.0], [0.4, 0.9, 1.6], [0.2, 0.3, 0.5], 1.0),
    ]:
        inputs = np.array([density(grid, m, s) for m, s in zip(means, variances, strict=True)])
        mean = np.dot(weights, means)
        expected = {"mean": mean}
        for key, debiased in (("variance", False), ("debiased_variance", True)):
            variance = gaussian_barycenter_variance(variances, weights, eps, debiased)
            bar, _, _ = bregman(matrix_kernel(c, eps), inputs, np.array(weights), debiased, 3000)
            agree("barycenter mean on a grid", bar @ grid, mean, 1e-8)
            agree("barycenter variance on a grid", bar @ (grid - mean) ** 2, variance, 1e-8)
            expected[key] = variance
        if len(set(variances)) == 1:
            agree("blur by eps / 2", expected["variance"], variances[0] + eps / 2, 1e-12)
            agree("no bias", expected["debiased_variance"], variances[0], 1e-12)
        yield {
            "name": f"variances_{'_'.join(map(str, variances))}_eps_{eps}",
            "source": "closed form, derived in gaussian_barycenter_variance",
            "means": means,
            "variances": variances,
            "weights": weights,
            "epsilon": eps,
            "expected": expected,
        }


# ---- trees ----------------------------------------------------------------------------------


def marginal(tensor, nodes):
    """The marginal on one node or two, axes in the order asked."""
    others = tuple(axis for axis in range(tensor.ndim) if axis not in nodes)
    reduced = tensor.sum(others)
    return reduced.T if list(nodes) != sorted(nodes) else reduced


def along(vector, axis, ndim):
    return vector.reshape([-1 if k == axis else 1 for k in range(ndim)])


def solve_tensor(nodes, edges, references, eps, sweeps=20_000):
    """Sinkhorn on the whole tensor: log P = sum_i g_i - C / eps + log reference."""
    sizes = [len(reference) for reference in references]
    ndim = len(sizes)
    cost = np.zeros(sizes)
    for edge in edges:
        shape = [1] * ndim
        shape[edge["parent"]], shape[edge["child"]] = edge["cost"].shape
        swapped = edge["parent"] > edge["child"]
        cost += (edge["cost"].T if swapped else edge["cost"]).reshape(shape)
    log_reference = sum(along(log(r), i, ndim) for i, r in enumerate(references))
    potentials = [np.zeros(k) for k in sizes]

    def tensor():
        return sum(along(g, i, ndim) for i, g in enumerate(potentials)) - cost / eps + log_reference

    for _ in range(sweeps):
        change = 0.0
        for i, node in enumerate(nodes):
            law = node["law"]
            if law["kind"] == "free":
                continue
            used = node["weights"] > 0
            axes = tuple(k for k in range(ndim) if k != i)
            incoming = logsumexp(tensor(), axis=axes)[used] - potentials[i][used]
            target = np.log(node["weights"][used]) - incoming
            if law["kind"] == "kl":
                target = law["rho"] / (law["rho"] + eps) * target
            elif law["kind"] == "tv":
                target = np.clip(target, -law["rho"] / eps, law["rho"] / eps)
            change = max(change, np.abs(target - potentials[i][used]).max())
            potentials[i][used] = target
            # The points without weight keep no mass whatever the reference.
            potentials[i][~used] = -np.inf
        if change < 1e-14:
            break
    return np.exp(tensor()), potentials


def tree_values(nodes, edges, references, eps, tensor, potentials):
    linear = sum((marginal(tensor, [e["parent"], e["child"]]) * e["cost"]).sum() for e in edges)
    reference = 1.0
    for i, r in enumerate(references):
        reference = reference * along(r, i, tensor.ndim)
    mass = tensor.sum()
    relative = rel_entr(tensor, reference).sum()
    dual = -eps * mass
    penalties = []
    for i, (node, g) in enumerate(zip(nodes, potentials, strict=True)):
        law, penalty = node["law"], 0.0
        if law["kind"] != "free":
            penalty = law_penalty(law, marginal(tensor, [i]), node["weights"])
            used = node["weights"] > 0
            dual += law_dual(law, node["weights"][used], eps * g[used])[0]
        penalties.append(penalty)
    primal = linear + eps * (relative - mass) + sum(penalties)
    agree("tree duality gap", primal, dual, 1e-11)
    return {
        "mass": mass,
        "linear": linear,
        "relative_entropy": relative,
        "marginal_terms": penalties,
        "primal": primal,
        "generalised_value": primal + eps * reference.sum(),
    }


def tree_cases(rng):
    chain, star = [(0, 1), (1, 2)], [(0, 1), (0, 2), (0, 3)]
    for name, tree, sizes, laws, masses, eps in [
        ("chain_fixed", chain, (4, 5, 3), (FIXED, FIXED, FIXED), (1, 1, 1), 0.1),
        ("chain_free_centre", chain, (4, 5, 3), (FIXED, FREE, FIXED), (1, 1, 1), 0.05),
        ("chain_kl", chain, (4, 5, 3), (kl(0.5), kl(1.0), kl(2.0)), (1, 1.5, 0.8), 0.1),
        ("chain_kl_free_centre", chain, (5, 4, 4), (kl(0.3), FREE, kl(1.0)), (1, 1, 0.6), 0.1),
        ("chain_tv_free_centre", chain, (4, 5, 3), (FIXED, FREE, tv(0.2)), (1, 1, 0.7), 0.1),
        ("star_free_centre", star, (5, 3, 4, 3), (FREE, FIXED, FIXED, FIXED), (1, 1, 1, 1), 0.05),
        ("star_kl", star, (4, 3, 5, 4), (FREE, kl(0.2), kl(1.0), kl(5.0)), (1, 1, 2, 0.7), 0.1),
        ("star_mixed", star, (4, 3, 5, 4), (kl(1.0), FIXED, FREE, kl(0.5)), (1, 1, 1, 1.2), 0.1),
    ]:
        nodes = []
        for size, law, mass in zip(sizes, laws, masses, strict=True):
            # One point without weight per tree is enough: in the first node that has weights.
            first = not any(node["weights"] is not None for node in nodes)
            weights = random_weights(rng, size, mass, zero=1 if first else None)
            nodes.append({"law": law, "weights": None if law is FREE else weights})
        points = [rng.uniform(size=(size, 2)) for size in sizes]
        edges = [
            {
                "parent": p,
                "child": q,
                "cost": cost_matrix(points[p], points[q], "squared_euclidean"),
            }
            for p, q in tree
        ]
        for reference in ("counting", "product"):
            references = [
                np.ones(size)
                if reference == "counting"
                else np.full(size, 1 / size)
                if node["weights"] is None
                else node["weights"]
                for size, node in zip(sizes, nodes, strict=True)
            ]
            tensor, potentials = solve_tensor(nodes, edges, references, eps)
            pairs = [(i, j) for i in range(len(sizes)) for j in range(i + 1, len(sizes))]
            yield {
                "name": f"{name}_{reference}",
                "source": "Sinkhorn on the dense tensor",
                "epsilon": eps,
                "reference": reference,
                "references": references,
                "nodes": nodes,
                "edges": edges,
                "expected": tree_values(nodes, edges, references, eps, tensor, potentials)
                | {
                    "node_marginals": [marginal(tensor, [i]) for i in range(len(sizes))],
                    "pair_marginals": [
                        {"nodes": pair, "plan": marginal(tensor, pair)} for pair in pairs
                    ],
                },
            }


# ---- Gromov-Wasserstein -----------------------------------------------------------------------


def gromov_gradient(c1, c2, plan):
    """Half the gradient of E: the costs G of the linearised problem."""
    a, b = plan.sum(1), plan.sum(0)
    return (c1**2 @ a)[:, None] + c2**2 @ b - 2 * c1 @ plan @ c2


def gromov_energy(c1, c2, plan):
    """E(P) = sum |C1(i, k) - C2(j, l)|^2 P(i, j) P(k, l), over all four indices as it stands."""
    difference = c1[:, None, :, None] - c2[None, :, None, :]
    return np.einsum("ijkl,ij,kl->", difference**2, plan, plan)


def gromov_spaces(rng, n, m, cost):
    # The second space is the first, stretched, with other weights and some points of its own.
    x = rng.uniform(size=(n, 2)) * [1.0, 0.6]
    y = x[rng.permutation(n)[:m]] @ [[0.8, 0.6], [-0.7, 0.8]] + 0.05 * rng.normal(size=(m, 2))
    return x, y, cost_matrix(x, x, cost), cost_matrix(y, y, cost)


def entropic_gromov(c1, c2, p, q, eps, m=None, alpha=1.0):
    """POT's projected gradient: its gradient has a factor of 2, its epsilon is twice ours."""
    settings = {
        "epsilon": 2 * eps,
        "max_iter": 20_001,
        "tol": 1e-14,
        "solver": "PGD",
        "numItermax": 100_000,
        "stopThr": 1e-15,
    }
    if m is None:
        plan = ot.gromov.entropic_gromov_wasserstein(c1, c2, p, q, **settings)
    else:
        plan = ot.gromov.entropic_fused_gromov_wasserstein(
            m, c1, c2, p, q, alpha=alpha, **settings
        )
    error = np.abs(plan.sum(1) - p).sum() + np.abs(plan.sum(0) - q).sum()
    agree("Gromov marginals", error, 0.0, 1e-12)
    # Stationary: log P is a sum of potentials and -G / epsilon.
    costs = alpha * gromov_gradient(c1, c2, plan)
    if m is not None:
        costs = costs + (1 - alpha) / 2 * m
    residual = np.log(plan) + costs / eps
    residual = residual - residual.mean(0) - residual.mean(1)[:, None] + residual.mean()
    agree("Gromov fixed point", residual, 0.0, 1e-8)
    return plan


def gromov_terms(c1, c2, plan, eps, m=None, alpha=1.0):
    structure = alpha * gromov_energy(c1, c2, plan)
    labels = 0.0 if m is None else (1 - alpha) * (m * plan).sum()
    regularisation = eps * (2 * -scipy.special.entr(plan).sum() - 1)
    return {
        "structure": structure,
        "labels": labels,
        "total": structure + labels + regularisation,
        "plan": plan,
    }


def gromov_cases(rng):
    for name, cost, n, m, eps in [
        ("distance", "euclidean", 8, 7, 0.02),
        ("distance_sharp", "euclidean", 7, 7, 0.004),
        ("squared_distance", "squared_euclidean", 8, 6, 0.01),
    ]:
        x, y, c1, c2 = gromov_spaces(rng, n, m, cost)
        p, q = random_weights(rng, n), random_weights(rng, m)
        plan = entropic_gromov(c1, c2, p, q, eps)
        yield {
            "name": name,
            "source": "ot.gromov.entropic_gromov_wasserstein(solver='PGD'), epsilon twice ours",
            "cost": cost,
            "x": x,
            "y": y,
            "a": p,
            "b": q,
            "epsilon": eps,
            "expected": gromov_terms(c1, c2, plan, eps),
        }


def fused_gromov_cases(rng):
    for name, cost, n, m, eps, alpha in [
        ("half", "euclidean", 7, 6, 0.01, 0.5),
        ("mostly_labels", "squared_euclidean", 6, 8, 0.01, 0.1),
    ]:
        x, y = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2))
        c1, c2 = cost_matrix(x, x, cost), cost_matrix(y, y, cost)
        p, q = random_weights(rng, n), random_weights(rng, m)
        label_costs = cost_matrix(*[rng.uniform(size=(3, 2))] * 2, "squared_euclidean")
        labels = [rng.integers(3, size=size) for size in (n, m)]
        features = label_costs[np.ix_(*labels)]
        plan = entropic_gromov(c1, c2, p, q, eps, features, alpha)
        yield {
            "name": name,
            "source": "ot.gromov.entropic_fused_gromov_wasserstein, epsilon twice ours",
            "cost": cost,
            "x": x,
            "y": y,
            "a": p,
            "b": q,
            "labels": labels,
            "label_costs": label_costs,
            "alpha": alpha,
            "epsilon": eps,
            "expected": gromov_terms(c1, c2, plan, eps, features, alpha),
        }


def unbalanced_gromov_cases(rng):
    for name, n, m, rhos, masses, eps in [
        ("same_rho", 6, 7, (0.5, 0.5), (1.0, 1.0), 0.05),
        ("two_masses", 7, 6, (0.3, 1.0), (1.0, 0.7), 0.05),
    ]:
        x, y, c1, c2 = gromov_spaces(rng, max(n, m), min(n, m), "euclidean")
        if n < m:
            x, y, c1, c2 = y, x, c2, c1
        p, q = random_weights(rng, n, masses[0]), random_weights(rng, m, masses[1])
        plan, other, info = ot.gromov.fused_unbalanced_gromov_wasserstein(
            c1,
            c2,
            p,
            q,
            reg_marginals=rhos,
            epsilon=eps,
            divergence="kl",
            unbalanced_solver="sinkhorn_log",
            max_iter=5_000,
            tol=1e-15,
            max_iter_ot=20_000,
            tol_ot=1e-15,
            log=True,
        )
        agree("the two plans of the relaxation", plan, other, 1e-12)
        reference, mass = np.outer(p, q), plan.sum()
        relative = (plan * np.log(plan / reference)).sum()
        sides = [(plan.sum(1), p), (plan.sum(0), q)]
        divergences = [(side * np.log(side / mu)).sum() for side, mu in sides]
        gradient = gromov_gradient(c1, c2, plan)
        gradient += eps * (relative + mass * np.log(plan / reference))
        for rho, divergence, (side, mu), shape in zip(
            rhos, divergences, sides, ((-1, 1), (1, -1)), strict=True
        ):
            gradient += (rho * (divergence + mass * np.log(side / mu))).reshape(shape)
        agree("stationary", gradient, 0.0, 1e-9)
        structure = gromov_energy(c1, c2, plan)
        marginal = sum(
            rho * (2 * mass * divergence - mass**2 + mu.sum() ** 2)
            for rho, divergence, (_, mu) in zip(rhos, divergences, sides, strict=True)
        )
        total = structure + marginal + eps * (2 * mass * relative - mass**2)
        # POT's value has the constant epsilon m(a)^2 m(b)^2 in it.
        agree("value", total + eps * reference.sum() ** 2, info["fugw_cost"], 1e-12)
        yield {
            "name": name,
            "source": "ot.gromov.fused_unbalanced_gromov_wasserstein",
            "cost": "euclidean",
            "x": x,
            "y": y,
            "a": p,
            "b": q,
            "rhos": rhos,
            "epsilon": eps,
            "expected": {
                "mass": mass,
                "structure": structure,
                "marginal": marginal,
                "total": total,
                "plan": plan,
            },
        }


def exact_gromov_cases(rng):
    for name, cost, n, m in [
        ("distance", "euclidean", 8, 7),
        ("distance_even", "euclidean", 8, 8),
        ("squared_distance", "squared_euclidean", 8, 6),
    ]:
        x, y, c1, c2 = gromov_spaces(rng, n, m, cost)
        even = name.endswith("even")
        p, q = (ot.unif(k) if even else random_weights(rng, k) for k in (n, m))
        plan, info = ot.gromov.gromov_wasserstein(c1, c2, p, q, log=True)
        energy = gromov_energy(c1, c2, plan)
        agree("POT's value of its plan", energy, info["gw_dist"], 1e-12)
        # The proximal point method ends at a plan without regularisation too, but at a better one:
        # it sees the whole landscape first. Conditional gradient confirms that it is one.
        settings = {"epsilon": 0.2, "solver": "PPA", "max_iter": 401, "tol": 1e-13}
        proximal = ot.gromov.entropic_gromov_wasserstein(
            c1, c2, p, q, numItermax=2_000, stopThr=1e-12, **settings
        )
        missing = np.outer(p - proximal.sum(1), q) + np.outer(p, q - proximal.sum(0))
        polished = ot.gromov.gromov_wasserstein(c1, c2, p, q, G0=proximal + missing)
        polished_energy = gromov_energy(c1, c2, polished)
        agree("proximal plan", gromov_energy(c1, c2, proximal), polished_energy, 1e-6)
        yield {
            "name": name,
            "source": "ot.gromov.gromov_wasserstein",
            "cost": cost,
            "x": x,
            "y": y,
            "a": p,
            "b": q,
            "expected": {
                "structure": energy,
                "proximal_structure": polished_energy,
                "plan": plan,
            },
        }


def gromov_barycenter_cases(rng):
    for name, cost, sizes, points, lambdas in [
        ("two", "euclidean", (8, 7), 6, (0.5, 0.5)),
        ("three", "squared_euclidean", (6, 7, 8), 5, (0.2, 0.3, 0.5)),
    ]:
        supports = [rng.uniform(size=(n, 2)) * [1.0, 0.5] for n in sizes]
        structures = [cost_matrix(x, x, cost) for x in supports]
        inputs = [random_weights(rng, n) for n in sizes]
        masses = random_weights(rng, points)
        seeds = rng.normal(size=(points, 2))
        start = cost_matrix(seeds, seeds, "squared_euclidean")
        start /= start.max()
        distances, info = ot.gromov.gromov_barycenters(
            points,
            structures,
            inputs,
            masses,
            list(lambdas),
            max_iter=500,
            tol=1e-13,
            warmstartT=True,
            log=True,
            init_C=start,
        )
        energies = [
            gromov_energy(c, distances, plan.T)
            for c, plan in zip(structures, info["T"], strict=True)
        ]
        loss = np.dot(lambdas, energies)
        # At a barycenter the value follows from the distances alone.
        squares = [mu @ c**2 @ mu for mu, c in zip(inputs, structures, strict=True)]
        agree("loss", loss, np.dot(lambdas, squares) - masses @ distances**2 @ masses, 1e-12)
        yield {
            "name": name,
            "source": "ot.gromov.gromov_barycenters(warmstartT=True)",
            "cost": cost,
            "supports": supports,
            "inputs": inputs,
            "masses": masses,
            "weights": lambdas,
            "start": start,
            "expected": {"loss": loss, "energies": energies, "distances": distances},
        }


def main():
    # POT warns of log 0 on zero weights and of tolerances at the edge of f64; both are meant,
    # and what it returns is checked.
    warnings.filterwarnings("ignore", module="ot")
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    makers = {
        "sinkhorn": sinkhorn_cases,
        "divergence": divergence_cases,
        "exact": exact_cases,
        "unbalanced": lambda rng: [*kl_cases(rng), *total_variation_and_range_cases(rng)],
        "barycenter": barycenter_cases,
        "grid_barycenter": lambda _: grid_barycenter_cases(),
        "gaussian_transport": lambda _: gaussian_transport_cases(),
        "gaussian_barycenter": lambda _: gaussian_barycenter_cases(),
        "tree": tree_cases,
        "gromov": gromov_cases,
        "fused_gromov": fused_gromov_cases,
        "unbalanced_gromov": unbalanced_gromov_cases,
        "exact_gromov": exact_gromov_cases,
        "gromov_barycenter": gromov_barycenter_cases,
    }
    golden = {
        "versions": {
            "pot": ot.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "python": platform.python_version(),
        }
    }
    for seed, (kind, make) in enumerate(makers.items()):
        # One generator per kind: adding a case to one kind leaves the others as they were.
        golden[kind] = plain(list(make(np.random.default_rng(seed))))
        print(f"{kind}: {len(golden[kind])} cases")
    path = Path(__file__).with_name("pot.json")
    path.write_text(json.dumps(golden, separators=(",", ":"), allow_nan=False) + "\n")
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
