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
