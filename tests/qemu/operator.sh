# shellcheck shell=bash disable=SC2034
# Sourced, after the set-up: builds the `keybearer` command for the guest and lets it make, in the
# guest, the keys of a test operator. Trusted applications accept no operator but those compiled in,
# so the keys come first and stay: another anchor would be another build.
#
# Uses the caller's temporary folder, `work`. Gives COMMAND (the program), OPERATOR (the folder of the
# keys) and ANCHOR (the digest to compile in).
COMMAND=$TARGET_DIR/qemu-command/keybearer
COMMAND_BUILD=${AARCH64_TARGET_DIR:-$TARGET_DIR/aarch64}/$TRIPLE/debug/keybearer
OPERATOR=$TARGET_DIR/qemu-operator

build_command() { # build_command [ARGUMENTS]: cargo's, when more is to be built with it
    [ $# -gt 0 ] || set -- --locked -p keybearer-cli --features optee
    say "building for the guest"
    (cd "$REPO" && "$QEMU_DIR/cargo-aarch64.sh" build "$@")
    mkdir -p "${COMMAND%/*}"
    "${CROSS}strip" -o "$COMMAND" "$COMMAND_BUILD"
}

make_operator() {
    if [ ! -s "$OPERATOR/digest" ]; then
        local maker=${work:?a temporary folder of the caller}/operator
        mkdir -p "$maker/in"
        cp "$COMMAND" "$maker/in/"
        echo './keybearer --quiet serve init /out/keys --service "Test operator" > /out/digest' > "$maker/in/run.sh"
        "$QEMU_DIR/boot.sh" -o "$maker/out" "$maker/in" >&2 || die "the operator's keys could not be made"
        rm -rf "$OPERATOR"
        mkdir -p "$OPERATOR"
        mv "$maker/out/keys" "$OPERATOR/"
        mv "$maker/out/digest" "$OPERATOR/" # last: its presence says that all is there
    fi
    ANCHOR=$(cat "$OPERATOR/digest")
    [[ $ANCHOR =~ ^[0-9a-f]{64}$ ]] || die "$OPERATOR/digest holds no digest; remove the folder"
}
