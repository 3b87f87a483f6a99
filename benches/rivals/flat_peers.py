"""The inputs of `flat.py`, and its peers.

Each peer returns `distance(pair)`, the normalised distance of a pair ((x, a), (y, b)) as a number.
"""

import itertools

import numpy as np
from harness import host, import_ott, import_pot, pot_arrays

# No unit of mass moves further.
FURTHEST = 2.0


def clouds(case):
    """Normal clouds at places of their own, with random masses: some mass moves, some does not."""
    rng = np.random.default_rng(case["seed"])
    made = []
    for count in case["points"]:
        place = rng.uniform(0, 2, case["dimension"]) / np.sqrt(case["dimension"])
        points = place + rng.normal(size=(count, case["dimension"])) / np.sqrt(case["dimension"])
        made.append((points.astype(np.float32), rng.uniform(0.5, 1.5, count).astype(np.float32)))
    return made


def pairs(case):
    return list(itertools.combinations(clouds(case), 2))


def distances(x, y):
    """Without the Gram trick, which loses digits between points that are near."""
    x, y = (points.astype(np.float64) for points in (x, y))
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))


def reduced(pair):
    """Masses and costs of the balanced problem whose value is the flat metric.

    One more point takes what one cloud has more, at a cost of 1.
    """
    (x, a), (y, b) = pair
    costs = np.minimum(distances(x, y), FURTHEST)
    a, b = (weights.astype(np.float64) for weights in (a, b))
    surplus = a.sum() - b.sum()
    if surplus > 0:
        return a, np.append(b, surplus), np.hstack([costs, np.ones((len(a), 1))])
    return np.append(a, -surplus), b, np.vstack([costs, np.ones((1, len(b)))])


def least(pair):
    return min(float(pair[0][1].sum(dtype=np.float64)), float(pair[1][1].sum(dtype=np.float64)))


def pot_exact(case, _):
    ot = import_pot("cpu")
    return lambda pair: ot.emd2(*reduced(pair), numItermax=10**8) / least(pair)


def pot_sinkhorn(case, device):
    """Entropic transport of the reduced problem."""
    ot = import_pot(device)

    def distance(pair):
        a, b, costs = pot_arrays(list(reduced(pair)), device)
        plan = ot.bregman.sinkhorn_log(
            a, b, costs, case["epsilon"], 10_000, stopThr=case["tolerance"], warn=False
        )
        return float((plan * costs).sum()) / least(pair)

    return distance


def pot_unbalanced(case, device):
    """Entropic transport with marginals in total variation, by L-BFGS."""
    ot = import_pot(device)

    def distance(pair):
        (x, a), (y, b) = pair
        costs = distances(x, y)
        a, b, costs = pot_arrays([a.astype(float), b.astype(float), costs], device)
        found = ot.solve(
            costs, a, b, reg=case["epsilon"], unbalanced=1.0, unbalanced_type="TV", max_iter=1000
        )
        plan, costs = host(found.plan), host(costs)
        lost = np.abs(host(a) - plan.sum(1)).sum() + np.abs(host(b) - plan.sum(0)).sum()
        return float((plan * costs).sum() + lost) / least(pair)

    return distance


def ott(case, _):
    """Entropic transport of the reduced problem: its own unbalanced laws are KL only."""
    jax = import_ott()
    from ott.geometry import geometry
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    solver = sinkhorn.Sinkhorn(threshold=case["tolerance"], max_iterations=10_000)

    @jax.jit
    def solve(a, b, costs):
        geom = geometry.Geometry(costs, epsilon=case["epsilon"])
        out = solver(linear_problem.LinearProblem(geom, a, b))
        return (out.matrix * costs).sum()

    def distance(pair):
        a, b, costs = reduced(pair)
        total = a.sum()
        return float(solve(a / total, b / total, costs)) * total / least(pair)

    return distance


def network(name):
    """By a network in eager PyTorch, in f32 on either device, which is what it does by itself."""

    def peer(case, device):
        import flat_torch
        import torch

        torch.manual_seed(0)
        place = "cuda" if device == "gpu" else "cpu"
        train = getattr(flat_torch, name)

        def distance(pair):
            (x, a), (y, b) = pair
            measures = flat_torch.Measures(x, a, y, b, place)
            return train(measures, case["epochs"][name])[0]

        return distance

    return peer


PEERS = {
    "pot-exact": pot_exact,
    "pot-sinkhorn": pot_sinkhorn,
    "pot-unbalanced": pot_unbalanced,
    "ott": ott,
    "torch-paper": network("paper"),
    "torch-tight": network("tight"),
}
