#!/usr/bin/python3
"""protected-unit.py KEY IV OUT: a unit of 192 KiB that nobody has seen before, for tests of what may be
found of it in a machine's memory.

In OUT: `unit`, protected with AES-128 in counter mode under KEY from IV (hexadecimal); `inverted`, every
bit of the clear unit turned, so that the guest knows what to look for and does not hold it; `digest`, the
clear unit's SHA-256."""

import hashlib
import os
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

key, iv, out = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3]
clear = os.urandom(192 * 1024)
cipher = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
files = {
    "unit": cipher.update(clear) + cipher.finalize(),
    "inverted": bytes(byte ^ 0xFF for byte in clear),
    "digest": hashlib.sha256(clear).digest(),
}
os.makedirs(out, exist_ok=True)
for name, content in files.items():
    with open(os.path.join(out, name), "wb") as file:
        file.write(content)
