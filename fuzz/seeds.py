"""Makes the seeds of all fuzz targets: small valid inputs of every kind, in fuzz/corpus."""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def keep(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def npy(descr, fortran, shape, data, version=1):
    text = str({"descr": descr, "fortran_order": fortran, "shape": shape}) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def arrays():
    yield "float", npy("<f8", False, (2, 2), struct.pack("<4d", 0, 1, 2.5, float("inf")))
    yield "fortran", npy(">i2", True, (3, 2), struct.pack(">6h", *range(6)), 2)
    yield "half", npy("<f2", False, (3,), b"\x00\x3c\x00\x7c\x01\x00", 3)
    yield "bool", npy("|b1", False, (), b"\x01")
    yield "empty", npy("<u8", False, (0, 7), b"")
    yield "claim", npy("<f8", False, (10**18,), b"")


def archive(method, names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in zip(names, (data for _, data in arrays())):
            file.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def png(width, height, depth, colour, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(range(12))) if colour == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def bmp():
    header = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 24, 0, 16, 1, 1, 0, 0)
    pixels = b"\x00\x01\x02\x03\x04\x05\x00\x00" * 2
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def jpeg():
    """One grey block of 8 x 8, baseline."""
    quant = b"\xff\xdb\x00\x43\x00" + bytes([1] * 64)
    frame = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    tables = b"".join(
        b"\xff\xc4\x00\x14" + bytes([kind]) + bytes([1] + [0] * 15) + b"\x00" for kind in (0x00, 0x10)
    )
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return b"\xff\xd8" + quant + frame + tables + scan + b"\x3f" + b"\xff\xd9"


def wav(form, bits, channels, data):
    fmt = struct.pack("<HHIIHH", form, channels, 8000, 8000 * channels * bits // 8, channels * bits // 8, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


for name, data in arrays():
    keep("npy", name, data)
keep("npz", "stored", archive(zipfile.ZIP_STORED, ["a.npy", "b"]))
keep("npz", "deflated", archive(zipfile.ZIP_DEFLATED, ["data.npy", "indices.npy", "shape.npy"]))

keep("image", "grey", png(3, 2, 8, 0, b"\x00\x01\x02\x03\x00\x04\x05\x06"))
keep("image", "colour", png(1, 2, 16, 6, (b"\x00" + bytes(range(8))) * 2))
keep("image", "palette", png(4, 1, 2, 3, b"\x00\x1b"))
keep("image", "claim", png(60000, 60000, 1, 0, b"\x00"))
keep("image", "bmp", bmp())
keep("image", "jpeg", jpeg())
for kind, data in [(1, b"1 0 0 1"), (2, b"3 0 1 2 3"), (4, b"\x80\x40"), (5, b"\x00\x01\x02\x03")]:
    most = b"" if kind in (1, 4) else b" 255"
    keep("image", f"pnm{kind}", b"P%d 2 2%s\n" % (kind, most) + data)
keep("image", "pam", b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\x01\x02\x03\x04")

keep("wav", "int16", wav(1, 16, 2, struct.pack("<4h", 0, 1, -1, 32767)))
keep("wav", "int8", wav(1, 8, 1, b"\x80\x81"))
keep("wav", "int24", wav(1, 24, 1, bytes(6)))
keep("wav", "float", wav(3, 32, 2, struct.pack("<4f", 0, 0.5, -0.5, 1)))

for index, word in enumerate(
    ["2GiB", "1.5MB", "64x48x32", "24X24", "points", "0,2", "kl:0.5", "range:0,1.5", "tv:2", "free",
     "sqeuclidean", "power:1.5", "great-circle:2", "700,-412.5", "300:120,-700:55", "gpu", "3",
     "gaussian:0.2,0.8,0.1", "hills:0.5,0.5,0.1;0.2,0.7,0.1,2", "scale:2", "example:6.2a",
     "coloured", "gcc-phat", "1e-3"]
):
    keep("words", f"{index:02}", word)

keep("tree", "tree", json.dumps({
    "reference": "uniform", "epsilon": 0.1,
    "nodes": [{"weights": "w.npy", "points": "p.npy"}, {"weights": [0.5, 0.5], "size": 2},
              {"grid": [2, 2], "law": "kl:0.5"}, {"weights": "i.npy"}],
    "edges": [{"rows": 0, "cols": 2, "cost": "sqeuclidean", "weight": 2.0},
              {"rows": 1, "cols": 1, "cost": "d.npy"}, {"rows": 2, "cols": 3, "cost": "power:1.5"}]}))
keep("tree", "sphere", json.dumps({
    "nodes": [{"points": "p.npy"}, {"points": "p.npy", "law": "range:0,2"}],
    "edges": [{"rows": 0, "cols": 1, "cost": "great-circle:2"}]}))
keep("tree", "claim", json.dumps({"nodes": [{"size": 10**18}], "edges": []}))

keep("spaces", "spaces", json.dumps({
    "reference": "counting", "epsilon": 0.01, "alpha": 0.5, "label_costs": "d.npy",
    "nodes": [{"image": "i.npy"}, {"points": "p.npy", "weights": "w.npy", "law": "kl:1"},
              {"distances": "d.npy"}, {"grid": [3, 2], "law": "free"}],
    "edges": [{"rows": 0, "cols": 1}, {"rows": 1, "cols": 2, "weight": 2.0}, {"rows": 2, "cols": 3}]}))
keep("spaces", "labels", json.dumps({
    "nodes": [{"points": "p.npy", "labels": "w.npy"}, {"image": "i.npy", "labels": "i.npy"}],
    "edges": [{"rows": 0, "cols": 1}]}))
keep("spaces", "claim", json.dumps({"nodes": [{"grid": [10**10, 10**10]}], "edges": []}))

keep("motion", "map", json.dumps({
    "start": "gaussian:0.2,0.2,0.1", "end": "i.npy", "grid": [4, 4, 4], "kappa": 0.5,
    "spaces": [{"form": "monge", "beta": 2.0, "map": "hills:0.5,0.5,0.1"}]}))
keep("motion", "bins", json.dumps({
    "start": "i.npy", "end": "i.npy", "grid": [4, 4, 2],
    "spaces": [{"form": "coupled", "map": "scale:2", "bins": [4, 4]},
               {"form": "kantorovich", "map": "example:6.2a", "stride": 1, "epsilon": 0.1,
                "floor": 0.01, "sweeps": 3},
               {"form": "shared", "map": "i.npy"}]}))
keep("motion", "law", json.dumps({
    "start": "w.npy", "end": "w.npy", "grid": [4, 2],
    "spaces": [{"law": "i.npy", "points": "p.npy"},
               {"form": "coupled", "law": "i.npy", "bins": [2, 2], "low": [0, 0], "high": [1, 1]}]}))
keep("motion", "claim", json.dumps({
    "start": "gaussian:0.5,0.5,0.1", "end": "gaussian:0.5,0.5,0.1", "grid": [10**9, 10**9, 10**9]}))

keep("sidecar", "origin", json.dumps({
    "method": "exact", "settings": "Exact",
    "measures": [{"file": name, "points": 2, "mass": 1.0, "checksum": 7} for name in ("a.npy", "b.npy")]}))
keep("list", "list", "w.npy\n  p.npy\n\ni.npy\n")
keep("checkpoint", "change", bytes(range(1, 64)))
