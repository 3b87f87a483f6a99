"""Barycenters of shapes: the loss against the seconds, for `gromov.py`."""

import json
import math
import time
from pathlib import Path

from harness import FEASIBLE, cell, device_peak, megabytes, peak_so_far

PLAIN, REFINED, CONFIRMED = "gaspard", "gaspard-refined", "gaspard-so-far"
# How far above the least loss of a solver another one counts as having reached the same.
SAME = 1.01


# ---- the driver -----------------------------------------------------------------------------


def solve(run):
    case, results = run.case, {}
    if run.binary:
        results[PLAIN] = run_gaspard(run, PLAIN)
        if case["refined"]:
            # Towards no entropy, as the exact method of POT.
            results[REFINED] = run_gaspard(run, REFINED, "--refine", 3, "--tolerance", 1e-2)
    for peer, share in case["peers"].items():
        results[peer] = run.work("solve", peer=peer, limit=share * run.options.limit)
    check(run, results)
    compare(results)
    confirm(run, results)
    return results


def run_gaspard(run, name, *more):
    """The mean over inputs is weights of 1 / count, which takes that part of epsilon."""
    case = run.case
    count = len(case["inputs"])
    nodes = [{"image": f"input_{k}.npy"} for k in range(count)]
    nodes.append({"grid": [case["side"]] * 2, "law": "free"})
    edges = [{"rows": k, "cols": count, "weight": 1 / count} for k in range(count)]
    problem = run.folder / "problem.json"
    problem.write_text(json.dumps({"nodes": nodes, "edges": edges}))
    answer = ["--plans", "--out", run.folder / f"answer_{name}.npz"]
    epsilon = ["--epsilon", repr(case["epsilon"] / count)]
    report = run.gaspard(
        "--tree", problem, *epsilon, *answer, *more, timeout=run.options.limit * case["limit_share"]
    )
    if "skipped" in report:
        return report
    kept = ("trace", "wall", "peak_bytes", "converged", "sweeps", "cycling", "epsilon", "device")
    return {key: report[key] for key in kept}


def check(run, results):
    """Adds what one routine finds of every answer; then the answers are no longer needed."""
    for name, result in results.items():
        path = run.folder / f"answer_{name}.npz"
        if path.exists():
            found = run.work("check", answer=str(path))
            path.unlink()
            if "skipped" in found:
                result["skipped"] = f"no check: {found['skipped']}"
            else:
                # The memory of the check is nobody's.
                result |= found | {"peak_bytes": result["peak_bytes"]}


def first_to(trace, loss):
    """The first step of a trace that is at most this loss."""
    return next((row for row in trace if row["transport"] <= loss), None)


def compare(results):
    """When each got to its least loss, and when gaspard got there; refined where it has to be."""
    ours = {name: results[name].get("trace", []) for name in (PLAIN, REFINED) if name in results}
    for name, result in results.items():
        trace = result.get("trace")
        if not trace or result.get("l1_error", math.inf) > FEASIBLE:
            continue
        target = SAME * min(row["transport"] for row in trace)
        result["to_least"] = first_to(trace, target)["seconds"]
        if name in ours:
            continue
        for solver, steps in ours.items():
            step = first_to(steps, target)
            if step:
                found = {key: step[key] for key in ("iteration", "seconds")}
                result["reached"] = {"solver": solver} | found
                result["times_sooner"] = result["to_least"] / step["seconds"]
                break


def confirm(run, results):
    """Goes again as far as the published method's least loss, and judges the plans of there.

    Early plans may cost less than they should because their marginals are off: then further.
    """
    published = results.get("published", {})
    reached = published.get("reached")
    if not reached or reached["solver"] != PLAIN:
        return
    target = SAME * min(row["transport"] for row in published["trace"])
    iterations, last = reached["iteration"], len(results[PLAIN]["trace"])
    while iterations <= last:
        result = run_gaspard(run, CONFIRMED, "--max-iterations", iterations)
        results[CONFIRMED] = result
        check(run, results)
        if "skipped" in result:
            return
        if result["loss"] <= target and result["l1_error"] <= FEASIBLE:
            seconds = result["trace"][-1]["seconds"]
            reached |= {"iteration": iterations, "seconds": seconds}
            published["times_sooner"] = published["to_least"] / seconds
            return
        iterations += 1 + iterations // 10
    del published["reached"], published["times_sooner"]


def table(case, results):
    head = ["solver", "loss", "L1 error", "outer steps", "s", "s to least"]
    head += ["gaspard's s there", "times sooner", "host MB", "GPU MB"]
    rows = [head]
    for name, result in results.items():
        if "skipped" in result:
            rows.append([name, f"skipped: {result['skipped']}"])
            continue
        trace = result["trace"]
        remark = result.get("failure")
        if not trace:
            rows.append([name, remark or "no outer step in the time"])
            continue
        rows.append(
            [
                name,
                cell(result.get("loss"), ".3e"),
                cell(result.get("l1_error"), ".0e"),
                cell(len(trace), "d"),
                cell(trace[-1]["seconds"], ".1f"),
                cell(result.get("to_least"), ".1f"),
                cell(result.get("reached", {}).get("seconds"), ".2f"),
                cell(result.get("times_sooner"), ".1f"),
                megabytes(result["peak_bytes"]),
                megabytes(result.get("device_peak_bytes")),
            ]
        )
        if remark:
            rows.append(["", remark])
    return rows


# ---- the jobs -------------------------------------------------------------------------------


def prepare(spec):
    import numpy as np

    from gromov_inputs import picture

    for k, name in enumerate(spec["case"]["inputs"]):
        np.save(Path(spec["folder"]) / f"input_{k}.npy", picture(name, spec["case"]["data"]))
    return {}


def spaces(spec):
    """Distances and weights of the inputs."""
    import numpy as np

    from gromov_inputs import Stored, support

    files = sorted(Path(spec["folder"]).glob("input_*.npy"))
    supports = [support(np.load(path)) for path in files]
    return [(Stored.euclidean(places), weights) for places, weights in supports]


def solve_job(spec):
    import numpy as np

    from gromov_peers import BARYCENTERS, Recorder

    case, (peer, _, variant) = spec["case"], spec["peer"].partition("-")
    inputs, recorder = spaces(spec), Recorder(spec["limit"])
    ready = BARYCENTERS[peer](inputs, case, spec["device"], recorder, variant)
    recorder.run(ready)
    peak = peak_so_far()
    if recorder.plans is not None:
        answer = {f"plan_{k}": np.asarray(plan) for k, plan in enumerate(recorder.plans)}
        if recorder.structure is not None:
            answer["structure"] = recorder.structure
        np.savez(Path(spec["folder"]) / f"answer_{spec['peer']}.npz", **answer)
    return {
        "trace": recorder.trace,
        "failure": recorder.failure,
        "peak_bytes": peak,
        "device_peak_bytes": device_peak(peer, spec["device"]) if peer == "pot" else None,
        "wall": time.time() - spec["started"],
    }


def check_job(spec):
    import numpy as np

    from gromov_inputs import Grid, Stored
    from gromov_judge import judge_barycenter

    inputs, answer = spaces(spec), np.load(spec["answer"])
    plans = [answer[f"plan_{k}"] for k in range(len(inputs))]
    centre, expected = Grid(spec["case"]["side"]), None
    if "structure" in answer:
        centre = Stored(answer["structure"])
        expected = np.full(plans[0].shape[1], 1 / plans[0].shape[1])
    distances, weights = zip(*inputs, strict=True)
    return judge_barycenter(plans, distances, weights, centre, expected)


JOBS = {
    "barycenter-prepare": prepare,
    "barycenter-solve": solve_job,
    "barycenter-check": check_job,
}
