"""Runs all comparisons that are here, one after the other, and writes one page of ratios.

    python all.py --gaspard ../../target/release/gaspard --folder DIR

Every comparison leaves its results in DIR as NAME.json, as when it is called by itself; the page is
DIR/ratios.md. With `--read` nothing is run, and the page is made of the results that are there.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import harness

HERE = Path(__file__).parent
NAMES = ("linear", "gromov", "dynamic", "flat", "audio")
# What a solver is compared by, the first one that both have.
TIMES = (
    ("to_tolerance", "s to the same error"),
    ("to_least", "s to its best loss"),
    ("seconds", "s"),
)


def ours(peer, results):
    """The result of gaspard that a peer's is beside: of the same method where it has several."""
    if "gaspard" in results:
        return results["gaspard"]
    method = {"ott": "sinkhorn", "pot-unbalanced": "sinkhorn"}.get(peer, peer.partition("-")[2])
    return results.get(f"gaspard {method}", {})


def quotient(theirs, own):
    return theirs / own if theirs and own and math.isfinite(theirs) else None


def compared(case):
    """Rows of (case, peer, how time is compared, ratios of time, memory and cold start, remark)."""
    results = case["results"]
    for peer, result in results.items():
        if peer.startswith("gaspard"):
            continue
        own, name = ours(peer, results), case["name"]
        if "skipped" in result:
            yield name, peer, "", None, None, None, result["skipped"]
            continue
        memory = quotient(result.get("peak_bytes"), own.get("peak_bytes"))
        cold = quotient(result.get("cold_start"), own.get("cold_start"))
        times = [(result.get(key), own.get(key), text) for key, text in TIMES]
        found = [(quotient(theirs, mine), text) for theirs, mine, text in times]
        if "times_sooner" in result:
            found = [(result["times_sooner"], "s to the same loss")]
        found = [pair for pair in found if pair[0] is not None]
        ratio, text = found[0] if found else (None, "")
        yield name, peer, text, ratio, memory, cold, "" if found else "never got there"


def page(folder, device):
    lines = [
        "# gaspard and its peers",
        "",
        "Peer over gaspard: above 1, gaspard is faster, takes less memory, starts sooner. Cold is from "
        "the start of the process to the first result. What each case is, and how it is judged: "
        "[benches/rivals](../rivals/README.md).",
    ]
    ratios = []
    for name in NAMES:
        file = folder / f"{name}.json"
        if not file.exists():
            continue
        record = json.loads(file.read_text())
        versions = ", ".join(f"{k} {v}" for k, v in record["versions"].items() if v)
        machine = record["machine"]
        processor = machine.get("processor") or machine["system"]
        place = f"{machine['cores']} cores, {processor}" if device == "cpu" else device
        lines += ["", f"## {name}", "", f"{place}; commit {record['commit']}; {versions}.", ""]
        rows = [["case", "peer", "compared by", "time", "memory", "cold start"]]
        for case in record["cases"]:
            for title, peer, how, time, memory, cold, remark in compared(case):
                if remark and time is None:
                    rows.append([title, peer, remark])
                    continue
                numbers = [harness.cell(value, ".2g") for value in (time, memory, cold)]
                rows.append([title, peer, how, *numbers])
                ratios.append((time, f"{title}, {peer}"))
        lines += harness.markdown(rows)
    ratios = sorted(pair for pair in ratios if pair[0] is not None)
    worst = "; ".join(f"{title}: {ratio:.2g}" for ratio, title in ratios[:5])
    lines += ["", f"The least ratios of time: {worst}.", ""]
    return "\n".join(lines)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--gaspard", help="path of the binary (default: from PATH)")
    options.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    options.add_argument("--quick", action="store_true", help="tiny sizes, to see that all runs")
    options.add_argument("--read", action="store_true", help="only make the page")
    options.add_argument("--folder", type=Path, required=True, help="where results go")
    options.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    options = options.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in [] if options.read else options.only:
        command = [sys.executable, str(HERE / f"{name}.py"), "--device", options.device]
        command += ["--out", str(options.folder / f"{name}.json")]
        command += ["--gaspard", options.gaspard] if options.gaspard else []
        command += ["--quick"] if options.quick else []
        print(f"== {name}", flush=True)
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(name)
    text = page(options.folder, options.device)
    (options.folder / "ratios.md").write_text(text)
    print(text)
    if failed:
        raise SystemExit(f"these did not end well: {', '.join(failed)}")


if __name__ == "__main__":
    main()
