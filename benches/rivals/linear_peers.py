"""The peers of `linear.py`.

Each returns `solve(iterations, tolerance)`, which waits for the device and returns whatever
`finish` turns into plain arrays. A tolerance of None means: exactly that many iterations.
"""

import math

from harness import host, import_ott, import_pot, pot_arrays, synchronise, torch_arrays


def transport_pot(inputs, case, device, _):
    import numpy as np

    ot = import_pot(device)
    eps = case["epsilon"]
    weights = [np.full(len(points), 1 / len(points)) for points in inputs]
    x, y, a, b = pot_arrays([*inputs, *weights], device)

    def solve(iterations, tolerance):
        # POT tests the L2 norm; by Cauchy-Schwarz this bound makes the L1 norm small enough.
        stop = 0.0 if tolerance is None else tolerance / math.sqrt(len(b))
        _, info = ot.bregman.sinkhorn_log(
            a, b, ot.dist(x, y), eps, iterations, stopThr=stop, log=True, warn=False
        )
        synchronise(device)
        return info

    def finish(info):
        f, g = (
            eps * (host(info[key]) - np.log(w))
            for key, w in zip(("log_u", "log_v"), weights, strict=True)
        )
        return {"f": f, "g": g, "iterations": info["niter"] + 1}

    return solve, finish


def transport_ott(inputs, case, _, variant):
    jax = import_ott()
    import numpy as np
    from ott.geometry import geometry, pointcloud
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    eps = case["epsilon"]
    x, y = (jax.numpy.asarray(points) for points in inputs)
    compiled = {}

    def make(iterations, tolerance):
        solver = sinkhorn.Sinkhorn(
            threshold=-1.0 if tolerance is None else tolerance,
            min_iterations=iterations if tolerance is None else 0,
            max_iterations=iterations,
        )

        def run(x, y):
            cloud = pointcloud.PointCloud(
                x, y, epsilon=eps, batch_size=1024 if variant == "online" else None
            )
            stored = variant == "stored"
            geom = geometry.Geometry(cloud.cost_matrix, epsilon=eps) if stored else cloud
            out = solver(linear_problem.LinearProblem(geom))
            return out.f, out.g, out.n_iters

        return jax.jit(run)

    def solve(iterations, tolerance):
        key = iterations, tolerance
        compiled.setdefault(key, make(iterations, tolerance))
        return jax.block_until_ready(compiled[key](x, y))

    def finish(raw):
        # OTT's plan is exp((f + g - C) / eps): its potentials hold the weights.
        f, g = (host(p) + eps * np.log(len(p)) for p in raw[:2])
        return {"f": f, "g": g, "iterations": int(raw[2])}

    return solve, finish


def transport_geomloss(inputs, case, device, backend):
    import geomloss
    import numpy as np

    if backend == "online":
        import pykeops

        if device == "gpu" and not pykeops.config.gpu_available:
            raise ImportError("KeOps does not see the GPU")
    x, y = torch_arrays(inputs, device)
    # GeomLoss halves the cost: epsilon = 2 blur^2, and its potentials are half of ours.
    blur = math.sqrt(case["epsilon"] / 2)
    diameter = float(np.linalg.norm(np.ptp(np.concatenate(inputs), axis=0)))

    def solve(iterations, _):
        # The only stop there is: a schedule from the diameter down to the blur, of this length.
        scaling = (blur / diameter) ** (1 / (iterations - 2))
        loss = geomloss.SamplesLoss(
            "sinkhorn",
            p=2,
            blur=blur,
            diameter=diameter,
            scaling=scaling,
            debias=False,
            potentials=True,
            backend=backend,
        )
        potentials = loss(x, y)
        synchronise(device)
        return *potentials, iterations

    def finish(raw):
        f, g = (2 * host(p.detach()).ravel() for p in raw[:2])
        return {"f": f, "g": g, "iterations": raw[2]}

    return solve, finish


def transport_flash(inputs, case, device, variant):
    import torch
    from flash_sinkhorn.sinkhorn_solvers import sinkhorn_flashstyle_alternating

    centre = inputs[0].mean(0) / 2 + inputs[1].mean(0) / 2
    x, y = torch_arrays([points - centre for points in inputs], device)
    a, b = (torch.full((len(p),), 1 / len(p), device=p.device) for p in (x, y))

    def solve(iterations, _):
        f, g = sinkhorn_flashstyle_alternating(
            x, y, a, b, eps=case["epsilon"], n_iters=iterations, allow_tf32=variant == "tf32"
        )
        synchronise(device)
        return f, g, iterations

    def finish(raw):
        return {"f": host(raw[0]), "g": host(raw[1]), "iterations": raw[2]}

    return solve, finish


def barycenter_pot(inputs, case, device, variant):
    import numpy as np

    ot = import_pot(device)
    (images,) = pot_arrays([np.stack(inputs)], device)

    def solve(iterations, _):
        image = ot.bregman.convolutional_barycenter2d(
            images,
            case["epsilon"],
            method="sinkhorn" if variant == "kernel" else "sinkhorn_log",
            numItermax=iterations,
            stopThr=0.0,
            warn=False,
        )
        synchronise(device)
        return image

    return solve, lambda image: {"image": host(image)}


def barycenter_ott(inputs, case, _, variant):
    jax = import_ott()
    from ott.geometry import grid
    from ott.problems.linear import barycenter_problem
    from ott.solvers.linear import discrete_barycenter

    shape = inputs[0].shape
    images = jax.numpy.stack([jax.numpy.asarray(image).ravel() for image in inputs])

    def solve(iterations, _):
        solver = discrete_barycenter.FixedBarycenter(
            threshold=-1.0,
            min_iterations=iterations,
            max_iterations=iterations,
            lse_mode=variant == "log",
        )
        # OTT's grid is POT's: each axis runs from 0 to 1.
        geom = grid.Grid(grid_size=shape, epsilon=case["epsilon"])
        problem = barycenter_problem.FixedBarycenterProblem(geom, images)
        return jax.block_until_ready(solver(problem).histogram)

    return solve, lambda image: {"image": host(image).reshape(shape)}


def batch_pot(inputs, case, device, _):
    ot = import_pot(device)
    x, y = pot_arrays(inputs, device)

    def solve(iterations, _):
        cost = ot.batch.dist_batch(x, y)
        ot.batch.solve_batch(
            cost, case["epsilon"], max_iter=iterations, tol=-1.0, method="log_sinkhorn"
        )
        synchronise(device)

    return solve, None


def batch_ott(inputs, case, _, __):
    jax = import_ott()
    from ott.geometry import geometry, pointcloud
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    x, y = (jax.numpy.asarray(points) for points in inputs)
    iterations = case["iterations"]
    solver = sinkhorn.Sinkhorn(threshold=-1.0, min_iterations=iterations, max_iterations=iterations)

    @jax.jit
    @jax.vmap
    def run(x, y):
        cost = pointcloud.PointCloud(x, y).cost_matrix
        geom = geometry.Geometry(cost, epsilon=case["epsilon"])
        out = solver(linear_problem.LinearProblem(geom))
        return out.f, out.g

    return lambda *_: jax.block_until_ready(run(x, y)), None


MAKERS = {
    ("transport", "pot"): transport_pot,
    ("transport", "ott"): transport_ott,
    ("transport", "geomloss"): transport_geomloss,
    ("transport", "flash"): transport_flash,
    ("barycenter", "pot"): barycenter_pot,
    ("barycenter", "ott"): barycenter_ott,
    ("batch", "pot"): batch_pot,
    ("batch", "ott"): batch_ott,
}
# These, and the barycenters of all peers, have no test of the L1 error: they are given the count of
# iterations that suffices.
WITHOUT_STOP = ("geomloss", "flash")
