"""Makes one two-track file from two single-track fragmented files of Shaka Packager.

Usage: interleave.py VIDEO AUDIO OUT

Boxes are moved, track numbers rewritten, and the offsets that follow from moving corrected
(trun data_offset, saio); samples and protection tables stay as Packager wrote them. Each output
moof holds one traf of each track where both have a fragment of that number, so that a reader
meets several trafs in one moof.
"""

import struct
import sys

AUDIO_ID = 2


def boxes(data):
    """Yields (type, payload) of the boxes in data; the inputs use 32-bit sizes only."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, bytearray(data[at + 8 : at + size])
        at += size


def box(kind, payload):
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def find(data, kind):
    return next(payload for k, payload in boxes(data) if k == kind)


def rebuild(data, change):
    """The boxes of data with change(kind, payload) applied; None drops a box."""
    out = b""
    for kind, payload in boxes(data):
        new = change(kind, payload)
        if new is not None:
            out += box(kind, new)
    return out


def renumber_trak(trak):
    def change(kind, payload):
        if kind == b"tkhd":  # version 0: track_ID after flags and two 32-bit times
            assert payload[0] == 0
            struct.pack_into(">I", payload, 12, AUDIO_ID)
        return payload

    return rebuild(trak, change)


def merge_moov(video, audio):
    out = b""
    audio_trak = box(b"trak", renumber_trak(find(audio, b"trak")))
    audio_trex = find(find(audio, b"mvex"), b"trex")
    struct.pack_into(">I", audio_trex, 4, AUDIO_ID)
    pssh_seen = []
    for kind, payload in boxes(video):
        if kind == b"mvhd":
            struct.pack_into(">I", payload, len(payload) - 4, AUDIO_ID + 1)
        if kind == b"mvex":
            payload = bytes(payload) + box(b"trex", audio_trex)
        if kind == b"pssh":
            pssh_seen.append(bytes(payload))
        out += box(kind, payload)
        if kind == b"trak":
            out += audio_trak
    for kind, payload in boxes(audio):
        if kind == b"pssh" and bytes(payload) not in pssh_seen:
            out += box(kind, payload)
    return box(b"moov", out)


def fragments(data):
    moof = None
    for kind, payload in boxes(data):
        if kind == b"moof":
            moof = payload
        elif kind == b"mdat":
            yield find(moof, b"traf"), bytes(payload)


def place_traf(traf, track, moof_start, traf_start, mdat_start):
    """traf for its new place; *_start are offsets in the new moof."""
    at = traf_start + 8
    senc_data = None
    for kind, payload in boxes(traf):
        if kind == b"senc":
            senc_data = at + 8 + 8
        at += 8 + len(payload)

    def change(kind, payload):
        if kind == b"tfhd":
            assert payload[1] & 2, "default-base-is-moof expected"
            struct.pack_into(">I", payload, 4, track)
        if kind == b"trun":
            assert payload[3] & 1, "data_offset expected"
            struct.pack_into(">i", payload, 8, mdat_start - moof_start)
        if kind == b"saio":
            assert payload[0] == 0 and not payload[3] & 1
            struct.pack_into(">I", payload, 8, senc_data)
        return payload

    return rebuild(traf, change)


def main():
    video, audio = (open(path, "rb").read() for path in sys.argv[1:3])
    out = box(b"ftyp", find(video, b"ftyp"))
    out += merge_moov(find(video, b"moov"), find(audio, b"moov"))
    pairs = [list(fragments(video)), list(fragments(audio))]
    for number in range(max(map(len, pairs))):
        parts = [
            (track, *pairs[track - 1][number]) for track in (1, AUDIO_ID) if number < len(pairs[track - 1])
        ]
        mfhd = box(b"mfhd", struct.pack(">II", 0, number + 1))
        size = 8 + len(mfhd) + sum(8 + len(traf) for _, traf, _ in parts)
        moof, at, data_at = mfhd, 8 + len(mfhd), size + 8
        for track, traf, data in parts:
            moof += box(b"traf", place_traf(traf, track, 0, at, data_at))
            at += 8 + len(traf)
            data_at += len(data)
        out += box(b"moof", moof) + box(b"mdat", b"".join(data for *_, data in parts))
    open(sys.argv[3], "wb").write(out)


main()
