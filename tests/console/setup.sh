#!/bin/bash
# Installs what tests/console drives: Debian's Chromium and its WebDriver, from the same source package.
# Idempotent. Apt is used as this machine has it configured.
set -euo pipefail

. "$(dirname "$0")/../install.sh"

if ! command -v chromium > /dev/null || ! command -v chromedriver > /dev/null; then
    # A font, since a machine without a screen may have none: text that has no width cannot be clicked.
    install_packages chromium chromium-driver fonts-dejavu-core
fi
version=$(chromium --version 2> /dev/null) || die 'chromium does not start'
say "browser ready: $version"
