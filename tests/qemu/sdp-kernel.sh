#!/bin/bash
# A kernel with OP-TEE's heap of protected buffers: Debian's own, with three modules of its own source.
# Debian leaves CONFIG_DMABUF_HEAPS unset in every flavour, and the driver of Linux 6.12 has no heap at all:
# so dma-heap.ko, tee.ko and optee.ko are built against the headers of the very kernel that boots,
# and that kernel stays as it is. In $CACHE/sdp: kernel/ (extracted), modules/*.ko and the device tree.
#
# Pinned to one version of Debian's sid, which moves: status 77 when the mirror has it no more.
# Called by setup.sh where OPTEE_SDP is set.
. "$(dirname "$0")/env.sh"
. "$QEMU_DIR/packages.sh"
[ -n "$OPTEE_SDP" ] || die "set OPTEE_SDP=1"
VERSION=7.2.13-1
RELEASE=7.2.13+deb14-cloud-arm64
ABI=${RELEASE%-cloud-arm64}
SERIES=${VERSION%.*}

fetch_kernel() {
    [ ! -e "$SDP/kernel/complete" ] || return 0
    rm -rf "$SDP/kernel" "$SDP/debs"
    fetch_from_sid deb "$VERSION" "$SDP/debs" "linux-base-$RELEASE" "linux-binary-$RELEASE" "linux-modules-$RELEASE"
    local f
    for f in "$SDP"/debs/*.deb; do dpkg-deb -x "$f" "$SDP/kernel"; done
    rm -rf "$SDP/debs"
    touch "$SDP/kernel/complete"
}

build_modules() {
    [ ! -e "$SDP/modules/optee.ko" ] || return 0
    local work=$SDP/build f m headers option
    rm -rf "$work" "$SDP/modules"
    mkdir -p "$work/headers"
    fetch_from_sid deb "$VERSION" "$work/debs" "linux-source-$SERIES" "linux-headers-$RELEASE" "linux-headers-$ABI-common"
    for f in "$work"/debs/linux-headers*.deb; do dpkg-deb -x "$f" "$work/headers"; done
    dpkg-deb --fsys-tarfile "$work"/debs/linux-source*.deb |
        tar xO --wildcards './usr/src/linux-source-*.tar.xz' | tar xJ --strip-components=1 --one-top-level="$work/source"
    rm -rf "$work/debs"
    say "kernel source ready"
    (
        local make=(make -s -C "$work/source" ARCH=arm64 "CROSS_COMPILE=$CROSS" "KERNELRELEASE=$RELEASE" -j"$(nproc)")
        # The tools for modules are the same whatever the configuration: the smallest one makes them.
        "${make[@]}" O="$work/tools" allnoconfig
        "$work/source/scripts/config" --file "$work/tools/.config" -e MODULES
        "${make[@]}" O="$work/tools" olddefconfig modules_prepare
        # Everything else is as the kernel that boots was built.
        headers=$work/headers/usr/src/linux-headers-$RELEASE
        mkdir "$work/kernel"
        cp -r "$headers"/{.config,include,arch,Module.symvers} "$work"/tools/{scripts,Makefile} "$work/kernel/"
        ln -s "$work/source" "$work/kernel/source"
        # But for what its compiler has and this one has not, and type information that needs the kernel's image.
        for option in CC_HAS_MIN_FUNCTION_ALIGNMENT CC_HAS_COUNTED_BY CC_HAS_COUNTED_BY_PTR \
            CC_HAS_MULTIDIMENSIONAL_NONSTRING CC_HAS_ASSUME DEBUG_INFO_BTF; do
            sed -i "/^CONFIG_$option=/d" "$work/kernel/include/config/auto.conf"
            sed -i "/#define CONFIG_$option /d" "$work/kernel/include/generated/autoconf.h"
        done
        mkdir "$work/out"
        cp -r "$work/source/drivers/tee" "$work/out/tee"
        sed -i '/amdtee\|tstee\|qcomtee/d' "$work/out/tee/Makefile"
        {
            echo '#include <linux/module.h>'
            cat "$work/source/drivers/dma-buf/dma-heap.c"
            echo 'MODULE_LICENSE("GPL"); MODULE_DESCRIPTION("dma-buf heaps"); MODULE_IMPORT_NS("DMA_BUF");'
        } > "$work/out/dma-heap.c"
        m='-DCONFIG_DMABUF_HEAPS=1 -DCONFIG_TEE_DMABUF_HEAPS=1 -DCONFIG_OPTEE_STATIC_PROTMEM_POOL=1'
        printf 'ccflags-y += %s\nsubdir-ccflags-y += %s\nobj-m += dma-heap.o tee/\n' "$m" "$m" > "$work/out/Kbuild"
        # Another compiler's patchable function entries are what the kernel's tracer stumbles over.
        "${make[@]}" O="$work/kernel" M="$work/out" CC_FLAGS_FTRACE= modules
    ) > "$SDP/modules.log" 2>&1 || { tail -20 "$SDP/modules.log" >&2; die "the kernel modules could not be built"; }
    mkdir "$SDP/modules"
    while read -r m; do
        "${CROSS}strip" -g -o "$SDP/modules/${m##*/}" "$m"
    done < <(find "$work/out" -name '*.ko' | grep -v /optee.ko)
    # Last: its presence says that all are there.
    "${CROSS}strip" -g -o "$SDP/modules/optee.ko" "$(find "$work/out" -name optee.ko)"
    rm -rf "$work"
}

# QEMU's own device tree with a memory node over the pool, the end of OP-TEE's memory, so that Linux has
# page structures for it. Named otherwise than memory@, which QEMU makes itself. OP-TEE's
# reserved-memory node keeps Linux out of it.
make_device_tree() {
    [ "$DTB" -nt "$0" ] && return 0
    local base
    base=$(printf '0x%x' $((0xf000000 - OPTEE_SDP_SIZE)))
    qemu-system-aarch64 -M "virt,secure=on,gic-version=3,dumpdtb=$SDP/plain.dtb" -cpu cortex-a57 -smp 2 -m 1024 \
        -bios "$FLASH" -nographic -nodefaults 2> /dev/null
    dtc -q -I dtb -O dts "$SDP/plain.dtb" > "$SDP/plain.dts"
    sed "s|^\tsecram@|\tsdpram@${base#0x} { device_type = \"memory\"; reg = <0x00 $base 0x00 $OPTEE_SDP_SIZE>; };\n\n&|" \
        "$SDP/plain.dts" > "$SDP/board.dts"
    grep -q sdpram@ "$SDP/board.dts" || die "QEMU's device tree has no secure memory to put the pool into"
    dtc -q -I dts -O dtb "$SDP/board.dts" > "$DTB.new"
    mv "$DTB.new" "$DTB"
}

mkdir -p "$SDP"
fetch_kernel
say "kernel $RELEASE ready"
install_packages flex bison bc libssl-dev libelf-dev device-tree-compiler
build_modules
say "modules ready: $(cd "$SDP/modules" && echo *.ko)"
make_device_tree
