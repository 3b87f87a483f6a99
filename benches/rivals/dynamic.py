"""Times gaspard's dynamic transport beside the same iteration in numpy and in eager PyTorch.

There is no other code for it: both are written here, from the formulas, as one would write them.
The problem is example 6.2b of the paper: two hills, beta 1.
"""

import os
import time

import harness

PACKAGES = ("numpy", "scipy", "torch")
BETA, SIGMA, GROWTH, LARGEST, RELAXATION = 1.0, 0.1, 1.003, 1.0, 1.9
NEWTON_STEPS = 4


def cases(options):
    if options.quick:
        sizes = [((12, 12, 8), 20)]
    elif options.device == "cpu":
        sizes = [((64, 64, 32), 100), ((256, 256, 64), 5)]
    else:
        sizes = [((64, 64, 32), 200), ((256, 256, 64), 200), ((512, 512, 128), 50)]
    for (rows, cols, steps), iterations in sizes:
        grid = [rows, cols, steps]
        yield {"name": "x".join(map(str, grid)), "grid": grid, "iterations": iterations}


# ---- the iteration, for any array library ---------------------------------------------------


class Flow:
    """Example 6.2b on a grid: momenta with all their faces, time first."""

    def __init__(self, grid, arrays):
        import numpy as np

        self.xp, self.put, self.poisson_of = arrays
        rows, cols, self.steps = grid
        x, y = ((np.arange(n) + 0.5) / n for n in (rows, cols))
        x, y = np.meshgrid(x, y, indexing="ij")

        def bump(a, b, width):
            return np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2))

        start, end = (bump(c, c, 0.08) for c in (0.2, 0.8))
        self.start, self.end = start / start.mean(), end / end.mean()
        hills = [(0.25, 0.75), (0.75, 0.25)]
        slope = np.stack(
            [
                sum(-(z - c[k]) / 0.15**2 * bump(*c, 0.15) for c in hills)
                for k, z in enumerate((x, y))
            ]
        )
        # G = I + beta grad h grad h^T, by its eigenvectors: along the slope and across.
        length = np.maximum(np.sqrt((slope**2).sum(0)), 1e-300)
        self.cos, self.sin = (self.put(part / length) for part in slope)
        self.across = self.put(np.ones_like(length))
        self.along = self.put(1 + BETA * length**2)
        self.rates = (self.steps, rows, cols)
        eigenvalues = 0
        for axis, n in enumerate(self.rates):
            shape = [1, 1, 1]
            shape[axis] = n
            modes = 4 * n**2 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2
            eigenvalues = eigenvalues + modes.reshape(shape)
        eigenvalues[0, 0, 0] = np.inf
        self.poisson = self.poisson_of(eigenvalues, self.put)
        times = np.linspace(0, 1, self.steps + 1)[:, None, None]
        density = (1 - times) * self.start + times * self.end
        shapes = (self.steps, rows + 1, cols), (self.steps, rows, cols + 1)
        self.state = [self.put(np.zeros(shape)) for shape in shapes] + [self.put(density)]
        self.dual = [self.put(np.zeros((self.steps, rows, cols))) for _ in range(3)]
        self.root = self.put(np.zeros((self.steps, rows, cols)))
        self.ends = self.put(self.start), self.put(self.end)
        self.state = self.project(self.state)

    axes = (1, 2, 0)

    def difference(self, values, axis):
        n = values.shape[axis] - 1
        upper = self.part(values, axis, 1, n + 1)
        return (upper - self.part(values, axis, 0, n)) * self.rates[axis]

    @staticmethod
    def part(values, axis, first, last):
        index = [slice(None)] * 3
        index[axis] = slice(first, last)
        return values[tuple(index)]

    def interpolate(self, values, axis):
        n = values.shape[axis] - 1
        return 0.5 * (self.part(values, axis, 0, n) + self.part(values, axis, 1, n + 1))

    def project(self, state):
        """In place, on the fields that keep mass and have the right border."""
        state[2][0], state[2][-1] = self.ends
        d = sum(self.difference(u, axis) for u, axis in zip(state, self.axes))
        p = self.poisson(d)
        for u, axis in zip(state, self.axes):
            n = u.shape[axis] - 1
            upper = self.part(p, axis, 1, n)
            inner = self.part(u, axis, 1, n)
            inner += self.rates[axis] * (upper - self.part(p, axis, 0, n - 1))
        return state

    def spread(self, dual, scale):
        """What is added to the state: minus scale I^T y on the faces inside."""
        moved = []
        for u, y, axis in zip(self.state, dual, self.axes):
            new, n = self.copy(u), u.shape[axis] - 1
            inner = self.part(new, axis, 1, n)
            inner -= 0.5 * scale * (self.part(y, axis, 0, n - 1) + self.part(y, axis, 1, n))
            moved.append(new)
        return moved

    def copy(self, values):
        return values.clone() if hasattr(values, "clone") else values.copy()

    def dual_point(self, hat):
        """The projection on the paraboloids, and the root."""
        xp, cos, sin = self.xp, self.cos, self.sin
        b = [cos * hat[0] + sin * hat[1], cos * hat[1] - sin * hat[0]]
        lambdas, a = [self.along, self.across], hat[2]
        outside = a + sum(part**2 / (4 * lam) for part, lam in zip(b, lambdas)) > 0
        lowest = xp.maximum(a, 0 * a)
        cold = (xp.minimum(*lambdas) * (b[0] ** 2 + b[1] ** 2)) ** (1 / 3) - 2 * xp.maximum(*lambdas)
        r = xp.maximum(xp.where(self.root > 0, self.root, cold), lowest)
        for _ in range(NEWTON_STEPS):
            value, slope = r - a, 1.0
            for part, lam in zip(b, lambdas):
                shrunk = part / (r + 2 * lam)
                square = lam * shrunk**2
                value = value - square
                slope = slope + 2 * square / (r + 2 * lam)
            r = xp.maximum(r - value / slope, lowest)
        r = xp.where(outside, r, 0 * r)
        b = [part * (2 * lam / (r + 2 * lam)) for part, lam in zip(b, lambdas)]
        inner = -sum(part**2 / (4 * lam) for part, lam in zip(b, lambdas))
        a = xp.where(outside, inner, a)
        self.root = r
        return [cos * b[0] - sin * b[1], sin * b[0] + cos * b[1], a]

    def iterate(self, sigma):
        planned = self.project(self.spread(self.dual, 1 / sigma))
        hat = [
            y + sigma * self.interpolate(2 * new - u, axis)
            for y, new, u, axis in zip(self.dual, planned, self.state, self.axes)
        ]
        point = self.dual_point(hat)
        self.energy = [(h - p) / sigma * p for h, p in zip(hat, point)]
        self.state = [u + RELAXATION * (new - u) for u, new in zip(self.state, planned)]
        self.dual = [y + RELAXATION * (p - y) for y, p in zip(self.dual, point)]


def numpy_arrays():
    import numpy as np
    import scipy.fft

    cores = os.cpu_count()

    def poisson_of(eigenvalues, put):
        inverse = 1 / eigenvalues

        def solve(d):
            modes = scipy.fft.dctn(d, type=2, workers=cores)
            return scipy.fft.idctn(modes * inverse, type=2, workers=cores, overwrite_x=True)

        return solve

    return np, np.array, poisson_of


def torch_arrays(device):
    import math

    import torch

    place, kind = harness.torch_device(device)

    def put(values):
        return torch.as_tensor(values, dtype=kind, device=place).contiguous()

    def poisson_of(eigenvalues, put):
        inverse = put(1 / eigenvalues)
        matrices = []
        for n in eigenvalues.shape:
            k, j = torch.arange(n)[:, None].double(), torch.arange(n)[None, :].double()
            matrix = math.sqrt(2 / n) * torch.cos(math.pi * k * (j + 0.5) / n)
            matrix[0] /= math.sqrt(2)
            matrices.append(put(matrix.numpy()))

        def solve(d):
            modes = torch.einsum("at,bx,cy,txy->abc", *matrices, d) * inverse
            return torch.einsum("at,bx,cy,abc->txy", *matrices, modes)

        return solve

    return torch, put, poisson_of


def peer(spec):
    arrays = numpy_arrays() if spec["peer"] == "numpy" else torch_arrays(spec["device"])
    flow = Flow(spec["grid"], arrays)
    cells = spec["grid"][0] * spec["grid"][1] * spec["grid"][2]

    def run(count, sigma):
        for _ in range(count):
            flow.iterate(sigma)
            sigma = min(sigma * GROWTH, LARGEST)
        return float(sum(part.sum() for part in flow.energy)) / cells, sigma

    # The first iterations warm caches and allocators up; the clock runs for the others.
    _, sigma = run(2, SIGMA)
    cold = time.time() - spec["started"]
    begin = time.perf_counter()
    total, _ = run(spec["iterations"] - 2, sigma)
    harness.synchronise(spec["device"])
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds / (spec["iterations"] - 2),
        "total": total,
        "cold_start": cold,
        "device_peak_bytes": harness.device_peak(spec["peer"], spec["device"]),
    }


# ---- the driver -----------------------------------------------------------------------------


def run_gaspard(binary, case, options):
    grid = "x".join(map(str, case["grid"]))
    base = [binary, "dynamic", "--example", "6.2b", "--beta", str(BETA), "--grid", grid]

    def run(iterations):
        limits = ["--max-iterations", str(iterations), "--tolerance", "0"]
        return harness.gaspard([*base, *limits], options.device, options.timeout)

    # The evaluation in the end takes longer than an iteration: it is the same in both.
    short, long = run(2), run(case["iterations"])
    for report in (short, long):
        if "skipped" in report:
            return report
    between = long["trace"][-1]["seconds"] - short["trace"][-1]["seconds"]
    return {
        "seconds": between / (case["iterations"] - 2),
        "total": long["total"],
        "cold_start": short["wall"],
        "peak_bytes": long["peak_bytes"],
    }


def table(results):
    reference = results.get("gaspard", {})
    rows = [["solver", "ms/iteration", "ratio", "total", "host MB", "GPU MB", "cold s"]]
    for name, result in results.items():
        if "skipped" in result:
            rows.append([name, f"skipped: {result['skipped']}"])
            continue
        ratio = result["seconds"] / reference["seconds"] if "seconds" in reference else None
        rows.append(
            [
                name,
                harness.cell(1e3 * result["seconds"], ".2f"),
                harness.cell(ratio, ".2f"),
                harness.cell(result["total"], ".6f"),
                harness.megabytes(result["peak_bytes"]),
                harness.megabytes(result.get("device_peak_bytes")),
                harness.cell(result["cold_start"], ".2f"),
            ]
        )
    return rows


def drive(options):
    binary = harness.find_binary(options)
    record = harness.record(options, PACKAGES)
    peers = ("numpy", "torch") if options.device == "cpu" else ("torch",)
    for case in cases(options):
        if not any(text in case["name"] for text in options.only):
            continue
        print(f"\n{case['name']}, {case['iterations']} iterations", flush=True)
        results = {}
        if binary:
            results["gaspard"] = run_gaspard(binary, case, options)
        for name in peers:
            spec = case | {"job": "peer", "peer": name, "device": options.device}
            results[name] = harness.work(spec, options.timeout)
        harness.print_table(table(results))
        record["cases"].append(case | {"results": results})
        harness.write(options.out, record)


if __name__ == "__main__":
    harness.main(harness.parser(__doc__), drive, {"peer": peer})
