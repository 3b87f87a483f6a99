"""Trees, by brute force on dense tensors."""

import numpy as np
from scipy.special import logsumexp, rel_entr

from .common import FIXED, FREE, agree, cost_matrix, kl, log, random_weights, tv
from .unbalanced import law_dual, law_penalty


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
