"""Times gaspard's separation beside numpy: one recording of 2 seconds, from file to sources.

Both do the robust form with its defaults: noise from a quantile, starts from a grid of delays, five
descents, masks, refined delays, the aligned filter. The numpy program follows the same published
formulas, batched over starts and frequencies, and shares no code with gaspard.
"""

import tempfile
import time
from pathlib import Path

import harness

PACKAGES = ("numpy", "scipy")
SCENE = "--voices 2 --seconds 1.4 --delays 703.3,-1212.6 --snr 20 --seed 5".split()
REPEATS = 7


def run_numpy(spec):
    """Separates the recording several times; the best time, as gaspard's."""
    import audio_numpy
    from scipy.io import wavfile

    rate, samples = wavfile.read(spec["file"])
    channels = samples.T.astype(float)
    cold, seconds = None, []
    for _ in range(spec["repeats"]):
        begin = time.perf_counter()
        delays, sources = audio_numpy.separate(channels, rate)
        seconds.append(time.perf_counter() - begin)
        cold = cold or time.time() - spec["started"]
    found = sorted(float(delay) for delay in delays)
    return {"seconds": min(seconds), "cold_start": cold, "delays": found} | gain(spec, sources)


def gain(spec, sources):
    """The gain in the signal-to-distortion ratio, of the better order of the sources."""
    import numpy as np
    from scipy.io import wavfile

    mixture = wavfile.read(spec["file"])[1].T.astype(float)[0]
    folder = Path(spec["file"]).parent
    truth = [wavfile.read(folder / "truth" / f"source_{k}.wav")[1].astype(float) for k in (1, 2)]

    def decibels(order):
        pairs = zip(truth, (sources[k] for k in order), strict=True)
        ratios = [((s - mixture) ** 2).sum() / ((s - found) ** 2).sum() for s, found in pairs]
        return float(np.mean(10 * np.log10(ratios)))

    return {"gain": max(decibels((0, 1)), decibels((1, 0)))}


def judge(spec):
    """The gain of the sources that gaspard wrote."""
    from scipy.io import wavfile

    folder = Path(spec["file"]).parent / "found"
    sources = [wavfile.read(folder / f"source_{k}.wav")[1].astype(float) for k in (1, 2)]
    return gain(spec, sources)


def run_gaspard(binary, file, options):
    command = [binary, "separate", str(file), "--sources", "2", "--out", str(file.parent / "found")]
    repeats = 1 if options.quick else REPEATS
    reports = [harness.gaspard(command, options.device, options.timeout) for _ in range(repeats)]
    for report in reports:
        if "skipped" in report:
            return report
    best = min(reports, key=lambda report: report["seconds"])
    judged = harness.work({"job": "judge", "file": str(file), "device": "cpu"}, options.timeout)
    return {
        "seconds": best["seconds"],
        "cold_start": best["wall"],
        "peak_bytes": best["peak_bytes"],
        "delays": sorted(delay["samples"] for delay in best["delays"]),
        "gain": judged.get("gain"),
    }


def table(results):
    reference = results["gaspard"].get("seconds")
    rows = [["program", "ms", "ratio", "delays", "gain dB", "host MB", "cold s"]]
    for name, result in results.items():
        if "skipped" in result:
            rows.append([name, f"skipped: {result['skipped']}"])
            continue
        rows.append(
            [
                name,
                harness.cell(1e3 * result["seconds"], ".1f"),
                harness.cell(reference and result["seconds"] / reference, ".1f"),
                " ".join(f"{delay:.2f}" for delay in result["delays"]),
                harness.cell(result["gain"], ".2f"),
                harness.megabytes(result["peak_bytes"]),
                harness.cell(result["cold_start"], ".2f"),
            ]
        )
    return rows


def drive(options):
    binary = harness.find_binary(options)
    if binary is None:
        raise SystemExit("gaspard makes the recording; give --gaspard PATH")
    record = harness.record(options, PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mix.wav"
        files = ["--out", str(file), "--images", str(file.parent / "truth"), "--quiet"]
        run = harness.measured([binary, "simulate", *SCENE, *files], options.timeout)
        if run.code != 0:
            raise SystemExit(run.failure)
        results = {"gaspard": run_gaspard(binary, file, options)}
        repeats = 1 if options.quick else REPEATS
        spec = {"job": "numpy", "file": str(file), "repeats": repeats, "device": "cpu"}
        results["numpy"] = harness.work(spec, options.timeout)
    harness.print_table(table(results))
    record["cases"].append({"name": "one scene", "scene": SCENE, "results": results})
    harness.write(options.out, record)


if __name__ == "__main__":
    harness.main(harness.parser(__doc__), drive, {"numpy": run_numpy, "judge": judge})
