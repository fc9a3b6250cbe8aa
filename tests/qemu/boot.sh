#!/bin/bash
# boot.sh [-t SECONDS] [-o OUT] DIR
# Boots OP-TEE with DIR as /in, runs /in/run.sh there and returns its status; what the guest leaves
# in /out arrives in OUT, with secure.log (OP-TEE's own console) and guest.log (everything printed).
# 124: time-out. 125: the guest gave no result. With OPTEE_ICOUNT the guest's clock counts instructions, of
# one processor, a nanosecond each: what it measures then is the same whatever else this machine does.
. "$(dirname "$0")/env.sh"
seconds=120 out=
while getopts t:o: o; do
    case $o in
        t) seconds=$OPTARG ;;
        o) out=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
require_setup
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=${out:-$work/out}
mkdir -p "$out" "$work/cpio/in"
rm -f "$out/rc"

# /in is a second archive after the initramfs: the kernel unpacks both.
cp -rL "$1/." "$work/cpio/in/"
cp "$INITRD" "$work/initrd"
(cd "$work/cpio" && find . | cpio -o -H newc --quiet -R 0:0) >> "$work/initrd"
size=$(stat -c %s "$work/initrd")
[ "$size" -lt $((200 << 20)) ] || die "$1 is too large for the guest's memory"
kernel=$(find "$KROOT" -name 'vmlinuz*' | head -1)

# QEMU takes -append only together with -kernel: /dev/null satisfies it, and the loader puts the real
# kernel where BL31 jumps to. 0x42000000 must stay free: it is OP-TEE's static shared memory.
processors=(-smp "${OPTEE_PROCESSORS:-1}")
[ -z "${OPTEE_ICOUNT:-}" ] || processors=(-smp 1 -icount "shift=0,sleep=off")
# In the foreground: QEMU stays in the process group of whoever booted it, and ends when that is ended.
rc=0
timeout --foreground "$seconds" qemu-system-aarch64 \
    -M virt,secure=on,gic-version=3 -cpu cortex-a57 "${processors[@]}" -m 1024 \
    -nographic -nodefaults -no-reboot -bios "$FLASH" ${DTB:+-dtb "$DTB"} -kernel /dev/null \
    -append "console=ttyAMA0 quiet panic=-1 rdinit=/init initrd=0x48000000,$size" \
    -device loader,file="$kernel",addr=0x44000000,force-raw=on \
    -device loader,file="$work/initrd",addr=0x48000000,force-raw=on \
    -serial stdio -serial "file:$out/secure.log" \
    -device virtio-serial-pci -chardev "file,id=o,path=$work/out.tar" -device virtserialport,chardev=o,name=out \
    < /dev/null | sed -u -e 's/\r//g' -e '/reboot: Power down/d' -e '/QEMU System Power off/d' | tee "$out/guest.log" ||
    rc=${PIPESTATUS[0]}
if [ "$rc" = 124 ]; then
    echo "boot: time-out after $seconds s" >&2
    exit 124
fi
tar xf "$work/out.tar" -C "$out" 2> /dev/null || true
if [ ! -s "$out/rc" ]; then
    echo "boot: no result from the guest" >&2
    tail -20 "$out/secure.log" >&2
    exit 125
fi
exit "$(cat "$out/rc")"
