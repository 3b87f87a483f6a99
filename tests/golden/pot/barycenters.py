"""Barycenters on a support of points and on grids."""

import numpy as np
import ot
import scipy

from .common import agree, cost_matrix


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
