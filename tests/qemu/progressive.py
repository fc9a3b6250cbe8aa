#!/usr/bin/python3
"""progressive.py SAMPLES OUT: copies the sample files to OUT and lays progressive ones beside them,
which FFmpeg protects (one moov with all tables, `senc` with IVs of 8 bytes), with samples.json
telling of all. Nothing of this project has a hand in them."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

# Packager, which made the others, writes fragments only. FFmpeg 5.1 protects AV1 so that no program
# can read it, and two tracks with one key, which a licence binds to one kind of track.
CLIPS = {"video": "video", "audio": "audio", "hevc": "video"}


def test_value(name):
    """16 bytes in hexadecimal, the same each time. The keys are worth nothing."""
    return hashlib.sha256(f"progressive {name}".encode()).hexdigest()[:32]


def protect(out, clip, kind):
    """Makes one file and gives its entry in samples.json."""
    # By the name a test knows the size of the IVs.
    name, clear = f"cenc-iv8-progressive-{clip}.mp4", f"clear-{clip}.mp4"
    track = {"kind": kind, "kid": test_value(f"kid {clip}"), "key": test_value(f"key {clip}"), "id": 1}
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", out / clear, "-map", "0", "-c", "copy"]
    command += ["-fflags", "+bitexact", "-encryption_scheme", "cenc-aes-ctr"]
    command += ["-encryption_kid", track["kid"], "-encryption_key", track["key"], out / name]
    subprocess.run(command, check=True)
    return {"file": name, "scheme": "cenc", "clear": clear, "rotation": False, "tracks": [track]}


def main():
    samples, out = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.copytree(samples, out, ignore=shutil.ignore_patterns("*.sh", "*.py", "*.md"))
    listed = json.loads((out / "samples.json").read_text())
    listed["files"] += [protect(out, clip, kind) for clip, kind in CLIPS.items()]
    (out / "samples.json").write_text(json.dumps(listed, indent=1))


main()
