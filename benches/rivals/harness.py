"""What the comparisons share: processes of their own, their peak memory, versions, tables, arrays.

The driver imports nothing heavy: on Linux a child's peak starts at its parent's size. A job is a
function from a dictionary to another one; `work` runs it in a process of its own.
"""

import argparse
import importlib.abc
import importlib.metadata
import json
import os
import platform
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple
from pathlib import Path

# ---- processes ------------------------------------------------------------------------------

Run = namedtuple("Run", "code output errors seconds peak_bytes failure")
# A plan whose marginals are off by more than this, in L1, is none.
FEASIBLE = 5e-3
# Linux counts the peak in KiB, macOS in bytes.
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


def measured(command, timeout, environment=None, memory=None, interrupt=False):
    """Runs a command for `timeout` seconds and in `memory` resident bytes at most.

    With `interrupt`, Ctrl-C comes at the end of the time, and the kill a minute later.
    """
    killed = []
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.time()
        child = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)

        def end(reason):
            killed.append(reason)
            child.kill()

        late = f"killed after {timeout:.0f} s"
        timers = [threading.Timer(timeout + 60 * interrupt, end, [late])]
        if interrupt:
            timers.append(threading.Timer(timeout, child.send_signal, [signal.SIGINT]))
        ended = threading.Event()
        if memory is not None:
            full = f"killed at {memory / 1e9:.1f} GB"
            watch = threading.Thread(
                target=watch_memory, args=(child.pid, memory, ended, end, full)
            )
            watch.start()
        for timer in timers:
            timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        ended.set()
        for timer in timers:
            timer.cancel()
        seconds = time.time() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        text = output.read().decode(), errors.read().decode(errors="replace")
    lines = text[1].strip().splitlines() or [f"exit code {child.returncode}"]
    failure = killed[0] if killed else lines[-1][:160]
    return Run(child.returncode, *text, seconds, usage.ru_maxrss * PEAK_UNIT, failure)


def watch_memory(pid, memory, ended, end, reason):
    """Ends a process before it takes the machine down with it. Where there is no /proc, never."""
    page = resource.getpagesize()
    while not ended.wait(0.1):
        try:
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            return
        if resident > memory:
            end(reason)
            return


def free_memory():
    """Nine tenths of the bytes that are free now; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return kilobytes * 1024 * 9 // 10


def work(spec, timeout):
    """Runs a job of this script in a process of its own; `skipped` says why nothing came of it.

    A job may say what memory it took itself, where it does more than what is measured.
    """
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu" if spec["device"] == "cpu" else "cuda",
        # Doubles on the CPU, as gaspard's CPU engine; plain f32 on the GPU, without the TF32
        # that jax would take by itself.
        "JAX_ENABLE_X64": "1" if spec.get("doubles", spec["device"] == "cpu") else "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    spec = spec | {"started": time.time()}
    command = [sys.executable, sys.argv[0], "--worker", json.dumps(spec)]
    run = measured(command, timeout, environment, free_memory())
    if run.code != 0:
        return {"skipped": run.failure}
    return {"peak_bytes": run.peak_bytes} | json.loads(run.output.splitlines()[-1])


def peak_so_far():
    """The largest resident bytes of this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT


def gaspard(arguments, device, timeout, interrupt=False):
    """Runs the binary; its JSON record, with the seconds and the peak of the whole process."""
    command = [*arguments, "--json", "-", "--device", device, "--quiet"]
    run = measured(command, timeout, memory=free_memory(), interrupt=interrupt)
    # 3 means "not converged", which a run with a fixed number of iterations is meant to be, and
    # 130 interrupted: the results so far are there.
    if run.code not in (0, 3) and not (interrupt and run.code == 130):
        return {"skipped": run.failure}
    return json.loads(run.output) | {"wall": run.seconds, "peak_bytes": run.peak_bytes}


# ---- the command line and the record --------------------------------------------------------


def parser(description):
    """The options that all comparisons have."""
    options = argparse.ArgumentParser(description=description.splitlines()[0])
    options.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    options.add_argument("--quick", action="store_true", help="tiny sizes, to see that all runs")
    options.add_argument(
        "--only", nargs="+", default=[""], help="run the cases whose name holds one of these texts"
    )
    options.add_argument("--gaspard", help="path of the binary (default: from PATH)")
    options.add_argument("--timeout", type=float, default=1800, help="seconds per process")
    options.add_argument("--out", type=Path, default=Path("results.json"))
    options.add_argument("--worker", help=argparse.SUPPRESS)
    return options


def main(parser, drive, jobs):
    """Drives the comparison, or is the process of one of its jobs."""
    options = parser.parse_args()
    if options.worker is None:
        drive(options)
        return
    spec = json.loads(options.worker)
    print(json.dumps(jobs[spec["job"]](spec)))


def find_binary(options):
    binary = options.gaspard or shutil.which("gaspard")
    if binary is None or not Path(binary).is_file():
        print("gaspard: no binary (give --gaspard PATH); the peers run alone, without ratios")
        return None
    return binary


def versions(packages):
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found | {"python": platform.python_version()}


def machine():
    """What it ran on. The name of the processor is there on Linux only."""
    found = {"system": platform.platform(), "cores": os.cpu_count()}
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        found["processor"] = names[0] if names else None
    return found


def commit(folder=None):
    """The commit of this repository or of that of a folder; `None` outside one."""
    command = ["git", "-C", str(folder or Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def record(options, packages):
    """The head of the file of results."""
    return {
        "command": shlex.join(["python", *map(without_folder, sys.argv)]),
        "commit": commit(),
        "device": options.device,
        "machine": machine(),
        "versions": versions(packages),
        "cases": [],
    }


def without_folder(argument):
    """Where things lie on this machine is nobody's business."""
    return Path(argument).name if argument.startswith("/") else argument


def write(path, results):
    path.write_text(json.dumps(results, indent=1) + "\n")


# ---- tables ---------------------------------------------------------------------------------


def cell(value, form):
    return "-" if value is None else format(value, form)


def megabytes(value):
    return cell(value and value / 1e6, ".0f")


def print_table(rows):
    """Columns as wide as they need to be; a row that is shorter than the first is a remark."""
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


def markdown(rows):
    """The lines of a table; remarks get all columns but the first."""
    width = len(rows[0])
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return [lines[0], "|---" + "|--:" * (width - 1) + "|", *lines[1:]]


# ---- array libraries ------------------------------------------------------------------------


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


def device_peak(peer, device):
    """What torch or jax say they allocated on the GPU."""
    if device == "cpu":
        return None
    if peer == "ott":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    import torch

    return torch.cuda.max_memory_allocated()
