# shellcheck shell=bash disable=SC2034
# Sourced by what fetches Debian packages that are not for this machine: how apt is asked for them.
# A private apt root for the arm64 packages and the sources: this machine's dpkg is not touched, no
# foreign architecture is added, and signatures are checked against the machine's own Debian keyring.
APTROOT=$CACHE/apt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
APT=(-qq -o "Dir::Etc::sourcelist=$APTROOT/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$APTROOT/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$APTROOT/cache"
    -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::Retries=3)
mirror() { # the machine's own mirror of a suite, whatever it is
    # shellcheck disable=SC2016 # apt's own placeholder
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" | head -1
}

# fetch_from_sid KIND VERSION FOLDER PACKAGE...: packages (KIND deb) or a source package (deb-src) of one pinned
# version, into FOLDER, from a private apt root of their own. That suite moves on: where the mirror answers and has
# the version no more, the script ends with status 77. Anything else that goes wrong is a failure like others.
fetch_from_sid() {
    local kind=$1 version=$2 folder=$3 root=$CACHE/sid-$1 main missing=() listed p
    shift 3
    [ -n "$(mirror bookworm)" ] || retry host_apt update
    main=$(mirror bookworm)
    [ -n "$main" ] || die "apt knows no mirror of bookworm"
    mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$folder"
    echo "$kind [signed-by=$KEYRING arch=arm64] $main sid main" > "$root/sources.list"
    local apt=("${APT[@]}" -o "Dir::Etc::sourcelist=$root/sources.list" -o "Dir::State::Lists=$root/lists"
        -o "Dir::Cache=$root/cache")
    # An index that cannot be fetched is but a warning otherwise, and what was fetched before is taken for it.
    retry apt-get "${apt[@]}" -o APT::Update::Error-Mode=any update || die "the index of sid could not be fetched from $main"
    for p in "$@"; do
        # No answer is not the answer that there is none.
        listed=$(apt-cache "${apt[@]:1}" madison "$p") || die "apt-cache cannot say which versions of $p there are"
        awk -v v="$version" '$3 == v { found = 1 } END { exit !found }' <<< "$listed" || missing+=("$p")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "tests/qemu: $main HAS NO $version OF ${missing[*]} ANY MORE" >&2
        exit 77
    fi
    local get=(download)
    [ "$kind" = deb ] || get=(source --download-only)
    (cd "$folder" && retry apt-get "${apt[@]}" "${get[@]}" "${@/%/=$version}") ||
        die "${*/%/=$version} could not be fetched from $main"
}

# A source package as Debian builds it: its archives in FOLDER, unpacked and patched in FOLDER/b.
unpack_source() { # unpack_source FOLDER
    local p
    mkdir -p "$1/b"
    tar xf "$1"/*.orig.tar.* --strip-components=1 -C "$1/b"
    tar xf "$1"/*.debian.tar.xz -C "$1/b"
    while read -r p; do
        patch -p1 -s -d "$1/b" < "$1/b/debian/patches/$p"
    done < <(grep -v '^#' "$1/b/debian/patches/series")
}
