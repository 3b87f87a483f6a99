"""Transport with KL, total variation and range marginals."""

import numpy as np
import ot
from scipy.optimize import minimize

from .common import FIXED, agree, cost_matrix, generalised_kl, interval, kl, random_weights, tv


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
