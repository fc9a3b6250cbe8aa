# shellcheck shell=bash disable=SC2034
# Sourced by every script here: where things are, and nothing else. No path leads outside the
# repository but the cache, which may be deleted at any time.
set -euo pipefail
export LC_ALL=C
QEMU_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$QEMU_DIR/../.." && pwd)
CACHE=${OPTEE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keybearer/optee}
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)

SUITE=${OPTEE_SUITE:-trixie} # Debian suite of the arm64 OP-TEE packages and of the kernel
PLATFORM=vexpress-qemu_armv8a
CROSS=aarch64-linux-gnu-
TRIPLE=aarch64-unknown-linux-gnu

ROOTFS=$CACHE/rootfs           # arm64 packages, extracted and never installed
KROOT=$CACHE/kernel            # the arm64 kernel and its modules
SYSROOT=$CACHE/rust-sysroot/usr # aarch64 std of Debian's rustc-web
TFA=$CACHE/tfa                 # bl1.bin bl2.bin bl31.bin fiptool
CLIENT=$CACHE/client           # libteec in the layout that optee-teec-sys expects
FLASH=$CACHE/flash.bin
INITRD=$CACHE/initrd.cpio
TEE_BIN=$ROOTFS/usr/lib/optee/$PLATFORM
# Set: boots the kernel of sdp-kernel.sh, which gives out protected buffers, with the rebuilt OP-TEE.
OPTEE_SDP=${OPTEE_SDP:-}
SDP=$CACHE/sdp
# Set: boots the OP-TEE of optee-os.sh instead of Debian's build.
OPTEE_REBUILT=${OPTEE_REBUILT:-$OPTEE_SDP}
OPTEE_SDP_SIZE=${OPTEE_SDP_SIZE:-0x100000} # bytes at the end of its secure memory, less for applications
OS_VERSION=4.10.0-2                         # of Debian's source package; its checksums are in optee-os.sh
if [ -n "$OPTEE_REBUILT" ]; then
    TEE_BIN=$CACHE/optee-os-$OS_VERSION-$OPTEE_SDP_SIZE
    FLASH=$TEE_BIN.flash.bin
fi
MODULES='' DTB=''              # kernel modules in place of Debian's; device tree in place of QEMU's
if [ -n "$OPTEE_SDP" ]; then
    KROOT=$SDP/kernel
    MODULES=$SDP/modules
    DTB=$SDP/board-$OPTEE_SDP_SIZE.dtb
    INITRD=$SDP/initrd.cpio
fi
KIT=${TA_DEV_KIT_DIR:-$ROOTFS/usr/lib/optee-os-dev/$PLATFORM}

# Cross builds must not share a target directory with the default toolchain: each would rebuild
# the other's build scripts and procedural macros.
TARGET_DIR=${CARGO_TARGET_DIR:-$REPO/target}

. "$REPO/tests/install.sh"
require_setup() {
    [ -e "$INITRD" ] || die "nothing is set up in $CACHE: run $QEMU_DIR/setup.sh"
}
