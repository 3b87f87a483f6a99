"""Times gaspard's flat metric beside PyTorch, POT and OTT-JAX, on the same clouds.

The networks of the paper are there in eager PyTorch, written from the paper; the other peers solve
the transport problem that the flat metric is.
"""

import json
import tempfile
import time
from pathlib import Path

import harness

PACKAGES = ("numpy", "scipy", "POT", "torch", "jax", "ott-jax")
METHODS = ("exact", "sinkhorn", "tight", "paper")
PEERS = ("pot-exact", "pot-sinkhorn", "pot-unbalanced", "ott", "torch-paper", "torch-tight")


def cases(options):
    """Pairs of clouds, and all pairs of a collection."""
    common = {"epsilon": 0.01, "tolerance": 1e-4, "seed": 0}
    epochs = {"paper": 2000, "tight": 1000}
    if options.quick:
        common["epochs"] = {"paper": 20, "tight": 20}
        sizes, many = [(2, [30, 20])], (5, [12] * 4)
    elif options.device == "cpu":
        common["epochs"] = epochs
        sizes, many = [(2, [300, 200]), (5, [300, 200]), (5, [1000, 1000])], (5, [80] * 12)
    else:
        common["epochs"] = epochs
        sizes = [(5, [300, 200]), (5, [1000, 1000]), (5, [10_000, 10_000])]
        many = (5, [160] * 24)
    for dimension, points in sizes:
        name = f"{points[0]} and {points[1]} points, d={dimension}"
        yield common | {"name": name, "dimension": dimension, "points": points}
    dimension, points = many
    count = len(points) * (len(points) - 1) // 2
    name = f"{count} pairs of {points[0]} and {points[0]} points, d={dimension}"
    yield common | {"name": name, "dimension": dimension, "points": points}


# ---- jobs: each runs in a process of its own ------------------------------------------------


def write_inputs(spec):
    """Clouds as files, and their distances by POT's network simplex."""
    import numpy as np
    from flat_peers import clouds, pairs, pot_exact

    folder = Path(spec["folder"])
    for k, (points, weights) in enumerate(clouds(spec)):
        np.save(folder / f"{k:03}.npy", points)
        np.save(folder / f"{k:03}.weights.npy", weights)
    exact = pot_exact(spec, "cpu")
    return {"exact": [exact(pair) for pair in pairs(spec)]}


def read_matrix(spec):
    """The upper triangle of a matrix of distances."""
    import numpy as np

    matrix = np.load(spec["matrix"])
    return {"values": matrix[np.triu_indices(len(matrix), 1)].tolist()}


def peer(spec):
    from flat_peers import PEERS, pairs

    distance = PEERS[spec["peer"]](spec, spec["device"])
    # The first one loads and compiles. Of many pairs that take long, a few tell how long.
    values, todo = [], pairs(spec)
    distance(todo[0])
    cold = time.time() - spec["started"]
    begin = time.perf_counter()
    for pair in todo:
        values.append(distance(pair))
        if time.perf_counter() - begin > spec["seconds"]:
            break
    seconds = (time.perf_counter() - begin) / len(values)
    library = {"ott": "ott", "torch": "torch"}.get(spec["peer"].split("-")[0])
    on_device = library and harness.device_peak(library, spec["device"])
    return {
        "seconds": seconds,
        "values": values,
        "cold_start": cold,
        "device_peak_bytes": on_device,
    }


# ---- the driver -----------------------------------------------------------------------------


def run_gaspard(binary, method, case, folder, options):
    arguments = [binary, "flat", "--method", method]
    if method in case["epochs"]:
        arguments += ["--epochs", str(case["epochs"][method])]
    count = len(case["points"])
    if count > 2:
        out = folder.parent / f"{method}.npy"
        arguments += ["--pairwise", str(folder), "--out", str(out)]
    else:
        for name, file in (("a", "000"), ("b", "001")):
            arguments += [f"--weights-{name}", str(folder / f"{file}.weights.npy")]
        arguments += [str(folder / "000.npy"), str(folder / "001.npy")]
    report = harness.gaspard(arguments, options.device, options.timeout)
    if "skipped" in report:
        return report
    values = [report["normalised"]] if count == 2 else None
    if values is None:
        spec = {"job": "read_matrix", "matrix": str(out), "device": "cpu"}
        values = harness.work(spec, options.timeout)["values"]
    return {
        "seconds": report["seconds"] / len(values),
        "values": values,
        "cold_start": report["wall"],
        "peak_bytes": report["peak_bytes"],
    }


def table(results, exact):
    rows = [["solver", "ms/pair", "mean error %", "largest %", "host MB", "GPU MB", "cold s"]]
    for name, result in results.items():
        if "skipped" in result:
            rows.append([name, f"skipped: {result['skipped']}"])
            continue
        errors = [100 * (v / e - 1) for v, e in zip(result["values"], exact)]
        rows.append(
            [
                name,
                harness.cell(1e3 * result["seconds"], ".2f"),
                harness.cell(sum(map(abs, errors)) / len(errors), ".3f"),
                harness.cell(max(errors, key=abs), "+.3f"),
                harness.megabytes(result["peak_bytes"]),
                harness.megabytes(result.get("device_peak_bytes")),
                harness.cell(result["cold_start"], ".2f"),
            ]
        )
    return rows


def drive(options):
    binary = harness.find_binary(options)
    record = harness.record(options, PACKAGES)
    pages = ["# The flat metric beside others", ""]
    for case in cases(options):
        if not any(text in case["name"] for text in options.only):
            continue
        print(f"\n{case['name']}", flush=True)
        results = {}
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "clouds"
            folder.mkdir()
            spec = case | {"job": "write_inputs", "folder": str(folder), "device": "cpu"}
            made = harness.work(spec, options.timeout)
            if "skipped" in made:
                raise SystemExit(f"no inputs: {made['skipped']}")
            for method in METHODS if binary else ():
                name = f"gaspard {method}"
                results[name] = run_gaspard(binary, method, case, folder, options)
        for name in PEERS:
            spec = case | {"job": "peer", "peer": name, "device": options.device}
            spec |= {"seconds": options.seconds}
            results[name] = harness.work(spec, options.timeout)
        rows = table(results, made["exact"])
        harness.print_table(rows)
        record["cases"].append(case | {"exact": made["exact"], "results": results})
        harness.write(options.out, record)
        pages += [f"## {case['name'].capitalize()}", "", *harness.markdown(rows), ""]
        options.out.with_suffix(".md").write_text("\n".join(pages))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60, help="for the pairs of one peer, the last one begun"
    )
    jobs = {"write_inputs": write_inputs, "read_matrix": read_matrix, "peer": peer}
    harness.main(parser, drive, jobs)
