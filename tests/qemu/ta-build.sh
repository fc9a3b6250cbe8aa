#!/bin/bash
# ta-build.sh CRATE OUT [CARGO ARGS]: builds the trusted application in CRATE (its identity is in
# CRATE/uuid.txt) and leaves it signed as OUT/UUID.ta, with its measurement as OUT/UUID.measurement.
#
# TA_SIGN_KEY   the builder's private key (PEM); OP-TEE on the device must hold its public half.
#               "insecure-development-key" means the key that everyone who has OP-TEE's development
#               kit has. Then the build is a debug build whatever the environment says, so that no
#               licence server takes it for a product. Given as a file it is refused.
# TA_PUBLIC_KEY_AS_PRODUCT  set: not refused, and no debug build, for tests of what a product does.
# TA_VERSION    OP-TEE refuses to go back to a lower one (0).
. "$(dirname "$0")/env.sh"
crate=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
uuid=$(cat "$crate/uuid.txt")
name=$(sed -n 's/^name *= *"\(.*\)"/\1/p' "$crate/Cargo.toml" | head -1)
key=${TA_SIGN_KEY:?is the path of the signing key}
if [ "$key" = insecure-development-key ]; then
    key=$KIT/keys/default_ta.pem
    export KEYBEARER_TA_DEBUG=1
    say "WARNING: $name is signed with the PUBLIC DEVELOPMENT KEY of the kit: for tests only"
elif [ -z "${TA_PUBLIC_KEY_AS_PRODUCT:-}" ]; then
    # Whatever the file is called.
    rc=0
    /usr/bin/python3 - "$key" "$KIT/keys/default_ta.pem" <<'P' || rc=$?
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
try:
    given, public = (load_pem_private_key(open(name, "rb").read(), None).public_key().public_numbers() for name in sys.argv[1:])
except Exception as error:
    sys.exit(f"{sys.argv[1]}: expected a private key in PEM without a password: {error}")
sys.exit(3 if given == public else 0)
P
    case $rc in
        0) ;;
        3) die "$key is the public development key of OP-TEE's kit, with which everybody can sign: give your own, or TA_SIGN_KEY=insecure-development-key for a debug build" ;;
        *) die "TA_SIGN_KEY=$key cannot be used" ;;
    esac
fi

# OP-TEE runs on Armv8 with the Cryptography Extensions here. Detection at run time needs a libc,
# which a trusted application has not, so the features are fixed at build time.
target=$TARGET_DIR/ta
# The same bytes wherever it is built: no path of this machine stays in it, nor what follows from one.
export RUSTC_WRAPPER=$QEMU_DIR/rustc-anywhere.sh KEYBEARER_SOURCES=$REPO
same=()
for folder in "$target=/target" "$REPO=/keybearer" "${CARGO_HOME:-$HOME/.cargo}=/cargo"; do
    same+=("--remap-path-prefix=$folder")
done
(
    cd "$crate" || exit
    AARCH64_LINKER=${CROSS}ld.bfd AARCH64_RUSTFLAGS="-C target-feature=+aes,+sha2,+neon ${same[*]}" \
        AARCH64_TARGET_DIR=$target "$QEMU_DIR/cargo-aarch64.sh" build --release --locked --features ta "$@"
)
"${CROSS}objcopy" --strip-unneeded "$target/$TRIPLE/release/$name" "$target/$uuid.stripped.elf"
# Debian's python3: another one has no `cryptography`
/usr/bin/python3 "$KIT/scripts/sign_encrypt.py" --uuid "$uuid" --key "$key" --ta-version "${TA_VERSION:-0}" \
    --in "$target/$uuid.stripped.elf" --out "$out/$uuid.ta" > "$target/sign.log" || { cat "$target/sign.log" >&2; exit 1; }
# What an attestation of the running application will say: a service can list it.
"$QEMU_DIR/measure.py" "$target/$uuid.stripped.elf" > "$out/$uuid.measurement"
say "measurement $(cat "$out/$uuid.measurement")"
say "signed $uuid.ta, $(stat -c %s "$out/$uuid.ta") bytes"
