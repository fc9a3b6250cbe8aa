#!/usr/bin/python3
"""measure.py ELF: what OP-TEE's attestation PTA measures while this trusted application runs.

That is SHA-256 over the memory that is mapped read-only, the smallest range first: the page with the
image's headers, which OP-TEE's loader leaves mapped, and each segment that nobody writes to (code and
constants), filled up with zeros to whole pages.
"""
import hashlib
import struct
import sys

PAGE = 4096
LOAD, WRITABLE = 1, 2

image = open(sys.argv[1], "rb").read()
if image[:6] != b"\x7fELF\x02\x01":
    sys.exit("measure.py: not a 64-bit little-endian ELF image")
(table,) = struct.unpack_from("<Q", image, 32)
size, count = struct.unpack_from("<HH", image, 54)
ranges = [image[:PAGE].ljust(PAGE, b"\0")]
for at in range(table, table + size * count, size):
    kind, flags, offset, _, _, in_file, _, _ = struct.unpack_from("<IIQQQQQQ", image, at)
    if kind == LOAD and not flags & WRITABLE:
        # The loader maps from whole pages on.
        begin = offset - offset % PAGE
        data = image[begin : offset + in_file]
        ranges.append(data + bytes(-len(data) % PAGE))
if len(ranges) < 2:
    sys.exit("measure.py: nothing is mapped read-only")
digest = hashlib.sha256()
for data in sorted(ranges, key=lambda data: (len(data), data)):
    digest.update(data)
print(digest.hexdigest())
