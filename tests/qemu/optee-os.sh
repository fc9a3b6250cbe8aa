#!/bin/bash
# Builds the OP-TEE that the environment variable OPTEE_REBUILT asks for, from Debian's source package
# of one pinned version. What it has and Debian's build has not:
#   the attestation PTA    measures the trusted application that asks and signs it with the device's key
#   the secure data path   a pool of protected memory for decrypted video, OPTEE_SDP_SIZE bytes
#   RPMB                   as tee-supplicant emulates it, in its memory: storage put back is noticed
# It runs trusted applications that are built and signed with the kit of Debian's package.
# Called by setup.sh. Status 77: the mirror has the source package no more.
. "$(dirname "$0")/env.sh"
[ -n "$OPTEE_REBUILT" ] || die "set OPTEE_REBUILT=1"
[ ! -e "$TEE_BIN/tee-pager_v2.bin" ] || exit 0
. "$QEMU_DIR/packages.sh"
install_packages python3-pyelftools device-tree-compiler

src=$CACHE/optee-os-src
rm -rf "$src"
fetch_from_sid deb-src "$OS_VERSION" "$src" optee-os
# apt has checked them against sid's signed index; that this is what was tried before, these say.
(cd "$src" && sha256sum --quiet -c) <<'L' || die "optee-os $OS_VERSION is not the one that is known here"
18633691cb075ff2249422251f1cd77c30439a95b564b46682dea1fb6580a5af  optee-os_4.10.0.orig.tar.gz
4f0bad3d39b5623da371845a337bfcae826916e871c54f35017c9931178f01d4  optee-os_4.10.0-2.debian.tar.xz
L
unpack_source "$src"
say "building OP-TEE $OS_VERSION"
# Debian's own settings for this platform, less its chatter; PKCS#11 is nothing to us.
make -C "$src/b" -j"$(nproc)" O="$src/out" PLATFORM="$PLATFORM" CROSS_COMPILE="$CROSS" CROSS_COMPILE64="$CROSS" \
    PYTHON3=/usr/bin/python3 CFG_ARM64_core=y CFG_USER_TA_TARGETS=ta_arm64 CFG_ARM_GICV3=y \
    CFG_TEE_CORE_LOG_LEVEL=1 CFG_TEE_TA_LOG_LEVEL=2 CFG_PKCS11_TA=n \
    CFG_ATTESTATION_PTA=y CFG_SECURE_DATA_PATH=y "CFG_TEE_SDP_MEM_SIZE=$OPTEE_SDP_SIZE" \
    CFG_RPMB_FS=y CFG_RPMB_WRITE_KEY=y CFG_RPMB_TESTKEY=y CFG_REE_FS_ALLOW_RESET=y \
    TA_SIGN_KEY="$KIT/keys/default_ta.pem" > "$CACHE/optee-os.log" 2>&1 || {
    tail -20 "$CACHE/optee-os.log" >&2
    die "OP-TEE could not be built"
}
mkdir -p "$TEE_BIN"
cp "$src/out/core/tee-header_v2.bin" "$TEE_BIN/"
cp "$src/out/core/tee-pager_v2.bin" "$TEE_BIN/" # last: its presence says that all is there
rm -rf "$src"
say "OP-TEE $OS_VERSION built"
