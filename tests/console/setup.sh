#!/bin/bash
# Installs what tests/console drives: Debian's Chromium and its WebDriver, from the same source package.
# Idempotent. Apt is used as this machine has it configured.
set -euo pipefail

say() { echo "== $* [$SECONDS s]" >&2; }
die() {
    echo "tests/console/setup.sh: $*" >&2
    exit 1
}
retry() { # mirrors are flaky: four attempts, 2 to 8 s apart
    local pause=2
    until "$@"; do
        [ "$pause" -le 8 ] || return 1
        say "failed, trying again in $pause s: ${*:0:3}"
        sleep "$pause"
        pause=$((pause * 2))
    done
}

if ! command -v chromium > /dev/null || ! command -v chromedriver > /dev/null; then
    # A font, since a machine without a screen may have none: text that has no width cannot be clicked.
    packages=(chromium chromium-driver fonts-dejavu-core)
    apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
    [ "$(id -u)" = 0 ] || apt=(sudo "${apt[@]}")
    say "installing ${packages[*]}"
    log=$(mktemp)
    retry "${apt[@]}" update
    retry "${apt[@]}" install -y --no-install-recommends "${packages[@]}" > "$log" 2>&1 ||
        { tail -20 "$log" >&2; die "${packages[*]} could not be installed"; }
    rm -f "$log"
fi
version=$(chromium --version 2> /dev/null) || die 'chromium does not start'
say "browser ready: $version"
