"""Gromov-Wasserstein barycenters on a free support."""

import numpy as np
import ot

from .common import agree, cost_matrix, random_weights
from .gromov import gromov_energy


def problem(rng, cost, sizes, points):
    """Points, their distances and weights; the masses of the barycenter and its start."""
    supports = [rng.uniform(size=(n, 2)) * [1.0, 0.5] for n in sizes]
    structures = [cost_matrix(x, x, cost) for x in supports]
    inputs = [random_weights(rng, n) for n in sizes]
    masses = random_weights(rng, points)
    seeds = rng.normal(size=(points, 2))
    start = cost_matrix(seeds, seeds, "squared_euclidean")
    return supports, structures, inputs, masses, start / start.max()


def gromov_barycenter_cases(rng):
    for name, cost, sizes, points, lambdas in [
        ("two", "euclidean", (8, 7), 6, (0.5, 0.5)),
        ("three", "squared_euclidean", (6, 7, 8), 5, (0.2, 0.3, 0.5)),
    ]:
        supports, structures, inputs, masses, start = problem(rng, cost, sizes, points)
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


def fused_gromov_barycenter_cases(rng):
    for name, cost, sizes, points, lambdas, alpha in [
        ("two", "euclidean", (8, 7), 6, (0.5, 0.5), 0.5),
        ("three", "squared_euclidean", (6, 7, 8), 5, (0.2, 0.3, 0.5), 0.8),
    ]:
        supports, structures, inputs, masses, start = problem(rng, cost, sizes, points)
        features = [0.5 * x @ [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]] for x in supports]
        features = [f + 0.1 * rng.normal(size=f.shape) for f in features]
        start_features = rng.uniform(size=(points, 3))
        found, distances, info = ot.gromov.fgw_barycenters(
            points,
            features,
            structures,
            inputs,
            list(lambdas),
            alpha,
            p=masses,
            max_iter=500,
            tol=1e-13,
            warmstartT=True,
            log=True,
            init_C=start,
            init_X=start_features,
        )
        values = [
            alpha * gromov_energy(c, distances, plan.T)
            + (1 - alpha) * (cost_matrix(f, found, "squared_euclidean") * plan.T).sum()
            for c, f, plan in zip(structures, features, info["T"], strict=True)
        ]
        loss = np.dot(lambdas, values)
        # At a barycenter the value follows from distances and features alone.
        own = [
            alpha * mu @ c**2 @ mu + (1 - alpha) * mu @ (f**2).sum(1)
            for mu, c, f in zip(inputs, structures, features, strict=True)
        ]
        kept = alpha * masses @ distances**2 @ masses + (1 - alpha) * masses @ (found**2).sum(1)
        agree("fused loss", loss, np.dot(lambdas, own) - kept, 1e-12)
        yield {
            "name": name,
            "source": "ot.gromov.fgw_barycenters(warmstartT=True)",
            "cost": cost,
            "supports": supports,
            "inputs": inputs,
            "features": features,
            "alpha": alpha,
            "masses": masses,
            "weights": lambdas,
            "start": start,
            "start_features": start_features,
            "expected": {
                "loss": loss,
                "values": values,
                "distances": distances,
                "features": found,
            },
        }
