#!/bin/bash
# cargo's runner for aarch64: one program, one boot, with the trusted applications of $OPTEE_TA_DIR.
# OPTEE_TIMEOUT: seconds (300). OPTEE_OUT: a folder that keeps the logs.
. "$(dirname "$0")/env.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$1
shift
"${CROSS}strip" -o "$work/program" "$program"
if [ -n "${OPTEE_TA_DIR:-}" ]; then cp "$OPTEE_TA_DIR"/*.ta "$work/"; fi
{
    echo 'cp *.ta /lib/optee_armtz/ 2> /dev/null'
    printf 'RUST_BACKTRACE=1 exec ./program'
    [ $# = 0 ] || printf ' %q' "$@"
    echo
} > "$work/run.sh"
"$QEMU_DIR/boot.sh" -t "${OPTEE_TIMEOUT:-300}" ${OPTEE_OUT:+-o "$OPTEE_OUT"} "$work"
