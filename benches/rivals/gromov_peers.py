"""The rivals of `gromov.py`: the published method, POT and OTT-JAX."""

import importlib.util
import signal
import sys
import time
from contextlib import contextmanager
from unittest.mock import MagicMock

from gromov_inputs import Grid, Stored
from gromov_judge import loss
from harness import host, import_ott, import_pot, pot_arrays, synchronise


class EndedError(Exception):
    """No more of this: the time is up, or there is nothing but NaN."""


class Recorder:
    """The losses of a solver that knows nothing of being watched; watching it stops its clock."""

    def __init__(self, limit):
        self.limit, self.idle, self.start = limit, 0.0, None
        self.trace, self.plans, self.structure, self.failure = [], None, None, None

    def elapsed(self):
        return time.perf_counter() - self.start - self.idle

    def run(self, solve):
        def ring(*_):
            raise EndedError

        signal.signal(signal.SIGALRM, ring)
        self.start = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, self.limit)
        try:
            solve()
        except EndedError:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def watching(self):
        signal.setitimer(signal.ITIMER_REAL, 0)
        start = time.perf_counter()
        yield
        self.idle += time.perf_counter() - start
        left = self.limit - self.elapsed()
        if left <= 0:
            raise EndedError
        signal.setitimer(signal.ITIMER_REAL, left)

    def step(self, seconds, value, plans, structure=None):
        """An outer step that ended after so many seconds."""
        if not abs(value) < float("inf"):
            self.failure = f"not finite after {len(self.trace) + 1} outer steps"
            raise EndedError
        self.plans, self.structure = plans, structure
        row = {"iteration": len(self.trace) + 1, "seconds": seconds, "transport": value}
        self.trace.append(row)


# ---- barycenters ----------------------------------------------------------------------------
#
# Each gets the distances and weights of the inputs, and returns a call that leaves its steps with
# the recorder: plans with a row for each point of their input.


# What the authors' module imports for pictures only.
UNUSED = """imageio cv2 skimage skimage.draw sklearn sklearn.datasets sklearn.manifold
matplotlib matplotlib.pyplot matplotlib.pylab mpl_toolkits mpl_toolkits.mplot3d.art3d""".split()


def import_published(folder):
    """The authors' module as it is; what is missing of the unused is made up."""
    packages = {name.partition(".")[0] for name in UNUSED}
    missing = {package for package in packages if importlib.util.find_spec(package) is None}
    for name in UNUSED:
        if name.partition(".")[0] in missing:
            sys.modules[name] = MagicMock()
    sys.path.insert(0, folder)
    import umgw

    return umgw


def published(inputs, case, _, recorder, __):
    """The authors' alternation on the tree input 0 - centre - other inputs, with their settings."""
    import torch

    if case["published"] is None:
        raise ValueError("needs --published DIR")
    method = import_published(case["published"])
    from anytree import AnyNode

    def node(name, distances, parent=None, weights=None):
        found = AnyNode(id=name, parent=parent, M=torch.from_numpy(distances), sep=None)
        # A node without weights is free.
        found.rho = torch.Tensor([0.0 if weights is None else float("inf")])
        if weights is not None:
            found.mu = torch.from_numpy(weights)
        return found

    (first, *others), count = inputs, len(inputs)
    root = node(0, first[0].matrix, weights=first[1])
    centre = Stored.euclidean(Grid(case["side"]).places())
    middle = node(1, centre.matrix, parent=root)
    for k, (distances, weights) in enumerate(others):
        node(2 + k, distances.matrix, parent=middle, weights=weights)

    step, original, pending = 0, method.compute_local_cost_sep, []

    def energy(cost, plan, a, b, epsilon):
        """Their cost holds epsilon times an entropy of the plan, as a number."""
        total = 0.0
        for rows in torch.arange(len(plan)).split(256):
            p = plan[rows]
            entropy = (p * (p / (a[rows, None] * b) + 1e-10).log()).sum()
            total += float((cost[rows] * p).sum() - epsilon * entropy)
        return total

    def watched(plan, a, dx, b, dy, epsilon, *rest, **named):
        nonlocal step
        seconds = recorder.elapsed()
        cost = original(plan, a, dx, b, dy, epsilon, *rest, **named)
        with recorder.watching():
            pending.append((seconds, energy(cost, plan, a, b, epsilon), plan))
            if len(pending) == count:
                # The first costs are those of the random start.
                if step > 0:
                    plans = [plan if k == 0 else plan.T for k, (*_, plan) in enumerate(pending)]
                    value = sum(value for _, value, _ in pending) / count
                    recorder.step(pending[0][0], value, plans)
                step += 1
                pending.clear()
        return cost

    method.compute_local_cost_sep = watched
    return lambda: method.UMGW_sep(
        root,
        eps=case["epsilon"],
        rho=None,
        plan_cvgce_thres=0,
        sink_cvgce_thres=1e-6,
        n_its_check_cvgce=case["check_every"],
        n_its=10_000,
        random_state=0,
    )


def pot_barycenter(inputs, case, device, recorder, variant):
    """Turns of plans and distances, between uniform points: `exact`, or with an epsilon."""
    ot = import_pot(device)
    modules = [sys.modules[f"ot.gromov.{name}"] for name in ("_gw", "_bregman")]
    original = modules[0].update_barycenter_structure

    def watched(plans, *arguments, **named):
        structure = original(plans, *arguments, **named)
        synchronise(device)
        seconds = recorder.elapsed()
        with recorder.watching():
            plans, found = [host(plan).T for plan in plans], Stored(host(structure))
            value = loss(plans, [distances for distances, _ in inputs], found)
            recorder.step(seconds, value, plans, found.matrix)
        return structure

    for module in modules:
        module.update_barycenter_structure = watched
    distances = pot_arrays([distances.matrix for distances, _ in inputs], device)
    weights = pot_arrays([weights for _, weights in inputs], device)
    # What the paper compared itself with.
    shared = {"tol": 0, "random_state": 0, "ps": weights}
    if variant == "exact":
        solve, more = ot.gromov.gromov_barycenters, {}
    else:
        solve = ot.gromov.entropic_gromov_barycenters
        more = {"epsilon": float(variant), "numItermax": 100, "stopThr": 1e-6, "warn": False}
    return lambda: solve(case["points"], distances, **shared, **more)


# ---- two clouds -----------------------------------------------------------------------------
#
# Each returns `make(outer, sweeps, stop)`, which makes the call that is timed, and what the plan
# and the transport are of that which the call returns. Without `stop`: exactly so many steps and
# sweeps.


def pot_pair(points, epsilon, device):
    ot = import_pot(device)
    x, y = pot_arrays(points, device)

    def make(outer, sweeps, stop):
        tolerance, inner = (1e-8, 1e-7) if stop else (-1.0, 0.0)

        def call():
            found = ot.gromov.entropic_gromov_wasserstein(
                ot.dist(x, x),
                ot.dist(y, y),
                # Its gradient is twice the linearised cost: with this, the problem is the same.
                epsilon=2 * epsilon,
                symmetric=True,
                max_iter=outer,
                tol=tolerance,
                numItermax=sweeps,
                stopThr=inner,
                warn=False,
                log=True,
            )
            synchronise(device)
            return found

        return call

    return make, lambda found: host(found[0]), lambda found: float(found[1]["gw_dist"])


def ott_pair(points, epsilon, _):
    jax = import_ott()
    from ott.geometry import pointcloud
    from ott.problems.quadratic import quadratic_problem
    from ott.solvers.linear import sinkhorn
    from ott.solvers.quadratic import gromov_wasserstein

    points = [jax.numpy.asarray(cloud) for cloud in points]

    def make(outer, sweeps, stop):
        linear = sinkhorn.Sinkhorn(
            threshold=1e-5 if stop else -1.0,
            min_iterations=0 if stop else sweeps,
            max_iterations=sweeps,
        )
        # The problem linearised at the start is solved before its count begins.
        solver = gromov_wasserstein.GromovWasserstein(
            linear,
            epsilon=epsilon,
            threshold=1e-5 if stop else -1.0,
            min_iterations=1 if stop else outer - 1,
            max_iterations=outer - 1,
            warm_start=True,
        )

        def solve(x, y):
            geometries = [pointcloud.PointCloud(cloud, cloud) for cloud in (x, y)]
            return solver(quadratic_problem.QuadraticProblem(*geometries))

        compiled = jax.jit(solve).lower(*points).compile()
        return lambda: jax.block_until_ready(compiled(*points))

    return make, lambda found: host(found.matrix), lambda found: float(found.primal_cost)


BARYCENTERS = {"published": published, "pot": pot_barycenter}
PAIRS = {"pot": pot_pair, "ott": ott_pair}
