"""Two clouds of points with squared Euclidean distances, for `gromov.py`."""

import time
from pathlib import Path

from harness import FEASIBLE, cell, device_peak, megabytes, peak_so_far

# Within this factor of the reference, an objective is the same.
SAME = 1.005
# Outer steps that are tried, one after the other, until they lead there.
COUNTS = (2, 3, 5, 8, 12, 18, 27, 40, 60, 100)
# Sweeps for each of them at most; the reference gets more.
SWEEPS, REFERENCE_SWEEPS = 200, 1000


# ---- the driver -----------------------------------------------------------------------------


def solve(run):
    case, results = run.case, {}
    if run.binary:
        results["gaspard"] = run_gaspard(run)
    for peer in case["peers"]:
        # As long as jax is asked for doubles, it computes all else with them too.
        named = {"doubles": False} if peer.endswith("f32") else {}
        results[peer] = run.work("solve", peer=peer, **named)
    results |= {peer: {"skipped": reason} for peer, reason in case["skipped"].items()}
    for name, result in results.items():
        result |= judged(run, f"answer_{name}.npy")
    if case["reach"]:
        reach(run, results)
    return results


def judged(run, file):
    """What one routine finds of a plan, where there is one."""
    if not (run.folder / file).exists():
        return {}
    found = run.work("check", answer=str(run.folder / file))
    keys = ("transport", "objective", "l1_error")
    return {key: found[key] for key in keys if key in found}


def base(run):
    case, folder = run.case, run.folder
    files = [folder / "x.npy", folder / "y.npy", "--as", "points", "--distance", "sqeuclidean"]
    return [*files, "--epsilon", repr(case["epsilon"]), "--reference", "weights"]


def run_gaspard(run):
    """As the peers: no tolerance, no annealing, whole steps from the product of the weights."""
    case = run.case
    steps = ["--init", "product", "--update", "plain", "--annealing", 1, "--tolerance", 0]
    steps += ["--max-iterations", case["outer"]]
    steps += ["--inner-iterations", case["sweeps"], "--inner-tolerance", 1e-300]
    report = run.gaspard(*base(run), *steps)
    if "skipped" in report:
        return report
    if case["judged"]:
        # Once more for the plan, which the run that counts did not hold.
        run.gaspard(*base(run), *steps, "--coupling", run.folder / "answer_gaspard.npy")
    kept = ("seconds", "sweeps", "transport", "peak_bytes")
    return {key: report[key] for key in kept} | {"cold_start": report["wall"]}


def reach(run, results):
    """The first count of outer steps, as each goes by itself, that leads to the reference."""
    found = run.work("reference")
    if "skipped" in found:
        print(f"no reference: {found['skipped']}")
        return
    run.case["objective"] = found["objective"]
    for name, result in results.items():
        if name == "gaspard":
            result["reached"] = reach_gaspard(run)
        elif "skipped" not in result:
            result["reached"] = run.work("reach", peer=name)
    ours = results.get("gaspard", {}).get("reached", {}).get("seconds")
    for result in results.values():
        theirs = result.get("reached", {}).get("seconds")
        if ours and theirs:
            result["times_sooner"] = theirs / ours


def is_there(case, found):
    return found["objective"] <= SAME * case["objective"] and found["l1_error"] <= FEASIBLE


def reach_gaspard(run):
    for count in COUNTS:
        answer = ["--max-iterations", count, "--coupling", run.folder / "answer.npy"]
        report = run.gaspard(*base(run), *answer)
        if "skipped" in report:
            return report
        found = judged(run, "answer.npy")
        if found and is_there(run.case, found):
            return {"outer": count, "seconds": report["seconds"]} | found
    return {}


def table(case, results):
    """Ratios are peer over gaspard: above 1, gaspard is faster."""
    head = ["solver", f"s for {case['outer']}x{case['sweeps']}", "ratio", "objective", "L1 error"]
    if case["reach"]:
        head += ["outer to reference", "s", "ratio", "objective", "L1 error"]
    rows = [[*head, "host MB", "GPU MB", "cold s"]]
    reference = results.get("gaspard", {}).get("seconds")
    for name, result in results.items():
        if "skipped" in result:
            rows.append([name, f"skipped: {result['skipped']}"])
            continue
        row = [
            name,
            cell(result["seconds"], ".2f"),
            cell(reference and result["seconds"] / reference, ".2f"),
            cell(result.get("objective"), ".4e"),
            cell(result.get("l1_error"), ".0e"),
        ]
        if case["reach"]:
            reached = result.get("reached", {})
            row += [
                cell(reached.get("outer"), "d"),
                cell(reached.get("seconds"), ".2f"),
                cell(result.get("times_sooner"), ".1f"),
                cell(reached.get("objective"), ".4e"),
                cell(reached.get("l1_error"), ".0e"),
            ]
        row += [
            megabytes(result["peak_bytes"]),
            megabytes(result.get("device_peak_bytes")),
            cell(result["cold_start"], ".2f"),
        ]
        rows.append(row)
    return rows


# ---- the jobs -------------------------------------------------------------------------------


def prepare(spec):
    import numpy as np

    from gromov_inputs import between, clouds

    case = spec["case"]
    for name, points in zip("xy", clouds(case["n"]), strict=True):
        np.save(Path(spec["folder"]) / f"{name}.npy", points)
    mean = between(points[:1000], points[:1000]).mean()
    return {"epsilon": float(case["epsilon_share"] * mean**2)}


def read_points(spec):
    import numpy as np

    return [np.load(Path(spec["folder"]) / f"{name}.npy") for name in "xy"]


def timed(make, *limits):
    call = make(*limits)
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def solve_job(spec):
    import numpy as np

    from gromov_peers import PAIRS

    case, peer = spec["case"], spec["peer"]
    kind, device = peer.partition("-")[0], spec["device"]
    make, plan_of, transport_of = PAIRS[kind](read_points(spec), case["epsilon"], device)
    seconds, found = timed(make, case["outer"], case["sweeps"], False)
    result = {
        "seconds": seconds,
        "cold_start": time.time() - spec["started"],
        "peak_bytes": peak_so_far(),
        "device_peak_bytes": device_peak(kind, device),
        "transport": transport_of(found),
    }
    if case["judged"]:
        np.save(Path(spec["folder"]) / f"answer_{peer}.npy", plan_of(found))
    return result


def judge(spec, plan):
    from gromov_inputs import SquaredPoints
    from gromov_judge import judge_pair

    distances = [SquaredPoints(points) for points in read_points(spec)]
    return judge_pair(plan, *distances, spec["case"]["epsilon"])


def check_job(spec):
    import numpy as np

    return judge(spec, np.load(spec["answer"]))


def reference_job(spec):
    """What OTT-JAX comes to with more sweeps than it needs."""
    from gromov_peers import PAIRS

    points, epsilon = read_points(spec), spec["case"]["epsilon"]
    make, plan_of, _ = PAIRS["ott"](points, epsilon, spec["device"])
    return judge(spec, plan_of(timed(make, COUNTS[-1], REFERENCE_SWEEPS, True)[1]))


def reach_job(spec):
    from gromov_peers import PAIRS

    points, epsilon, device = read_points(spec), spec["case"]["epsilon"], spec["device"]
    make, plan_of, _ = PAIRS[spec["peer"].partition("-")[0]](points, epsilon, device)
    for count in COUNTS:
        seconds, answer = timed(make, count, SWEEPS, True)
        found = judge(spec, plan_of(answer))
        if is_there(spec["case"], found):
            return {"outer": count, "seconds": seconds} | found
    return {}


JOBS = {
    "pair-prepare": prepare,
    "pair-solve": solve_job,
    "pair-check": check_job,
    "pair-reference": reference_job,
    "pair-reach": reach_job,
}
