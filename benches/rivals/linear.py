"""Times gaspard beside POT, OTT-JAX, GeomLoss and FlashSinkhorn, in one run on one machine.

Every solver of every case has a process of its own, so that peak memory and cold start mean
something. The driver imports nothing heavy: on Linux a child's peak starts at its parent's size.
"""

import argparse
import importlib.abc
import importlib.metadata
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PACKAGES = ("POT", "ott-jax", "jax", "geomloss", "pykeops", "flash-sinkhorn", "torch", "numpy")
PEERS = {
    ("transport", "cpu"): ("pot", "ott-stored", "ott-online", "geomloss-tensorized"),
    ("transport", "gpu"): (
        "pot",
        "ott-stored",
        "ott-online",
        "geomloss-tensorized",
        "geomloss-online",
        "flash",
        "flash-tf32",
    ),
    ("barycenter", "cpu"): ("pot-kernel", "pot-log", "ott-kernel", "ott-log"),
    ("barycenter", "gpu"): ("pot-kernel", "pot-log", "ott-kernel", "ott-log"),
    ("batch", "cpu"): ("pot", "ott"),
    ("batch", "gpu"): ("pot", "ott"),
}


def cases(device, quick):
    """Sizes that a few minutes per solver allow; `quick` only shows that everything runs."""
    dimensions = (2,) if quick else (2, 3, 10)
    if quick:
        sizes, sides, batch = [(200, 20)], [(32, 20)], (50, 256, 20)
    elif device == "cpu":
        sizes, sides, batch = [(1000, 100), (4000, 20)], [(256, 20)], (1000, 256, 20)
    else:
        sizes, batch = [(10_000, 100), (100_000, 20)], (1000, 256, 100)
        sides = [(256, 100), (512, 100), (1024, 50)]
    for n, iterations in sizes:
        for dimension in dimensions:
            yield {
                "kind": "transport",
                "name": f"transport n={n} d={dimension}",
                "n": n,
                "dimension": dimension,
                "iterations": iterations,
                # Where an iteration takes a second, fewer have to do.
                "epsilon_share": 0.05 if device == "cpu" and n > 1000 else 0.01,
                "max_iterations": 2000,
                "tolerance": 1e-4,
            }
    for side, iterations in sides:
        yield {
            "kind": "barycenter",
            "name": f"barycenter of 4 images {side}x{side}",
            "side": side,
            "iterations": iterations,
            "epsilon": 0.002,
            "max_iterations": 500,
            "tolerance": 1e-3,
        }
    count, n, iterations = batch
    yield {
        "kind": "batch",
        "name": f"batch of {count} transports {n}x{n}",
        "count": count,
        "n": n,
        "dimension": 3,
        "epsilon_share": 0.05,
        "iterations": iterations,
    }


# ---- the driver -----------------------------------------------------------------------------


def measured(command, timeout, environment=None):
    """Runs a command; returns its exit code, output, seconds and peak resident bytes."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.time()
        child = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        timer = threading.Timer(timeout, child.kill)
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.time() - start
        output.seek(0)
        errors.seek(0)
        # Linux counts the peak in KiB, macOS in bytes.
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        text = output.read().decode(), errors.read().decode(errors="replace")
    return child.returncode, *text, seconds, peak


def work(spec, timeout):
    """Runs one job of this script in a process of its own."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu" if spec["device"] == "cpu" else "cuda",
        # Doubles on the CPU, as gaspard's CPU engine; plain f32 on the GPU, without the TF32
        # that jax would take by itself.
        "JAX_ENABLE_X64": "1" if spec["device"] == "cpu" else "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    spec = spec | {"started": time.time()}
    command = [sys.executable, __file__, "--worker", json.dumps(spec)]
    code, output, errors, seconds, peak = measured(command, timeout, environment)
    if code != 0:
        lines = errors.strip().splitlines() or [f"exit code {code}"]
        reason = f"killed after {seconds:.0f} s" if code == -9 else lines[-1][:160]
        return {"skipped": reason}
    return json.loads(output.splitlines()[-1]) | {"peak_bytes": peak}


def gaspard_once(arguments, device, timeout):
    command = [*arguments, "--json", "-", "--device", device, "--quiet"]
    code, output, errors, seconds, peak = measured(command, timeout)
    # 3 means "not converged", which a run with a fixed number of iterations is meant to be.
    if code not in (0, 3):
        lines = errors.strip().splitlines() or [f"exit code {code}"]
        return {"skipped": lines[-1][:160]}
    return json.loads(output) | {"wall": seconds, "peak_bytes": peak}


def run_gaspard_batch(binary, case, device, quick, timeout):
    """A batch is a matter of the library: its own benchmark times an iteration of it."""
    command = [binary, "bench", "--filter", "batch of transports", "--device", device]
    command += ["--quick"] if quick else []
    start = time.time()
    code, output, errors, _, peak = measured([*command, "--quiet", "--json", "-"], timeout)
    if code != 0:
        return {"skipped": (errors.strip().splitlines() or [f"exit code {code}"])[-1][:160]}
    row = json.loads(output)["rows"][0]
    return {
        "seconds": row["seconds"] * case["iterations"],
        "peak_bytes": peak,
        # Measuring the device's ceilings is in it.
        "cold_start": time.time() - start,
        "report": row,
    }


def run_gaspard(binary, case, folder, options):
    device, repeats, timeout = options.device, options.repeats, options.timeout
    if case["kind"] == "batch":
        return run_gaspard_batch(binary, case, device, options.quick, timeout)
    files = [str(path) for path in sorted(folder.glob("input_*.npy"))]
    verb = "barycenter" if case["kind"] == "barycenter" else "transport"
    epsilon, answer = case["epsilon"], ["--potentials", str(folder / "answer_gaspard.npz")]
    if verb == "barycenter":
        # The peers' grid runs from 0 to 1 between the centres of the outer cells, ours between
        # their outer edges: the same problem has a smaller epsilon.
        epsilon *= ((case["side"] - 1) / case["side"]) ** 2
        answer = ["--npy", str(folder / "gaspard_image.npy")]
    base = [binary, verb, *files, "--epsilon", repr(epsilon)]

    def timed(iterations, tolerance, *more):
        limits = ["--max-iterations", str(iterations), "--tolerance", repr(tolerance)]
        runs = []
        for _ in range(repeats):
            runs.append(gaspard_once([*base, *limits, *more], device, timeout))
            if "skipped" in runs[-1]:
                break
        return runs

    runs = timed(case["iterations"], 0.0)
    if "skipped" in runs[-1]:
        return runs[-1]
    result = {
        "cold_start": runs[0]["wall"],
        "seconds": statistics.median(run["seconds"] for run in runs),
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "report": runs[-1],
    }
    runs = timed(case["max_iterations"], case["tolerance"], *answer)
    if "skipped" not in runs[-1]:
        result |= {
            "to_tolerance": statistics.median(run["seconds"] for run in runs),
            "iterations_to_tolerance": runs[-1]["iterations"],
            "value": runs[-1]["value"],
        }
    return result


def cell(value, form):
    return "-" if value is None else format(value, form)


def ratio(result, reference, key):
    if key not in result or key not in (reference or {}):
        return None
    return result[key] / reference[key]


def table(case, results):
    """Ratios are peer over gaspard: above 1, gaspard is faster."""
    reference = results.get("gaspard")
    head = ["solver", "ms/iteration", "ratio"]
    if "tolerance" in case:
        head += ["iterations", f"s to {case['tolerance']:.0e}", "ratio", "L1 error"]
    rows = [[*head, "host MB", "GPU MB", "cold s"]]
    for name, result in results.items():
        if "skipped" in result:
            rows.append([name, f"skipped: {result['skipped']}"])
            continue
        row = [
            name,
            cell(1e3 * result["seconds"] / case["iterations"], ".3f"),
            cell(ratio(result, reference, "seconds"), ".2f"),
        ]
        if "tolerance" in case:
            error = result.get("error")
            # Some schedules end before the marginals are right: no time to compare then.
            reached = error is not None and error <= 2 * case["tolerance"]
            row += [
                cell(result.get("iterations_to_tolerance"), "d"),
                cell(result.get("to_tolerance"), ".3f") if reached else "never",
                cell(ratio(result, reference, "to_tolerance"), ".2f") if reached else "-",
                cell(error, ".1e"),
            ]
        device_bytes = result.get("device_peak_bytes")
        row += [
            cell(result["peak_bytes"] / 1e6, ".0f"),
            cell(device_bytes and device_bytes / 1e6, ".0f"),
            cell(result["cold_start"], ".2f"),
        ]
        rows.append(row)
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[k]) for row in full) for k in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    for row in rows:
        padded = [row[0].ljust(widths[0])]
        if len(row) == len(widths):
            padded += [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        else:
            padded += row[1:]
        print("  ".join(padded))


def versions():
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def drive(options):
    binary = options.gaspard or shutil.which("gaspard")
    if binary is None or not Path(binary).is_file():
        print("gaspard: no binary (give --gaspard PATH); the peers run alone, without ratios")
        binary = None
    record = {
        "device": options.device,
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": versions() | {"python": platform.python_version()},
        "repeats": options.repeats,
        "cases": [],
    }
    for case in cases(options.device, options.quick):
        if not any(text in case["name"] for text in options.only):
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            common = {"folder": name, "device": options.device, "repeats": options.repeats}
            prepared = work(common | {"job": "prepare", "case": case}, options.timeout)
            if "skipped" in prepared:
                sys.exit(f"could not make the inputs: {prepared['skipped']}")
            case["epsilon"] = prepared["epsilon"]
            print(f"\n{case['name']}, epsilon {case['epsilon']:.3g}", flush=True)
            results = {}
            if binary:
                results["gaspard"] = run_gaspard(binary, case, folder, options)
            for peer in PEERS[case["kind"], options.device]:
                job = {"job": "solve", "case": case, "peer": peer}
                results[peer] = work(common | job, options.timeout)
            checks = work(common | {"job": "check", "case": case}, options.timeout)
            if "skipped" in checks:
                print(f"no answers were re-measured: {checks['skipped']}")
            for peer, found in checks.items():
                if peer in results and "skipped" not in results[peer]:
                    results[peer] |= found
        table(case, results)
        record["cases"].append(case | {"results": results})
        options.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nwritten to {options.out}")


# ---- inputs and the checker -----------------------------------------------------------------


def shapes(side):
    """Four pictures as densities: disc, ring, cross, two blobs."""
    import numpy as np

    row, column = np.meshgrid(*(np.linspace(-1, 1, side),) * 2, indexing="ij")
    radius = np.hypot(row, column)
    pictures = [
        radius < 0.5,
        (radius < 0.7) & (radius > 0.4),
        np.minimum(np.abs(row), np.abs(column)) < 0.15,
        np.exp(-20 * ((row - 0.4) ** 2 + (column - 0.3) ** 2))
        + np.exp(-20 * ((row + 0.4) ** 2 + (column + 0.3) ** 2)),
    ]
    # A thousandth of background keeps the kernel methods from dividing zero by zero in f32.
    pictures = [picture / picture.sum() + 1e-3 / side**2 for picture in pictures]
    return [picture / picture.sum() for picture in pictures]


def prepare(spec):
    import numpy as np

    case, folder, rng = spec["case"], Path(spec["folder"]), np.random.default_rng(0)
    if case["kind"] == "barycenter":
        pictures = shapes(case["side"])
        for k, picture in enumerate(pictures):
            np.save(folder / f"input_{k}.npy", picture)
        # Converged: what the answers are judged by.
        solve, finish = barycenter_pot(pictures, case, spec["device"], "kernel")
        reference = finish(solve(case["max_iterations"], None))["image"]
        np.save(folder / "reference.npy", reference)
        return {"epsilon": case["epsilon"]}
    shape = (case.get("count", 1), case["n"], case["dimension"])
    x = rng.uniform(size=shape)
    y = 0.5 + 0.2 * rng.normal(size=shape)
    squared = ((x[0, :500, None] - y[0, None, :500]) ** 2).sum(-1)
    for k, points in enumerate((x, y)):
        np.save(folder / f"input_{k}.npy", points if case["kind"] == "batch" else points[0])
    return {"epsilon": float(case["epsilon_share"] * np.median(squared))}


def marginal_error(x, y, f, g, eps, device):
    """L1 error of both marginals of the plan a b exp((f + g - |x - y|^2) / eps), in doubles.

    Weights are uniform. Rows go in panels so that the check itself takes little memory.
    """
    if device == "gpu":
        import torch as xp

        x, y, f, g = (xp.as_tensor(array, dtype=xp.float64).cuda() for array in (x, y, f, g))
        panel = max(1, 50_000_000 // len(y))
    else:
        import numpy as xp

        panel = max(1, 1_000_000 // len(y))
    columns, row_error = 0.0, 0.0
    for start in range(0, len(x), panel):
        rows = slice(start, start + panel)
        cost = (x[rows] ** 2).sum(1)[:, None] + (y**2).sum(1) - 2 * (x[rows] @ y.T)
        plan = xp.exp((f[rows, None] + g - cost) / eps) / (len(x) * len(y))
        row_error += float(abs(plan.sum(1) - 1 / len(x)).sum())
        columns = columns + plan.sum(0)
    return row_error + float(abs(columns - 1 / len(y)).sum())


def check(spec):
    """Judges every answer left in the folder by one rule."""
    import numpy as np

    case, folder = spec["case"], Path(spec["folder"])
    found = {}
    if case["kind"] == "transport":
        x, y = (np.load(folder / f"input_{k}.npy") for k in range(2))
        for path in sorted(folder.glob("answer_*.npz")):
            answer = np.load(path)
            error = marginal_error(x, y, answer["f"], answer["g"], case["epsilon"], spec["device"])
            found[path.stem.removeprefix("answer_")] = {"error": error}
    if case["kind"] == "barycenter":
        reference = np.load(folder / "reference.npy")
        answers = {
            path.stem.removeprefix("answer_"): np.load(path)["image"]
            for path in sorted(folder.glob("answer_*.npz"))
        }
        if (folder / "gaspard_image.npy").exists():
            answers["gaspard"] = np.load(folder / "gaspard_image.npy")
        for peer, image in answers.items():
            found[peer] = {"error": float(np.abs(image - reference).sum())}
    return found


# ---- the peers ------------------------------------------------------------------------------
#
# Each returns `solve(iterations, tolerance)`, which waits for the device and returns whatever
# `finish` turns into plain arrays. A tolerance of None means: exactly that many iterations.


def torch_device(device):
    import torch

    if device == "gpu":
        if not torch.cuda.is_available():
            raise ImportError("torch finds no CUDA device")
        return torch.device("cuda"), torch.float32
    return torch.device("cpu"), torch.float64


def torch_arrays(arrays, device):
    import torch

    place, dtype = torch_device(device)
    return [torch.as_tensor(array, dtype=dtype, device=place) for array in arrays]


def synchronise(device):
    if device == "gpu":
        import torch

        torch.cuda.synchronize()


def host(array):
    import numpy as np

    return np.asarray(array.cpu() if hasattr(array, "cpu") else array, dtype=np.float64)


def pot_arrays(arrays, device):
    """POT in numpy on the CPU, in torch on the GPU."""
    return torch_arrays(arrays, device) if device == "gpu" else arrays


class Hide(importlib.abc.MetaPathFinder):
    """Makes packages look as if they were not installed."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, _path, _target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"{name} is hidden")


def import_pot(device):
    """POT loads every array library it finds, in seconds; it gets the one it is going to use."""
    hidden = {"jax", "tensorflow", "cupy"} | ({"torch", "geomloss"} if device == "cpu" else set())
    sys.meta_path.insert(0, Hide(hidden))
    import ot

    return ot


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


def import_ott():
    import jax

    # ott-jax 0.6.0 asks newer versions of jax for this private name, when it works in batches.
    batching = jax.interpreters.batching
    if not hasattr(batching, "is_vmappable"):
        batching.is_vmappable = lambda _: False
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise ImportError("jax finds no such device") from error
    return jax


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
# Barycenters of the peers and these have no test of the L1 error: they are given the count of iterations that suffices.
WITHOUT_STOP = ("geomloss", "flash")
SEARCH_SECONDS = 120.0


def timed(call, repeats, budget=60.0):
    """Median seconds, and the last answer; stops early when repeating would take too long."""
    seconds = []
    while len(seconds) < repeats and sum(seconds) < budget:
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), answer


def enough_iterations(solve, finish, error, case):
    """The first count of a growing sequence that meets the tolerance, or the largest it tries."""
    iterations = 20
    start = time.perf_counter()
    while iterations < case["max_iterations"] and time.perf_counter() - start < SEARCH_SECONDS:
        answer = finish(solve(iterations, None))
        if error(answer) <= case["tolerance"]:
            return iterations
        iterations = math.ceil(iterations * 1.4)
    return min(iterations, case["max_iterations"])


def judge(inputs, case, folder, device):
    """How far an answer is from right, for those who cannot say."""
    import numpy as np

    if case["kind"] == "barycenter":
        reference = np.load(folder / "reference.npy")
        return lambda answer: float(np.abs(answer["image"] - reference).sum())

    def error(answer):
        return marginal_error(*inputs, answer["f"], answer["g"], case["epsilon"], device)

    return error


def device_peak(peer, device):
    if device == "cpu":
        return None
    if peer == "ott":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    import torch

    return torch.cuda.max_memory_allocated()


def solve_job(spec):
    import numpy as np

    case, folder, device = spec["case"], Path(spec["folder"]), spec["device"]
    peer, _, variant = spec["peer"].partition("-")
    inputs = [np.load(path) for path in sorted(folder.glob("input_*.npy"))]
    solve, finish = MAKERS[case["kind"], peer](inputs, case, device, variant)

    solve(case["iterations"], None)
    result = {"cold_start": time.time() - spec["started"]}
    result["seconds"], answer = timed(lambda: solve(case["iterations"], None), spec["repeats"])
    result["device_peak_bytes"] = device_peak(peer, device)
    if "tolerance" in case:
        iterations, tolerance = case["max_iterations"], case["tolerance"]
        if case["kind"] == "barycenter" or peer in WITHOUT_STOP:
            error = judge(inputs, case, folder, device)
            iterations = enough_iterations(solve, finish, error, case)
            tolerance = None
        elif peer == "ott":
            # Other limits are another program to jax: compile it before the clock starts.
            solve(iterations, tolerance)
        result["to_tolerance"], answer = timed(
            lambda: solve(iterations, tolerance), spec["repeats"]
        )
        result["iterations_to_tolerance"] = iterations
    if finish:
        answer = finish(answer)
        if "iterations" in answer:
            result["iterations_to_tolerance"] = int(answer["iterations"])
        np.savez(folder / f"answer_{spec['peer']}.npz", **answer)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that all runs")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="run the cases whose name holds one of these texts"
    )
    parser.add_argument("--gaspard", help="path of the binary (default: from PATH)")
    parser.add_argument("--repeats", type=int, default=5, help="runs per median")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds per process")
    parser.add_argument("--out", type=Path, default=Path("results.json"))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is None:
        drive(options)
        return
    spec = json.loads(options.worker)
    jobs = {"prepare": prepare, "check": check, "solve": solve_job}
    print(json.dumps(jobs[spec["job"]](spec)))


if __name__ == "__main__":
    main()
