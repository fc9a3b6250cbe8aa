#!/bin/bash
# run-tests.sh [-o OUT] [-f FILE]... [-e NAME=VALUE]... [-c COMMAND] [-a TEST]... -- CARGO BUILD ARGUMENTS
# Everything from nothing to a verdict: sets OP-TEE up, builds the trusted applications with the
# public development key, builds the test programs that the cargo arguments name, boots, runs
# them all and fails if one of them does. FILEs and folders lie beside the programs in the guest,
# in /in, and the programs see the NAMEs. COMMAND, a line for the guest's shell, runs after them all
# and must succeed too. TESTs have a machine of their own beside it: an emulated machine keeps one processor
# of this one busy, and there are more. It has two processors, for what races.
# OUT (target/qemu-out) keeps guest.log, secure.log and what the programs leave in /out; OUT/apart the same of
# the second machine, whose output is printed when both have ended.
. "$(dirname "$0")/env.sh"
out=$TARGET_DIR/qemu-out files=() environment=() last='' apart=()
while getopts o:f:e:c:a: o; do
    case $o in
        o) out=$OPTARG ;;
        f) files+=("$OPTARG") ;;
        e) environment+=("$OPTARG") ;;
        c) last=$OPTARG ;;
        a) apart+=("$OPTARG") ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || die "name the tests, as for cargo build: run-tests.sh -- -p PACKAGE --test NAME"
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
machines=()
# However this ends, no machine goes on.
stop() {
    trap '' INT TERM HUP
    local machine
    for machine in "${machines[@]}"; do
        kill -TERM -- "-$machine" 2> /dev/null || true
    done
    wait
    rm -rf "$work" "$work".*
}
trap stop EXIT

"$QEMU_DIR/setup.sh"
TA_SIGN_KEY=insecure-development-key "$QEMU_DIR/ta-build.sh" "$REPO/ta/keybearer" "$work"
# Its output is the digest of each picture: what the guest's tests compare with FFmpeg's.
TA_SIGN_KEY=insecure-development-key "$QEMU_DIR/ta-build.sh" "$REPO/ta/decoder" "$work" --features test-sink

# Only where the key TA is built for it: it tells what a test says.
if [ -n "${KEYBEARER_TA_MONITOR:-}" ]; then
    TA_SIGN_KEY=insecure-development-key "$QEMU_DIR/ta-build.sh" "$REPO/ta/monitor" "$work"
fi

cd "$REPO"
"$QEMU_DIR/cargo-aarch64.sh" build --message-format=json-render-diagnostics "$@" > "$work/build.json"
# One line for each test program that cargo built: its name and where it is.
/usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    built = json.loads(line)
    if built.get("reason") == "compiler-artifact" and built.get("executable") and built["profile"]["test"]:
        print(built["target"]["name"], built["executable"])
' < "$work/build.json" | sort > "$work/programs"
rm "$work/build.json"
[ -s "$work/programs" ] || die "these arguments name no test program: $*"
while read -r name program; do
    "${CROSS}strip" -o "$work/$name" "$program"
done < "$work/programs"
[ ${#files[@]} = 0 ] || cp -r "${files[@]}" "$work/"
say "test programs built: $(cut -d' ' -f1 "$work/programs" | tr '\n' ' ')"

# prepare FOLDER LAST: what a machine does with FOLDER: the programs that are listed there, and LAST.
prepare() {
    {
        [ ${#environment[@]} = 0 ] || printf 'export %q\n' "${environment[@]}"
        cat
        [ -z "$2" ] ||
            printf 'echo "-- %s"\nif %s < /dev/null; then echo "-- passed"; else echo "-- FAILED"; rc=1; fi\n' "$2" "$2"
        echo 'exit $rc'
    } > "$1/run.sh" <<'R'
cp *.ta /lib/optee_armtz/
# One device, and one boot for all: a test at a time.
export RUST_BACKTRACE=1 RUST_TEST_THREADS=1 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1
# The other cases are for machines that are not emulated.
export PROPTEST_CASES=32
rc=0
while read -r name _; do
    echo "-- $name"
    if ./$name --nocapture < /dev/null; then echo "-- $name passed"; else echo "-- $name FAILED"; rc=1; fi
done < programs
R
}
# booted FOLDER OUT: and when something fails, OP-TEE's own console as well.
booted() {
    local rc=0
    "$QEMU_DIR/boot.sh" -t "${OPTEE_TIMEOUT:-900}" -o "$2" "$1" || rc=$?
    if [ "$rc" != 0 ]; then
        echo "-- OP-TEE's own console (last 60 lines of $2/secure.log):"
        tail -60 "$2/secure.log"
    fi
    return "$rc"
}
# Whoever called this sees that it was interrupted, and not that it has failed.
for signal in INT TERM HUP; do
    # shellcheck disable=SC2064 # the signal of this turn
    trap "stop; trap - $signal EXIT; kill -$signal \$\$" "$signal"
done
# start FOLDER OUT: boots in a process group of its own, which is ended as a whole: a job in the background
# would ignore an interrupt, and QEMU outlive this script.
start() {
    set -m
    booted "$@" &
    set +m
    machines[$!]=$!
}
# ended MACHINE: waits for one, and says what it came to.
ended() {
    local rc=0
    wait "$1" || rc=$?
    unset "machines[$1]"
    return "$rc"
}
second=
if [ ${#apart[@]} -gt 0 ]; then
    cp -al "$work" "$work.apart"
    rm "$work.apart/programs"
    mv "$work/programs" "$work.all"
    for name in "${apart[@]}"; do
        grep "^$name " "$work.all" >> "$work.apart/programs" || die "$name is not among the tests that were built"
    done
    grep -vxF -f "$work.apart/programs" "$work.all" > "$work/programs" || die "no test is left for the first machine"
    prepare "$work.apart" ''
    OPTEE_PROCESSORS=2 start "$work.apart" "$out/apart" > "$work.printed" 2>&1
    second=$!
fi
prepare "$work" "$last"
start "$work" "$out"
rc=0
ended $! || rc=$?
if [ -n "$second" ]; then
    ended "$second" || rc=$?
    echo "-- the second machine"
    cat "$work.printed"
fi
say "QEMU leg: status $rc, logs in $out"
exit "$rc"
