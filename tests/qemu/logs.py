#!/usr/bin/python3
"""logs.py SAMPLES OUT: no content key of the sample files stands in what the guest or OP-TEE's own
console printed, in whatever form: as it is, in hexadecimal digits, in base64. Nor does any of the
pieces, keys or content, that a test has listed in secrets-*. Of every machine whose logs are in OUT or
below. Status 1 when one does."""

import base64
import json
import sys
from pathlib import Path


def forms(key):
    """What a key may be written as."""
    text = base64.b64encode(key).rstrip(b"=")
    return [key, key.hex().encode(), key.hex().upper().encode(), text, text.translate(bytes.maketrans(b"+/", b"-_"))]


def found(keys, log):
    """How many keys stand in a log."""
    return sum(any(form in log for form in forms(key)) for key in keys)


def found_pieces(pieces, log):
    """How many pieces stand in a log, as they are."""
    return sum(piece in log for piece in pieces)


def main():
    listed = json.loads((Path(sys.argv[1]) / "samples.json").read_text())["files"]
    keys = {bytes.fromhex(track["key"]) for sample in listed for track in sample["tracks"]}
    # A search that finds nothing anywhere proves nothing.
    for form in range(5):
        assert found(keys, b"".join(forms(key)[form] + b"\n" for key in keys)) == len(keys)
    out = Path(sys.argv[2])
    pieces = {bytes.fromhex(line) for file in out.rglob("secrets-*") for line in file.read_text().split()}
    assert pieces, "no test has listed what it played"
    assert found_pieces(pieces, b"".join(pieces)) == len(pieces)
    bad = 0
    # A machine has left the status of what it ran.
    machines = sorted(rc.parent for rc in out.rglob("rc"))
    assert machines, "no machine has left anything"
    logs = [machine / name for machine in machines for name in ("guest.log", "secure.log")]
    for file in logs:
        log = file.read_bytes()
        count, more = found(keys, log), found_pieces(pieces, log)
        bad += count + more
        print(f"{file.relative_to(out)}: {len(log)} bytes, {count} of {len(keys)} keys, {more} of {len(pieces)} pieces")
    return 1 if bad else 0


sys.exit(main())
