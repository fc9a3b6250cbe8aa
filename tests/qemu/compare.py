#!/usr/bin/python3
"""compare.py SAMPLES OUT: compares the clear files that the guest left in OUT/medium with those of
the software core (OUT/software), byte by byte, and with what FFmpeg makes of the protected files,
packet by packet: times, sizes and MD5 of every sample. A table at the end; status 1 when one
differs or is missing."""

import json
import subprocess
import sys
from pathlib import Path

# Where Debian's FFmpeg 5.1 departs from ISO/IEC 23001-7; the clear counterpart judges these.
# (Shaka Packager, which protected the files, restores them as the counterpart is.)
DEPARTURES = {
    ("cens-audio.mp4", "audio"): "the partial block at the end of a sample is deciphered",
    ("cens-both.mp4", "audio"): "as cens-audio.mp4",
    ("cbcs-pattern55-video.mp4", "video"): "an incomplete crypt run at the end is left as it is",
    ("cbcs-pattern100-video.mp4", "video"): "an incomplete crypt run at the end is left as it is",
}


def packets(path, kind, key=None):
    """Decoding time, presentation time, duration, size and MD5 of each sample of a track."""
    command = ["ffmpeg", "-nostdin", "-v", "error"]
    command += ["-decryption_key", key] if key else []
    command += ["-i", path, "-map", f"0:{kind[0]}:0", "-c", "copy", "-f", "framemd5", "-"]
    # FFmpeg's status says little: it complains of the protected `avcC` and goes on.
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    rows = (line.split(",") for line in text.splitlines() if not line.startswith("#"))
    return [tuple(field.strip() for field in row[1:6]) for row in rows]


def source(name, kind):
    """The file that FFmpeg decrypts in place of `name`. It reads no interleaved file with two keys;
    both tracks of such a file are those of single-track files, sample by sample."""
    return name.replace("-both", f"-{kind}")


def judge(samples, out, sample, track):
    """One row of the table: file, track, samples, equal to software, equal to oracle, oracle."""
    name, kind = sample["file"], track["kind"]
    medium, software = out / "medium" / name, out / "software" / name
    if not medium.is_file() or not software.is_file():
        return name, kind, 0, False, False, "the guest left no file"
    same = medium.read_bytes() == software.read_bytes()
    ours = packets(medium, kind)
    clear = packets(samples / sample["clear"], kind)
    theirs = packets(samples / source(name, kind), kind, track["key"])
    oracle = "FFmpeg" if source(name, kind) == name else f"FFmpeg on {source(name, kind)}"
    if sample["rotation"]:
        theirs, oracle = clear, "clear counterpart; FFmpeg takes one key"
    elif "-progressive-" in name and len(theirs) == len(clear):
        # FFmpeg, which protected the file, gave it another time base: it judges the times.
        clear = [times[:3] + bytes_[3:] for times, bytes_ in zip(theirs, clear)]
    elif source(name, kind) != name and len(theirs) == len(clear):
        # Other tracks move a track in time: the counterpart judges the times, FFmpeg the bytes.
        theirs = [times[:3] + bytes_[3:] for times, bytes_ in zip(clear, theirs)]
    if (name, kind) in DEPARTURES:
        if theirs == clear:
            return name, kind, len(ours), same, False, "FFmpeg reads it now: strike the exception"
        theirs, oracle = clear, "clear counterpart; FFmpeg: " + DEPARTURES[name, kind]
    return name, kind, len(ours), same, bool(ours) and ours == theirs == clear, oracle


def main():
    samples, out = Path(sys.argv[1]), Path(sys.argv[2])
    listed = json.loads((samples / "samples.json").read_text())["files"]
    # A track whose keys change stands in the list once for each key.
    rows = [
        judge(samples, out, sample, track)
        for sample in listed
        for track in {track["kind"]: track for track in sample["tracks"]}.values()
    ]
    good = {True: "equal", False: "DIFFERS"}
    print(f"{'sample':31} {'track':6} {'samples':>7}  {'software':8} {'oracle':8} which oracle")
    for name, kind, count, same, equal, oracle in rows:
        print(f"{name:31} {kind:6} {count:7}  {good[same]:8} {good[equal]:8} {oracle}")
    bad = sum(not (same and equal) for _, _, _, same, equal, _ in rows)
    by_ffmpeg = sum(oracle.startswith("FFmpeg") for *_, oracle in rows)
    files = len({row[0] for row in rows})
    print(
        f"{files} files, {len(rows)} tracks, {sum(row[2] for row in rows)} samples: "
        f"{len(rows) - bad} tracks equal, {bad} not; "
        f"{by_ffmpeg} judged by FFmpeg, {len(rows) - by_ffmpeg} by their clear counterparts"
    )
    return 1 if bad or not rows else 0


sys.exit(main())
