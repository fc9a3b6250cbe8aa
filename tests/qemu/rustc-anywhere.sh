#!/bin/bash
# What cargo calls in place of rustc for trusted applications (RUSTC_WRAPPER): the same bytes wherever
# they are built.
#
# Cargo tells rustc a number for each package, made from where its sources lie, and rustc makes the
# names of functions from it; by the names they are ordered, and so is the image. Remapping paths
# does not reach that. For packages below KEYBEARER_SOURCES the number is name and version instead,
# of which there are no two; packages of a registry have numbers that name no folder.
rustc=$1
shift
case ${CARGO_MANIFEST_DIR:-} in
    "${KEYBEARER_SOURCES:?is the folder of the sources}"/*)
        arguments=()
        for argument in "$@"; do
            case $argument in metadata=*) argument=metadata=$CARGO_PKG_NAME-$CARGO_PKG_VERSION ;; esac
            arguments+=("$argument")
        done
        exec "$rustc" "${arguments[@]}"
        ;;
esac
exec "$rustc" "$@"
