"""Gromov-Wasserstein plans of two spaces."""

import numpy as np
import ot
import scipy

from .common import agree, cost_matrix, random_weights


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
        plan = ot.gromov.entropic_fused_gromov_wasserstein(m, c1, c2, p, q, alpha=alpha, **settings)
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
