"""One rule for the plans of all solvers: what they cost, and how far their marginals are off."""

import numpy as np


def transport(plan, rows, columns):
    """sum over x, x', y, y' of (D(x, x') - D'(y, y'))² P(x, y) P(x', y')."""
    a, b = plan.sum(1), plan.sum(0)
    product = columns.times(rows.times(plan).T).T
    squares = a @ rows.squares_times(a) + b @ columns.squares_times(b)
    return float(squares - 2 * np.vdot(product, plan))


def loss(plans, inputs, centre):
    """The barycentric loss: the mean of the transports from the inputs to the centre."""
    pairs = zip(plans, inputs, strict=True)
    return float(np.mean([transport(plan, rows, centre) for plan, rows in pairs]))


def judge_barycenter(plans, inputs, weights, centre, centre_weights=None):
    """The loss, and the largest error of a plan: of both its marginals, in L1.

    Plans have a row for each point of their input. The marginals that they leave on the centre must
    be the same, and `centre_weights` where these are given.
    """
    left = np.array([plan.sum(0) for plan in plans])
    expected = left.mean(0) if centre_weights is None else centre_weights
    got = [plan.sum(1) for plan in plans]
    errors = [np.abs(g - w).sum() for g, w in zip(got, weights, strict=True)]
    errors += np.abs(left - expected).sum(1)
    return {
        "loss": loss(plans, inputs, centre),
        "l1_error": float(max(errors)),
        "essential_support": int((expected > 1e-4).sum()),
    }


def judge_pair(plan, rows, columns, epsilon):
    """The objective with uniform weights a, b: transport + epsilon KL(P x P | ab x ab)."""
    a, b = (np.full(size, 1 / size) for size in plan.shape)
    some = plan[plan > 0]
    divergence = 2 * float(np.sum(some * np.log(some)) - np.sum(some) * np.log(a[0] * b[0]))
    cost = transport(plan, rows, columns)
    return {
        "transport": cost,
        "objective": float(cost + epsilon * divergence),
        "l1_error": float(np.abs(plan.sum(1) - a).sum() + np.abs(plan.sum(0) - b).sum()),
    }
