#!/bin/bash
# From a bare Debian 12 (amd64, with rustup's cargo) to an OP-TEE that boots in QEMU. Idempotent;
# each stage leaves its mark only when it is complete, so an interrupted run is simply repeated.
. "$(dirname "$0")/env.sh"
exec 9> "$CACHE/lock"
flock -w 1800 9 || die "another set-up has held $CACHE/lock for half an hour"
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || die "made for Debian 12 (bookworm)"
. "$QEMU_DIR/packages.sh"

dependency() { # dependency PACKAGE REGEX: the first package it depends on whose name matches
    apt-cache "${APT[@]:1}" depends --no-recommends "$1/$SUITE" | awk -v r="^$2" '/Depends:/ && $2 ~ r {print $2; exit}'
}
write_sources() {
    local main security
    [ -n "$(mirror bookworm)" ] || retry host_apt update
    main=$(mirror bookworm)
    security=$(mirror bookworm-security)
    if [ -z "$main" ] || [ -z "$security" ]; then die "apt knows no mirror of bookworm and bookworm-security"; fi
    mkdir -p "$APTROOT/lists/partial" "$APTROOT/cache/archives/partial" "$CACHE/debs"
    cat > "$APTROOT/sources.list" <<L
deb [signed-by=$KEYRING arch=arm64] $main $SUITE main
deb [signed-by=$KEYRING arch=arm64] $main bookworm main
deb [signed-by=$KEYRING arch=arm64] $security bookworm-security main
deb-src [signed-by=$KEYRING] $main $SUITE main
deb-src [signed-by=$KEYRING] $main bookworm main
L
}
fetch_arm64_packages() {
    local rust want packages
    rust=$(dpkg-query -W -f '${Version}' libstd-rust-web-dev)
    want="$SUITE $rust"
    [ "$(cat "$CACHE/stamp-debs" 2> /dev/null)" != "$want" ] || return 0
    write_sources
    retry apt-get "${APT[@]}" update
    packages=(optee-os optee-os-dev libteec2 tee-supplicant optee-test-qemu busybox-static libc6 libgcc-s1
        libssl3t64 zlib1g libzstd1 "$(dependency optee-test-qemu libckteec0)"
        "$(dependency linux-image-cloud-arm64 'linux-image-[0-9]')")
    rm -f "$CACHE"/debs/*.deb
    # std must be exactly that of the installed compiler
    (cd "$CACHE/debs" && retry apt-get "${APT[@]}" download "${packages[@]/%//$SUITE}" &&
        retry apt-get "${APT[@]}" download "libstd-rust-web-dev=$rust") || die "arm64 packages could not be fetched"
    rm -rf "$ROOTFS" "$KROOT" "$CACHE/rust-sysroot"
    mkdir -p "$ROOTFS" "$KROOT" "$CACHE/rust-sysroot"
    local f d
    for f in "$CACHE"/debs/*.deb; do
        case ${f##*/} in
            linux-image*) d=$KROOT ;;
            libstd-rust-web*) d=$CACHE/rust-sysroot ;;
            *) d=$ROOTFS ;;
        esac
        dpkg-deb -x "$f" "$d"
    done
    (cd "$CACHE/debs" && sha256sum -- *.deb) > "$CACHE/versions.lock"
    echo "$want" > "$CACHE/stamp-debs"
}

# TF-A for QEMU from Debian's source package. Linux is BL33 itself: no boot loader between.
fetch_tfa() {
    cd "$1" || return
    # A mirror may lack trixie's source (seen): bookworm's 2.8.0 does as well.
    apt-get "${APT[@]}" source --download-only "arm-trusted-firmware/$SUITE" 2> /dev/null ||
        retry apt-get "${APT[@]}" source --download-only arm-trusted-firmware/bookworm
}
build_tfa() {
    [ ! -e "$TFA/fiptool" ] || return 0
    local src=$CACHE/tfa-src
    rm -rf "$src"
    mkdir -p "$src" "$TFA"
    (fetch_tfa "$src") || die "TF-A's source could not be fetched"
    unpack_source "$src"
    # 2.8 does not know the warning of binutils 2.40 about RWX segments, which is fatal there.
    if ls "$src"/*2.8.0* > /dev/null 2>&1; then export TF_LDFLAGS=--no-warn-rwx-segments; fi
    make -C "$src/b" -j"$(nproc)" CROSS_COMPILE="$CROSS" PLAT=qemu DEBUG=0 LOG_LEVEL=10 SPD=opteed \
        QEMU_USE_GIC_DRIVER=QEMU_GICV3 ARM_LINUX_KERNEL_AS_BL33=1 PRELOADED_BL33_BASE=0x44000000 \
        bl1 bl2 bl31 fiptool > "$CACHE/tfa.log" 2>&1 || {
        tail -20 "$CACHE/tfa.log" >&2
        die "TF-A could not be built"
    }
    cp "$src"/b/build/qemu/release/bl{1,2,31}.bin "$TFA/"
    cp "$src/b/tools/fiptool/fiptool" "$TFA/" # last: its presence says that all is there
    rm -rf "$src"
}

# BL1, and at 256 KiB the firmware package with OP-TEE.
make_flash() {
    local part newer=1
    for part in "$CACHE/stamp-debs" "$TFA/fiptool" "$TEE_BIN/tee-pager_v2.bin"; do
        [ "$FLASH" -nt "$part" ] || newer=
    done
    [ -z "$newer" ] || return 0
    "$TFA/fiptool" create --tb-fw "$TFA/bl2.bin" --soc-fw "$TFA/bl31.bin" \
        --tos-fw "$TEE_BIN/tee-header_v2.bin" --tos-fw-extra1 "$TEE_BIN/tee-pager_v2.bin" "$CACHE/fip.bin"
    cp "$TFA/bl1.bin" "$FLASH.new"
    chmod u+w "$FLASH.new"
    dd if="$CACHE/fip.bin" of="$FLASH.new" bs=64k seek=4 status=none
    mv "$FLASH.new" "$FLASH"
}
make_client() {
    mkdir -p "$CLIENT/usr/lib"
    cp -L "$ROOTFS/usr/lib/aarch64-linux-gnu/libteec.so.2" "$CLIENT/usr/lib/"
    ln -sf libteec.so.2 "$CLIENT/usr/lib/libteec.so"
}

# Host packages, from the machine's own bookworm and bookworm-security.
install_packages qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross rustc-web make cpio patch \
    xz-utils python3-cryptography libssl-dev gcc
say "host packages ready"
fetch_arm64_packages
say "arm64 packages ready ($(wc -l < "$CACHE/versions.lock"), $(du -sm "$CACHE/debs" | cut -f1) MB)"
build_tfa
[ -z "$OPTEE_REBUILT" ] || "$QEMU_DIR/optee-os.sh"
make_flash
make_client
[ -z "$OPTEE_SDP" ] || "$QEMU_DIR/sdp-kernel.sh"
"$QEMU_DIR/mkinitrd.sh"
say "OP-TEE ready in $CACHE"
