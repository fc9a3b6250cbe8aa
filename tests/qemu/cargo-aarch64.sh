#!/bin/bash
# cargo-aarch64.sh ARGS: the machine's cargo, driving Debian's compiler for aarch64 programs that run
# in the guest. Plain `cargo` goes on building for this machine with the default toolchain.
. "$(dirname "$0")/env.sh"
require_setup
unset RUSTUP_TOOLCHAIN RUSTFLAGS
export RUSTC=/usr/bin/rustc
export CARGO_BUILD_TARGET=$TRIPLE
# What runs in the guest goes there stripped.
export CARGO_PROFILE_DEV_DEBUG=false
export CARGO_TARGET_DIR=${AARCH64_TARGET_DIR:-$TARGET_DIR/aarch64}
var=CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU
export ${var}_LINKER="${AARCH64_LINKER:-${CROSS}gcc}"
export ${var}_RUNNER="$QEMU_DIR/aarch64-runner.sh"
export ${var}_RUSTFLAGS="--sysroot $SYSROOT ${AARCH64_RUSTFLAGS:-}"
export CC_aarch64_unknown_linux_gnu=${CROSS}gcc AR_aarch64_unknown_linux_gnu=${CROSS}ar
export TA_DEV_KIT_DIR=$KIT OPTEE_CLIENT_EXPORT=$CLIENT
# The guest's own programs decode next to nothing, and this takes a while to build for speed.
exec cargo --config 'profile.dev.package.rusty_h264-decoder.opt-level=0' "$@"
