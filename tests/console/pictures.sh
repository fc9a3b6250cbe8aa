#!/bin/bash
# Takes the pictures of the console's README anew, from the browser test's own session.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
tests/console/setup.sh
rm -rf "$target/tmp/console"
cargo test --locked -p keybearer-console-tests --test console
cp "$target"/tmp/console/*.png host/server/console/
ls -l host/server/console/*.png
