# shellcheck shell=bash
# Sourced by scripts that need packages of this machine, or fetch something: says what is done, tries again
# what mirrors are too flaky for, and installs by apt as this machine has it configured.

say() { echo "== $* [$SECONDS s]" >&2; }
die() { # names the script that was started
    echo "tests/${0##*tests/}: $*" >&2
    exit 1
}

# retry COMMAND...: five attempts, 2 to 16 s apart.
retry() {
    local pause=2
    until "$@"; do
        [ "$pause" -le 16 ] || return 1
        say "failed, trying again in $pause s: $1 ${2:-}"
        sleep "$pause"
        pause=$((pause * 2))
    done
}

# This machine's own apt. Another that is at work there is waited for.
host_apt() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
    [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
    "${apt[@]}" "$@"
}

# install_packages PACKAGE...: those that are not installed; 1, and what to do, where that fails.
install_packages() {
    local missing=() p log
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2> /dev/null | grep -q 'ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    log=$(mktemp)
    if retry update_and_install "${missing[@]}"; then
        rm -f "$log"
        return 0
    fi
    tail -20 "$log" >&2
    rm -f "$log"
    echo "tests/${0##*tests/}: these packages could not be installed, install them by hand: ${missing[*]}" >&2
    return 1
}
update_and_install() { # into the log of install_packages
    { host_apt update && host_apt install -y --no-install-recommends "$@"; } > "$log" 2>&1
}
