#!/bin/bash
# The guest's initramfs: busybox, glibc, tee-supplicant, xtest, OP-TEE's kernel modules. Nothing of
# the project is in it: programs and trusted applications are appended at each boot.
. "$(dirname "$0")/env.sh"
supplicant=$QEMU_DIR/supplicant.c
[ "$INITRD" -nt "$CACHE/stamp-debs" ] && [ "$INITRD" -nt "$0" ] && [ "$INITRD" -nt "$supplicant" ] &&
    [ "$INITRD" -nt "${MODULES:-$0}" ] && exit 0
D=${INITRD%.cpio}
LIB=usr/lib/aarch64-linux-gnu
rm -rf "$D"
mkdir -p "$D"/{bin,dev,proc,sys,tmp,out,in,mod,var,etc,usr/bin,usr/sbin,$LIB,usr/lib/optee_armtz}
ln -s usr/lib "$D/lib"
ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$D/usr/lib/ld-linux-aarch64.so.1"
cp "$ROOTFS/usr/bin/busybox" "$D/bin/"
cp "$ROOTFS/usr/sbin/tee-supplicant" "$D/usr/sbin/"
cp "$ROOTFS/usr/bin/xtest" "$D/usr/bin/"
for l in ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1 \
    libteec.so.2 libckteec.so.0 libcrypto.so.3 libz.so.1 libzstd.so.1; do
    cp -L "$ROOTFS/$LIB/$l" "$D/$LIB/"
done
"${CROSS}gcc" -Wall -Werror -O2 -shared -fPIC -o "$D/usr/lib/supplicant.so" "$supplicant"
cp "$ROOTFS"/usr/lib/optee_armtz/*.ta "$D/usr/lib/optee_armtz/" # xtest's

# Depth first, so that /mod/order is the order to load in. What is not a file is built in.
add_module() {
    [ ! -e "$D/mod/$1.ko" ] || return 0
    local f d
    f=$(find ${MODULES:+"$MODULES"} "$KROOT" -name "$1.ko*" -o -name "${1//_/-}.ko*" | head -1)
    case $f in
        '') return 0 ;;
        *.xz) xz -dc "$f" > "$D/mod/$1.ko" ;;
        *.zst) zstd -qdc "$f" > "$D/mod/$1.ko" ;;
        *) cp "$f" "$D/mod/$1.ko" ;;
    esac
    for d in $(tr '\0' '\n' < "$D/mod/$1.ko" | sed -n 's/^depends=//p' | tr ',' ' '); do add_module "$d"; done
    echo "$1" >> "$D/mod/order"
}
add_module tee
add_module optee

cat > "$D/init" <<'I'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin HOME=/tmp
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
ifconfig lo 127.0.0.1 up
for m in $(cat /mod/order); do insmod /mod/$m.ko || echo "insmod $m failed"; done
# As a service manager would: whatever ends it, calls that use storage wait until it is back.
while :; do LD_PRELOAD=/usr/lib/supplicant.so tee-supplicant; sleep 0.1; done &
cut -d' ' -f1 /proc/uptime > /out/boot_seconds
cd /in; sh ./run.sh; rc=$?
echo $rc > /out/rc
tar cf /dev/vport*p1 -C /out .
poweroff -f
I
chmod +x "$D/init"
(cd "$D" && find . | cpio -o -H newc --quiet -R 0:0) > "$INITRD.new"
mv "$INITRD.new" "$INITRD"
rm -rf "$D"
