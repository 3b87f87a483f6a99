"""Times gaspard beside POT, OTT-JAX, GeomLoss and FlashSinkhorn, in one run on one machine.

Every solver of every case has a process of its own, so that peak memory and cold start mean
something.
"""

import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

import harness
from harness import cell, device_peak, megabytes, print_table, work
from linear_peers import MAKERS, WITHOUT_STOP, barycenter_pot

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


def run_gaspard_batch(binary, case, options):
    """A batch is a matter of the library: its own benchmark times an iteration of it."""
    command = [binary, "bench", "--filter", "batch of transports"]
    command += ["--quick"] if options.quick else []
    report = harness.gaspard(command, options.device, options.timeout)
    if "skipped" in report:
        return report
    row = report["rows"][0]
    return {
        "seconds": row["seconds"] * case["iterations"],
        "peak_bytes": report["peak_bytes"],
        # Measuring the device's ceilings is in it.
        "cold_start": report["wall"],
        "report": row,
    }


def run_gaspard(binary, case, folder, options):
    device, repeats, timeout = options.device, options.repeats, options.timeout
    if case["kind"] == "batch":
        return run_gaspard_batch(binary, case, options)
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
            runs.append(harness.gaspard([*base, *limits, *more], device, timeout))
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
        row += [
            megabytes(result["peak_bytes"]),
            megabytes(result.get("device_peak_bytes")),
            cell(result["cold_start"], ".2f"),
        ]
        rows.append(row)
    print_table(rows)


def drive(options):
    binary = harness.find_binary(options)
    record = harness.record(options, PACKAGES) | {"repeats": options.repeats}
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
        harness.write(options.out, record)
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


# ---- a peer's process ----------------------------------------------------------------------

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


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs per median")
    harness.main(parser, drive, {"prepare": prepare, "check": check, "solve": solve_job})
