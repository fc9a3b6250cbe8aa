#!/usr/bin/python3
"""Makes clip.bin and clip.sha256 with FFmpeg: ten pictures of H.264 Main with B-frames, two groups.

clip.bin: the length of `avcC` (two bytes) and `avcC`; then, for each access unit in decoding order,
its presentation time and its length (two bytes each) and its bytes. clip.sha256: the digest of each
picture as FFmpeg decodes it, in presentation order."""

import struct
import subprocess
import tempfile
from pathlib import Path

here, work = Path(__file__).parent, Path(tempfile.mkdtemp())
clip = work / "clip.mp4"
ffmpeg = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y"]
subprocess.run(
    ffmpeg + ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=5:duration=2", "-pix_fmt", "yuv420p"]
    + ["-threads", "1", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    + ["-c:v", "libx264", "-profile:v", "main", "-bf", "2", "-g", "8", "-keyint_min", "8"]
    + ["-sc_threshold", "0", "-crf", "32", clip],
    check=True,
)
hashes = subprocess.run(
    ffmpeg + ["-i", clip, "-f", "framehash", "-hash", "sha256", "-pix_fmt", "yuv420p", "-"],
    check=True, capture_output=True, text=True,
).stdout.splitlines()
digests = [line.split(",")[5].strip() for line in hashes if not line.startswith("#")]
(here / "clip.sha256").write_text("".join(f"{digest}\n" for digest in digests))

data = clip.read_bytes()


def boxes(start, end):
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, (start + 8, start + size)
        start += size


def inside(place, *path):
    for kind in path:
        place = dict(boxes(*place))[kind]
    return place


table = dict(boxes(*inside((0, len(data)), b"moov", b"trak", b"mdia", b"minf", b"stbl")))
at = data.index(b"avcC")
avcc = data[at + 4 : at - 4 + struct.unpack_from(">I", data, at - 4)[0]]


def words(kind, header, count_at=4):
    at = table[kind][0]
    (count,) = struct.unpack_from(">I", data, at + count_at)
    return at + header, count


at, count = words(b"stsz", 12, 8)
sizes = struct.unpack_from(f">{count}I", data, at)
at, count = words(b"ctts", 8)
offsets = [o for k in range(count) for n, o in [struct.unpack_from(">Ii", data, at + 8 * k)] for _ in range(n)]
(delta,) = struct.unpack_from(">I", data, table[b"stts"][0] + 12)
at, chunks = words(b"stco", 8)
assert chunks == 1, "one chunk holds all units"
(place,) = struct.unpack_from(">I", data, at)
out = struct.pack(">H", len(avcc)) + avcc
for number, (size, offset) in enumerate(zip(sizes, offsets)):
    out += struct.pack(">HH", number + offset // delta, size) + data[place : place + size]
    place += size
(here / "clip.bin").write_bytes(out)
