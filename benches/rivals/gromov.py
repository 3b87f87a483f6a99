"""Times gaspard's Gromov-Wasserstein beside the published method, POT and OTT-JAX, in one run.

Every solver of every case has a process of its own, so that peak memory and cold start mean
something.
"""

import json
import sys
import tempfile
from pathlib import Path

import gromov_barycenter
import gromov_pair
import harness

PACKAGES = ("POT", "ott-jax", "jax", "torch", "numpy", "scipy")
SHAPES, HEARTS = ["spade", "heart"], [f"heart_{k}" for k in range(5)]
# The epsilon of the paper, for edges of weight 1.
EPSILON = 1.5e-4
KINDS = {"barycenter": gromov_barycenter, "pair": gromov_pair}
# Points of the paper's "essential" supports; POT gets as many.
POINTS = {12: 81, 25: 348, 50: 1379}


def barycenter(inputs, side, share, peers=(), note="", **more):
    """A case; `share` of the time limit is gaspard's and the published method's."""
    what = "spade and heart" if inputs == SHAPES else f"{len(inputs)} hearts"
    return {
        "kind": "barycenter",
        "name": f"{what} {side}x{side}{note}",
        "inputs": inputs,
        "side": side,
        "epsilon": EPSILON,
        "points": POINTS.get(side),
        "limit_share": share,
        "peers": {"published": share} | dict(peers),
        # As the authors: how often they look whether they are done.
        "check_every": 10 if inputs == SHAPES else 5,
        "refined": False,
    } | more


def pair(n, outer, sweeps, peers, **more):
    return {
        "kind": "pair",
        "name": f"clouds n={n}",
        "n": n,
        # In squared mean distances.
        "epsilon_share": 0.05,
        "outer": outer,
        "sweeps": sweeps,
        "peers": peers,
        "reach": False,
        "skipped": {},
        "judged": n <= 5000,
    } | more


def cases(options):
    """What half an hour allows on two cores; `quick` only shows that everything runs."""
    if options.quick:
        yield barycenter(SHAPES, 12, 0.04, {"pot-exact": 0.1, "pot-5e-4": 0.04})
        yield barycenter(SHAPES, 12, 0.02, note=", epsilon/8", epsilon=EPSILON / 8)
        yield barycenter(HEARTS[:3], 12, 0.02)
        yield pair(200, 3, 20, ["pot", "ott"], reach=True)
        return
    pot = {"pot-exact": 0.5, "pot-5e-4": 0.2, "pot-5e-3": 0.2}
    yield barycenter(SHAPES, 25, 0.4, pot, refined=True)
    yield barycenter(SHAPES, 50, 1.0, {"pot-exact": 1.0})
    # The inputs stay as they are: the cells of the centre are finer than theirs.
    yield barycenter(SHAPES, 128, 1.0)
    for factor in (2, 4, 8):
        yield barycenter(SHAPES, 25, 0.15, note=f", epsilon/{factor}", epsilon=EPSILON / factor)
    for count, share in ((2, 0.2), (3, 0.2), (4, 0.4), (5, 0.4)):
        yield barycenter(HEARTS[:count], 25, share)
    if options.long:
        for count in range(2, 6):
            yield barycenter(HEARTS[:count], 50, 1.0)
    yield pair(1000, 10, 50, ["pot", "ott"], reach=True)
    yield pair(5000, 5, 20, ["pot", "ott"], reach=options.long)
    skipped = {"pot": "its eleven matrices of n² doubles are 35 GB"}
    yield pair(20_000, 2, 5, ["ott", "ott-f32"], skipped=skipped)


def drive(options):
    binary = harness.find_binary(options)
    record = harness.record(options, PACKAGES) | {"limit": options.limit}
    if options.published:
        record["versions"]["the published code"] = harness.commit(options.published)
    if options.keep and options.out.exists():
        record["cases"] = json.loads(options.out.read_text())["cases"]
    for case in cases(options):
        if not any(text in case["name"] for text in options.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = Case(case, Path(folder), binary, options)
            prepared = run.work("prepare")
            if "skipped" in prepared:
                sys.exit(f"could not make the inputs: {prepared['skipped']}")
            case |= {key: prepared[key] for key in prepared if key != "peak_bytes"}
            print(f"\n{case['name']}, epsilon {case['epsilon']:.3g}", flush=True)
            results = KINDS[case["kind"]].solve(run)
        found = case | {"command": record["command"], "commit": record["commit"]}
        others = [one for one in record["cases"] if one["name"] != case["name"]]
        record["cases"] = [*others, found | {"results": results}]
        harness.write(options.out, record)
        options.out.with_suffix(".md").write_text(page(record))
        harness.print_table(KINDS[case["kind"]].table(case, results))
    print(f"\nwritten to {options.out} and {options.out.with_suffix('.md')}")


def page(record):
    """All that was found, as a page of tables."""
    machine, versions = record["machine"], record["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    lines = [f"{machine['cores']} cores ({machine.get('processor')}), {record['device']}; {named}."]
    for case in record["cases"]:
        rows = KINDS[case["kind"]].table(case, case["results"])
        lines += ["", f"## {case['name']}, epsilon {case['epsilon']:.3g}", ""]
        lines += [f"gaspard at {case['commit']}, `{case['command']}`", ""]
        lines += harness.markdown(rows)
    return "\n".join(lines) + "\n"


class Case:
    """A case, the folder of its files, and how to run what solves it."""

    def __init__(self, case, folder, binary, options):
        self.case, self.folder, self.binary, self.options = case, folder, binary, options

    def work(self, job, **more):
        """A job of this case in a process of its own."""
        folders = {"data": self.options.data, "published": self.options.published}
        spec = {
            "job": f"{self.case['kind']}-{job}",
            # Where things lie is no part of the case.
            "case": self.case | folders,
            "folder": str(self.folder),
            "device": self.options.device,
        }
        return harness.work(spec | more, self.options.timeout)

    def gaspard(self, *arguments, timeout=None):
        """gaspard gromov, ended by Ctrl-C when the time is up."""
        command = [self.binary, "gromov", *map(str, arguments)]
        limit = timeout or self.options.timeout
        return harness.gaspard(command, self.options.device, limit, interrupt=True)


def parse():
    parser = harness.parser(__doc__)
    parser.add_argument("--data", help="folder of the paper's inputs (default: shapes of our own)")
    parser.add_argument("--published", help="folder with umgw.py, the authors' code")
    parser.add_argument("--limit", type=float, default=200, help="seconds for a barycenter")
    parser.add_argument(
        "--keep", action="store_true", help="keep the other cases that the file of results has"
    )
    parser.add_argument("--long", action="store_true", help="also hearts on 50x50, and more")
    return parser


if __name__ == "__main__":
    jobs = gromov_barycenter.JOBS | gromov_pair.JOBS
    harness.main(parse(), drive, jobs)
