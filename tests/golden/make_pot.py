"""Writes pot.json: small seeded problems with answers from POT, closed forms and brute force.

Run it with POT 0.9.7.post1: `python tests/golden/make_pot.py`. Every answer is checked against
a second way of computing it before it is written; README.md says which, and the conventions.
"""

import json
import platform
import warnings
from pathlib import Path

import numpy as np
import ot
import scipy
from pot.balanced import divergence_cases, exact_cases, sinkhorn_cases
from pot.barycenters import barycenter_cases, grid_barycenter_cases
from pot.common import plain
from pot.gaussian import gaussian_barycenter_cases, gaussian_transport_cases
from pot.gromov import (
    exact_gromov_cases,
    fused_gromov_cases,
    gromov_cases,
    unbalanced_gromov_cases,
)
from pot.gromov_barycenters import fused_gromov_barycenter_cases, gromov_barycenter_cases
from pot.tree import tree_cases
from pot.unbalanced import kl_cases, total_variation_and_range_cases


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
        "fused_gromov_barycenter": fused_gromov_barycenter_cases,
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
