"""Checks docs/conventions.md: one problem, in the words of every library, has one answer.

    python benches/rivals/conventions.py --gaspard target/release/gaspard

Each line is a quantity as gaspard has it, as a peer has it once it is translated, and how far apart
the two are. Ends with 1 if they are further apart than the line allows. What is not installed of POT,
OTT-JAX and GeomLoss is left out.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

import numpy as np
from harness import import_ott

EPSILON, RHO = 0.05, 0.4
failures = []


def line(what, ours, theirs, most, relative=True):
    """A comparison: relative for numbers, the L1 distance for plans."""
    if np.ndim(ours):
        off = float(np.abs(ours - theirs).sum() / np.abs(ours).sum())
        shown = f"{'':>24}"
    else:
        off = abs(ours - theirs) / (abs(ours) if relative else 1)
        shown = f"{ours:>12.7f}{theirs:>12.7f}"
    if not off <= most:
        failures.append(what)
    print(f"{what:<74}{shown}  {off:8.1e}{'' if off <= most else '  FAILS'}", flush=True)


class Gaspard:
    def __init__(self, binary):
        self.binary, self.folder = binary, Path(tempfile.mkdtemp())

    def file(self, name, array):
        path = self.folder / f"{name}.npy"
        np.save(path, np.ascontiguousarray(array))
        return path

    def __call__(self, *arguments, json_out=True):
        report = ["--json", "-"] if json_out else []
        command = [self.binary, *arguments, "--device", "cpu", "--quiet", *report]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode not in (0, 3):
            sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
        return json.loads(done.stdout) if json_out else None

    def transport(self, files, *arguments):
        plan, potentials = self.folder / "plan.npy", self.folder / "potentials.npz"
        outputs = ["--coupling", plan, "--potentials", potentials]
        numbers = ["--tolerance", 1e-11, "--max-iterations", 100000, "--epsilon", EPSILON]
        found = self("transport", *files, "--as", "points", *numbers, *outputs, *arguments)
        return found, np.load(plan), dict(np.load(potentials))


def clouds(gaspard):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 2)) * 0.3, random.normal(size=(40, 2)) * 0.3 + 0.2
    a, b = (weights / weights.sum() for weights in (random.random(30), random.random(40)))
    files = [gaspard.file("x", x), gaspard.file("y", y)]
    files += ["--weights-a", gaspard.file("a", a), "--weights-b", gaspard.file("b", b)]
    return x, y, a, b, files


def kl(p, q):
    """Generalised: sum P log(P/Q) - m(P) + m(Q)."""
    positive = p > 0
    return (p[positive] * np.log(p[positive] / q[positive])).sum() - p.sum() + q.sum()


def transport(gaspard):
    x, y, a, b, files = clouds(gaspard)
    cost, product = ((x[:, None] - y[None]) ** 2).sum(-1), np.outer(a, b)
    found, plan, potentials = gaspard.transport(files)
    f, g = potentials["f"], potentials["g"]
    print("\ngaspard by its own formulas")
    line(
        "P = a b exp((f + g - C) / eps)",
        plan,
        product * np.exp((f[:, None] + g - cost) / EPSILON),
        1e-8,
    )
    line("linear = <C, P>", found["linear"], (cost * plan).sum(), 1e-9)
    line("entropic = eps KL(P | a b)", found["entropic"], EPSILON * kl(plan, product), 1e-7)
    line("value = linear + entropic", found["value"], found["linear"] + found["entropic"], 1e-12)
    line("at mass 1 value = <f, a> + <g, b>", found["value"], f @ a + g @ b, 1e-8)
    counting, same, _ = gaspard.transport(files, "--reference", "counting")
    line("--reference counting: the same plan", plan, same, 1e-8)
    plain = EPSILON * (plan * np.log(plan)).sum()
    line(
        "--reference counting: entropic = eps sum P log P at mass 1",
        counting["entropic"],
        plain,
        1e-7,
    )
    exact, _, _ = gaspard.transport(files, "--divergence")
    loose = ["--law-a", f"kl:{RHO}", "--law-b", f"kl:{RHO}"]
    unbalanced, unbalanced_plan, _ = gaspard.transport(files, *loose)
    terms = RHO * (kl(unbalanced_plan.sum(1), a) + kl(unbalanced_plan.sum(0), b))
    line(
        "kl:RHO: marginal_terms = RHO KL(P 1 | a) + RHO KL(P' 1 | b)",
        unbalanced["marginal_terms"],
        terms,
        1e-6,
    )
    _, unbalanced_counting, _ = gaspard.transport(files, *loose, "--reference", "counting")
    euclidean, _, _ = gaspard.transport(files, "--cost", "euclidean")
    ours = {
        "found": found,
        "euclidean": euclidean,
        "counting": counting,
        "unbalanced_counting": unbalanced_counting,
        "plan": plan,
        "f": f,
        "g": g,
        "divergence": exact["value"],
        "unbalanced": unbalanced,
        "unbalanced_plan": unbalanced_plan,
    }
    for peer in (transport_pot, transport_ott, transport_geomloss):
        peer(ours, x, y, a, b, cost)
    simplex = gaspard("transport", *files, "--as", "points", "--exact")
    try:
        import ot

        print("\nexact")
        line("--exact: POT ot.emd2(a, b, C)", simplex["value"], ot.emd2(a, b, cost), 1e-9)
    except ImportError:
        pass


def centred(potential, weights):
    return potential - potential @ weights


def transport_pot(ours, x, y, a, b, cost):
    try:
        import ot
    except ImportError:
        return
    print(f"\nPOT {ot.__version__}, reg = eps")
    tight = {"max_iter": 100000, "tol": 1e-12}
    solved = ot.solve(cost, a, b, reg=EPSILON, reg_type="KL", **tight)
    line("ot.solve(C, a, b, reg=eps): plan", ours["plan"], solved.plan, 1e-7)
    line("   its value = value", ours["found"]["value"], solved.value, 1e-7)
    line("   its value_linear = linear", ours["found"]["linear"], solved.value_linear, 1e-7)
    log_plan, log = ot.bregman.sinkhorn_log(
        a, b, cost, EPSILON, numItermax=100000, stopThr=1e-12, log=True
    )
    line("ot.sinkhorn(a, b, C, reg=eps): plan", ours["plan"], log_plan, 1e-7)
    f = EPSILON * (log["log_u"] - np.log(a))
    line("   eps (log_u - log a) = f, up to a constant", centred(ours["f"], a), centred(f, a), 1e-6)
    value = ot.sinkhorn2(
        a, b, cost, EPSILON, method="sinkhorn_log", numItermax=100000, stopThr=1e-12
    )
    line("ot.sinkhorn2 = linear, not value", ours["found"]["linear"], float(value), 1e-7)
    loose = ot.unbalanced.sinkhorn_unbalanced(
        a, b, cost, EPSILON, RHO, reg_type="kl", numItermax=100000, stopThr=1e-13
    )
    line(
        "sinkhorn_unbalanced(reg=eps, reg_m=RHO, reg_type='kl') = kl:RHO: plan",
        ours["unbalanced_plan"],
        loose,
        1e-6,
    )
    sinkhorn = ot.bregman.empirical_sinkhorn_divergence(
        x, y, EPSILON, a=a, b=b, numIterMax=100000, stopThr=1e-12
    )
    linear = sum(
        share
        * (
            cost_of(p, q)
            * ot.bregman.sinkhorn_log(
                u, v, cost_of(p, q), EPSILON, numItermax=100000, stopThr=1e-12
            )
        ).sum()
        for share, p, q, u, v in ((1, x, y, a, b), (-0.5, x, x, a, a), (-0.5, y, y, b, b))
    )
    print(
        f"   (empirical_sinkhorn_divergence {float(sinkhorn):.7f} is of the linear terms, {linear:.7f}:"
    )
    print(f"    not --divergence, {ours['divergence']:.7f})")


def cost_of(p, q):
    return ((p[:, None] - q[None]) ** 2).sum(-1)


def transport_ott(ours, x, y, a, b, cost):
    try:
        jax = import_ott()
    except ImportError:
        return
    import ott
    from ott.geometry import pointcloud
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    print(f"\nOTT-JAX {ott.__version__}, epsilon = eps")
    cloud = pointcloud.PointCloud(jax.numpy.asarray(x), jax.numpy.asarray(y), epsilon=EPSILON)
    solver = sinkhorn.Sinkhorn(threshold=1e-12, max_iterations=100000)
    out = solver(linear_problem.LinearProblem(cloud, jax.numpy.asarray(a), jax.numpy.asarray(b)))
    line("Sinkhorn on PointCloud(epsilon=eps): plan", ours["plan"], np.asarray(out.matrix), 1e-7)
    f = np.asarray(out.f) - EPSILON * np.log(a)
    line("   out.f - eps log a = f, up to a constant", centred(ours["f"], a), centred(f, a), 1e-6)
    line(
        "   out.ent_reg_cost = value of --reference counting",
        ours["counting"]["value"],
        float(out.ent_reg_cost),
        1e-6,
    )
    line("   out.primal_cost = linear", ours["found"]["linear"], float(out.primal_cost), 1e-6)
    tau = RHO / (RHO + EPSILON)
    problem = linear_problem.LinearProblem(
        cloud, jax.numpy.asarray(a), jax.numpy.asarray(b), tau_a=tau, tau_b=tau
    )
    loose = solver(problem)
    what = "tau = RHO / (RHO + eps) = kl:RHO --reference counting: plan"
    line(what, ours["unbalanced_counting"], np.asarray(loose.matrix), 1e-6)
    off = np.abs(ours["unbalanced_plan"] - np.asarray(loose.matrix)).sum()
    print(f"   (without --reference counting the plan is another one: {off:.2f} away)")
    spread = float(cloud.cost_matrix.std())
    default = pointcloud.PointCloud(jax.numpy.asarray(x), jax.numpy.asarray(y))
    line(
        "   its epsilon where none is given: 0.05 standard deviations of C",
        0.05 * spread,
        float(default.epsilon),
        1e-6,
    )


def transport_geomloss(ours, x, y, a, b, cost):
    try:
        import geomloss
        import torch
    except ImportError:
        return
    print(
        "\nGeomLoss 0.3, p=2: the cost is |x-y|^2 / 2 and its eps is blur^2, so blur = sqrt(eps/2)"
    )
    tensors = [torch.tensor(values, dtype=torch.float64) for values in (a, x, b, y)]
    blur, reach = math.sqrt(EPSILON / 2), math.sqrt(RHO / 2)
    # Its schedule ends with one step at the target; scaling near 1 gets it close.
    named = {"p": 2, "blur": blur, "scaling": 0.999, "backend": "tensorized"}
    loss = geomloss.SamplesLoss("sinkhorn", debias=False, **named)(*tensors)
    line(
        "2 SamplesLoss(blur=sqrt(eps/2), debias=False) = value",
        ours["found"]["value"],
        2 * float(loss),
        1e-3,
    )
    loss = geomloss.SamplesLoss("sinkhorn", debias=True, **named)(*tensors)
    line(
        "2 SamplesLoss(blur=sqrt(eps/2)) = value of --divergence",
        ours["divergence"],
        2 * float(loss),
        1e-3,
    )
    f, g = geomloss.SamplesLoss("sinkhorn", debias=False, potentials=True, **named)(*tensors)
    f, g = 2 * f.numpy().ravel(), 2 * g.numpy().ravel()
    line(
        "   its potentials, doubled = f, up to a constant",
        centred(ours["f"], a),
        centred(f, a),
        1e-3,
    )
    plan = np.outer(a, b) * np.exp((f[:, None] + g - cost) / EPSILON)
    line("   a b exp((F + G - |x-y|^2/2) / blur^2): plan", ours["plan"], plan, 2e-3)
    loose = geomloss.SamplesLoss("sinkhorn", debias=False, potentials=True, reach=reach, **named)
    f, g = (2 * values.numpy().ravel() for values in loose(*tensors))
    plan = np.outer(a, b) * np.exp((f[:, None] + g - cost) / EPSILON)
    line("reach = sqrt(RHO/2) = kl:RHO: plan", ours["unbalanced_plan"], plan, 5e-3)
    loss = geomloss.SamplesLoss("sinkhorn", debias=False, **(named | {"p": 1, "blur": EPSILON}))(
        *tensors
    )
    line(
        "p=1: SamplesLoss(blur=eps) = value of --cost euclidean",
        ours["euclidean"]["value"],
        float(loss),
        1e-3,
    )


def gromov(gaspard):
    try:
        import ot
    except ImportError:
        return
    random = np.random.default_rng(1)
    x, y = random.normal(size=(14, 2)), random.normal(size=(17, 3))
    files = [gaspard.file("gx", x), gaspard.file("gy", y)]
    first, second = (np.sqrt(cost_of(p, p)) for p in (x, y))
    p, q = np.full(14, 1 / 14), np.full(17, 1 / 17)
    # So strong that every start ends in the same plan.
    epsilon = 0.5
    plan = gaspard.folder / "gw.npy"
    numbers = ["--epsilon", epsilon, "--tolerance", 1e-7, "--max-iterations", 3000]
    numbers += [
        "--inner-tolerance",
        1e-12,
        "--inner-iterations",
        2000,
        "--init",
        "product",
        "--annealing",
        1,
    ]
    found = gaspard("gromov", *files, "--as", "points", *numbers, "--coupling", plan)
    ours = np.load(plan)
    print("\nGromov-Wasserstein")
    squares = np.einsum("ik,jl,ij,kl->", (first**2), np.ones_like(second), ours, ours)
    squares += np.einsum("ik,jl,ij,kl->", np.ones_like(first), second**2, ours, ours)
    cross = np.einsum("ik,jl,ij,kl->", first, second, ours, ours)
    line("transport = sum |D - D'|^2 P P", found["transport"], squares - 2 * cross, 1e-6)
    entropy = 2 * (ours * np.log(ours)).sum()
    line(
        "regularisation = eps (2 m sum P log P - m^2), counting",
        found["regularisation"],
        epsilon * (entropy - 1),
        1e-6,
    )
    theirs, log = ot.gromov.entropic_gromov_wasserstein(
        first,
        second,
        p,
        q,
        "square_loss",
        epsilon=2 * epsilon,
        solver="PGD",
        max_iter=5000,
        tol=1e-12,
        log=True,
        numItermax=5000,
        stopThr=1e-12,
    )
    line("POT entropic_gromov_wasserstein(epsilon=2 eps): plan", ours, theirs, 1e-4)
    line("   its gw_dist = transport", found["transport"], float(log["gw_dist"]), 1e-4)
    try:
        jax = import_ott()
    except ImportError:
        return
    from ott.geometry import geometry
    from ott.problems.quadratic import quadratic_problem
    from ott.solvers.linear import sinkhorn
    from ott.solvers.quadratic import gromov_wasserstein

    inner = sinkhorn.Sinkhorn(threshold=1e-12, max_iterations=20000)
    spaces = [geometry.Geometry(jax.numpy.asarray(matrix)) for matrix in (first, second)]
    solver = gromov_wasserstein.GromovWasserstein(
        inner, epsilon=epsilon, max_iterations=3000, threshold=1e-12
    )
    out = solver(quadratic_problem.QuadraticProblem(*spaces))
    line("OTT GromovWasserstein(epsilon=eps): plan", ours, np.asarray(out.matrix), 1e-4)
    line("   out.primal_cost = transport", found["transport"], float(out.primal_cost), 1e-4)


def fused(gaspard):
    try:
        import ot
    except ImportError:
        return
    random = np.random.default_rng(4)
    x, y = random.normal(size=(14, 2)), random.normal(size=(17, 3))
    labels = np.arange(14) % 2, np.arange(17) % 2
    files = [gaspard.file("lx", x), gaspard.file("ly", y)]
    files += ["--labels", gaspard.file("l1", labels[0]), gaspard.file("l2", labels[1])]
    first, second = (np.sqrt(cost_of(p, p)) for p in (x, y))
    unequal = (labels[0][:, None] != labels[1]).astype(float)
    epsilon, alpha = 0.5, 0.3
    plan = gaspard.folder / "fgw.npy"
    numbers = [
        "--epsilon",
        epsilon,
        "--alpha",
        alpha,
        "--tolerance",
        1e-7,
        "--max-iterations",
        3000,
    ]
    numbers += [
        "--inner-tolerance",
        1e-12,
        "--inner-iterations",
        2000,
        "--init",
        "product",
        "--annealing",
        1,
    ]
    found = gaspard("gromov", *files, "--as", "points", *numbers, "--coupling", plan)
    ours = np.load(plan)
    print(
        "\nfused Gromov-Wasserstein: transport = alpha sum |D - D'|^2 P P + (1 - alpha) <labels, P>"
    )
    theirs, log = ot.gromov.entropic_fused_gromov_wasserstein(
        unequal,
        first,
        second,
        np.full(14, 1 / 14),
        np.full(17, 1 / 17),
        "square_loss",
        epsilon=2 * epsilon,
        alpha=alpha,
        solver="PGD",
        max_iter=5000,
        tol=1e-12,
        log=True,
        numItermax=5000,
        stopThr=1e-12,
    )
    line("POT entropic_fused_gromov_wasserstein(epsilon=2 eps, alpha): plan", ours, theirs, 1e-4)
    line("   its fgw_dist = transport", found["transport"], float(log["fgw_dist"]), 1e-4)
    try:
        jax = import_ott()
    except ImportError:
        return
    from ott.geometry import geometry
    from ott.problems.quadratic import quadratic_problem
    from ott.solvers.linear import sinkhorn
    from ott.solvers.quadratic import gromov_wasserstein

    inner = sinkhorn.Sinkhorn(threshold=1e-12, max_iterations=20000)
    spaces = [geometry.Geometry(jax.numpy.asarray(matrix)) for matrix in (first, second, unequal)]
    solver = gromov_wasserstein.GromovWasserstein(
        inner, epsilon=epsilon / alpha, max_iterations=3000, threshold=1e-12
    )
    penalty = (1 - alpha) / (2 * alpha)
    out = solver(quadratic_problem.QuadraticProblem(*spaces, fused_penalty=penalty))
    line(
        "OTT fused_penalty = (1-alpha)/(2 alpha), epsilon = eps/alpha: plan",
        ours,
        np.asarray(out.matrix),
        1e-4,
    )


def barycenter(gaspard):
    try:
        import ot
    except ImportError:
        return
    n = 24
    random = np.random.default_rng(2)
    rows, columns = np.mgrid[:n, :n]
    pictures = []
    for _ in range(2):
        i, j = random.uniform(6, 18, 2)
        bump = np.exp(-((rows - i) ** 2 + (columns - j) ** 2) / 18) + 1e-4
        pictures.append(bump / bump.sum())
    files = [gaspard.file(f"picture{k}", picture) for k, picture in enumerate(pictures)]
    answer = gaspard.folder / "barycenter.npy"
    gaspard(
        "barycenter",
        *files,
        "--epsilon",
        4e-3,
        "--tolerance",
        1e-10,
        "--max-iterations",
        20000,
        "--npy",
        answer,
    )
    reg = 4e-3 * (n / (n - 1)) ** 2
    theirs = ot.bregman.convolutional_barycenter2d(
        np.stack(pictures), reg, weights=np.full(2, 0.5), numItermax=20000, stopThr=1e-12
    )
    print("\nbarycenters of pictures, rows down and columns to the right")
    line("POT convolutional_barycenter2d(reg=eps (n/(n-1))^2)", np.load(answer), theirs, 1e-5)
    try:
        jax = import_ott()
    except ImportError:
        return
    from ott.geometry import grid
    from ott.problems.linear import barycenter_problem
    from ott.solvers.linear import discrete_barycenter

    geometry = grid.Grid(grid_size=(n, n), epsilon=reg)
    stacked = jax.numpy.asarray(np.stack([picture.ravel() for picture in pictures]))
    problem = barycenter_problem.FixedBarycenterProblem(
        geometry, stacked, jax.numpy.asarray([0.5, 0.5])
    )
    solver = discrete_barycenter.FixedBarycenter(threshold=1e-11, max_iterations=20000)
    out = solver(problem)
    line(
        "OTT FixedBarycenter on Grid(epsilon=eps (n/(n-1))^2)",
        np.load(answer),
        np.asarray(out.histogram).reshape(n, n),
        1e-5,
    )


def dynamic(gaspard):
    print("\ndynamic transport: no factor 1/2")
    ends = ["gaussian:0.35,0.4,0.08", "gaussian:0.65,0.6,0.08"]
    found = gaspard("dynamic", *ends, "--grid", "32x32x16", "--tolerance", 1e-4)
    line(
        "a unit of mass by (0.3, 0.2) in a unit of time costs 0.3^2 + 0.2^2",
        found["total"],
        0.13,
        1e-2,
    )
    scaled = gaspard(
        "dynamic",
        *ends,
        "--grid",
        "32x32x16",
        "--tolerance",
        1e-4,
        "--map",
        "scale:2",
        "--beta",
        0.5,
    )
    line(
        "a space on twice the scale costs four times as much, and beta weights it",
        scaled["total"],
        0.13 * (1 + 0.5 * 4),
        1e-2,
    )


def flat(gaspard):
    try:
        import ot
    except ImportError:
        return
    random = np.random.default_rng(3)
    x, y = random.normal(size=(20, 2)), random.normal(size=(25, 2)) + 0.5
    files = [gaspard.file("fx", x), gaspard.file("fy", y)]
    a, b = np.full(20, 0.03), np.full(25, 0.08)
    files += ["--weights-a", gaspard.file("fa", a), "--weights-b", gaspard.file("fb", b)]
    found = gaspard("flat", *files, "--method", "exact")
    # Nothing moves further than 2, and what is lost costs 1.
    cost = np.vstack([np.minimum(np.sqrt(cost_of(x, y)), 2), np.ones((1, 25))])
    value = ot.emd2(np.append(a, b.sum() - a.sum()), b, cost)
    print("\nflat metric")
    line(
        "value = POT ot.emd2 on min(|x-y|, 2), with a point at 1 for the surplus",
        found["value"],
        value,
        1e-9,
    )
    line("normalised = value / the smaller mass", found["normalised"], value / a.sum(), 1e-9)


def sound(gaspard):
    try:
        from scipy.io import wavfile
        from scipy.signal import correlate
    except ImportError:
        return
    out = gaspard.folder / "scene.wav"
    gaspard(
        "simulate",
        "--voices",
        1,
        "--delays",
        40,
        "--seconds",
        1,
        "--snr",
        60,
        "--out",
        out,
        json_out=False,
    )
    rate, samples = wavfile.read(out)
    first, second = samples.astype(float).T
    lag = int(np.argmax(correlate(second, first))) - (len(first) - 1)
    print("\nsound")
    line("a delay of +40 samples: microphone 2 is 40 samples later", 40.0, float(lag), 1e-9)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--gaspard", default="gaspard", help="path of the binary")
    gaspard = Gaspard(options.parse_args().gaspard)
    print(f"{'':<74}{'gaspard':>12}{'peer':>12}  {'apart':>8}")
    for part in (transport, gromov, fused, barycenter, dynamic, flat, sound):
        part(gaspard)
    if failures:
        sys.exit(f"{len(failures)} comparisons fail")


if __name__ == "__main__":
    main()
