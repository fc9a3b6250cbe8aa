#!/bin/bash
# Makes the clips of this folder and the digests that FFmpeg's own decoder gives for each of their
# pictures: FFmpeg and x264 as Debian packages them (`ffmpeg`), so that nobody here wrote the encoder
# or the reference decoder. A second run with the same packages gives the same bytes.
#
# NAME.h264 is an Annex B stream with access unit delimiters; NAME.sha256 has one line a picture, in
# presentation order: WIDTHxHEIGHT and the SHA-256 of its Y, Cb and Cr samples.
# What is in refused/ is not decoded by this room, whatever FFmpeg makes of it.
#
# Usage: crates/video/tests/clips/make.sh
set -euo pipefail
trap 'echo "make.sh failed in line $LINENO" >&2' ERR
set -E
cd "$(dirname "$0")"
mkdir -p refused
rm -f ./*.h264 ./*.sha256 refused/*.h264

ffmpeg=(ffmpeg -hide_banner -loglevel error -y)

# A picture in which everything moves: gradients, edges, text, and a little noise.
source() { # size, pictures
    echo "testsrc2=size=$1:rate=25,rotate=a=0.03*n:c=gray,noise=c0s=6:c0f=t:c0_seed=7,trim=end_frame=$2"
}

encode() { # name, size, pictures, x264 parameters, further arguments
    local name=$1 size=$2 pictures=$3 parameters=$4
    shift 4
    local format=(-pix_fmt yuv420p)
    [[ " $* " == *" -pix_fmt "* ]] && format=()
    "${ffmpeg[@]}" -f lavfi -i "$(source "$size" "$pictures")" "${format[@]}" \
        -c:v libx264 -preset medium -threads 1 \
        -x264-params "aud=1:scenecut=0:lookahead-threads=1:threads=1:$parameters" \
        -fflags +bitexact -flags:v +bitexact "$@" -f h264 "$name.h264"
}

digest() { # name
    # Without `unaligned` FFmpeg rounds what is cropped on the left to whole vectors of its processor.
    ffmpeg -hide_banner -loglevel error -threads 1 -flags unaligned -i "$1.h264" -fps_mode passthrough -autoscale 0 \
        -pix_fmt yuv420p -f framehash -hash sha256 - |
        awk -F', *' -v size="$(size "$1")" '!/^#/ { print size, $6 }' > "$1.sha256"
}

size() { # name
    ffprobe -v error -select_streams v:0 -show_entries stream=width,height -of csv=p=0:s=x "$1.h264"
}

make() {
    encode "$@"
    digest "$1"
}

# ---- profiles, entropy coding, references, slices ---------------------------------------------
make baseline-64x48 64x48 12 "bframes=0:ref=1:crf=28" -profile:v baseline
make baseline-refs-176x144 176x144 12 "bframes=0:ref=4:crf=34:slices=3" -profile:v baseline
make main-cavlc-b-176x144 176x144 12 "bframes=2:b-adapt=0:cabac=0:ref=2:crf=34" -profile:v main
make main-cabac-b-176x144 176x144 14 "bframes=2:b-adapt=0:ref=2:weightp=2:crf=34" -profile:v main
make main-pyramid-128x96 128x96 20 "bframes=3:b-adapt=0:b-pyramid=normal:ref=4:crf=32" -profile:v main
make main-temporal-128x96 128x96 16 "bframes=3:b-adapt=0:direct=temporal:ref=3:crf=32" -profile:v main
make high-320x180 320x180 10 "bframes=2:b-adapt=0:ref=3:8x8dct=1:crf=37"
make high-cavlc-176x144 176x144 10 "bframes=2:b-adapt=0:cabac=0:8x8dct=1:ref=3:crf=34"
make high-352x288 352x288 10 "bframes=3:b-adapt=0:b-pyramid=normal:ref=4:8x8dct=1:crf=39"
make high-slices-160x128 160x128 12 "bframes=2:b-adapt=0:ref=3:slices=5:crf=34"
make high-sliced-threads-160x128 160x128 10 "bframes=2:b-adapt=0:ref=3:sliced-threads=1:threads=4:crf=34"
make high-many-slices-176x144 176x144 6 "bframes=1:b-adapt=0:ref=2:slice-max-mbs=7:crf=36"
make high-refs-16-64x64 64x64 40 "bframes=3:b-adapt=0:b-pyramid=normal:ref=16:crf=36" -level 4.0

# ---- tools ------------------------------------------------------------------------------------
make high-matrices-112x80 112x80 8 "bframes=1:b-adapt=0:ref=2:cqm=jvt:crf=28"
make high-weighted-128x96 128x96 14 "bframes=2:b-adapt=0:ref=3:weightp=2:weightb=1:crf=34" \
    -vf "fade=t=in:start_frame=0:nb_frames=12"
make main-constrained-intra-96x96 96x96 10 "bframes=0:ref=2:constrained-intra=1:crf=30" -profile:v main
make main-no-deblock-96x64 96x64 8 "bframes=1:b-adapt=0:no-deblock=1:ref=2:crf=30" -profile:v main
make main-deblock-96x64 96x64 8 "bframes=1:b-adapt=0:deblock=3,-3:ref=2:crf=38" -profile:v main
make high-sharp-64x64 64x64 4 "bframes=0:ref=1:qp=4"
make high-intra-refresh-128x96 128x96 16 "bframes=0:ref=2:intra-refresh=1:keyint=8:crf=34"
make high-intra-176x144 176x144 3 "keyint=1:crf=34"
make high-groups-96x80 96x80 24 "bframes=2:b-adapt=0:ref=2:keyint=6:min-keyint=6:crf=34"
make high-open-gop-96x80 96x80 24 "bframes=2:b-adapt=0:ref=2:keyint=6:min-keyint=6:open-gop=1:crf=34"
make high-fake-interlaced-96x64 96x64 6 "bframes=1:b-adapt=0:fake-interlaced=1:ref=2:crf=32"
make high-usability-64x48 64x48 8 "bframes=2:b-adapt=0:ref=2:crf=32:nal-hrd=vbr:vbv-maxrate=200:vbv-bufsize=200:\
chromaloc=1:sar=7/5:overscan=show:videoformat=pal:colorprim=bt709:transfer=bt709:colormatrix=bt709"

# ---- sizes and crops --------------------------------------------------------------------------
make high-70x50 70x50 8 "bframes=2:b-adapt=0:ref=2:crf=32"
make high-16x16 16x16 8 "bframes=1:b-adapt=0:ref=2:crf=24"
make high-640x360 640x360 3 "bframes=2:b-adapt=0:ref=4:crf=45"
crop() { # name, options of the filter, from
    "${ffmpeg[@]}" -i "$3.h264" -c copy -bsf:v "h264_metadata=$2" -f h264 "$1.h264"
    digest "$1"
}
crop high-crop-122x84 "crop_left=2:crop_right=4:crop_top=6:crop_bottom=6" main-temporal-128x96
crop high-crop-large-78x52 "crop_left=34:crop_right=16:crop_top=18:crop_bottom=26" main-pyramid-128x96

# ---- a sequence parameter set that changes in the middle ----------------------------------------
for clip in baseline-64x48 high-70x50 high-16x16; do cat "$clip.h264"; done > change.h264
for clip in baseline-64x48 high-70x50 high-16x16; do cat "$clip.sha256"; done > change.sha256

# ---- refused ----------------------------------------------------------------------------------
encode refused/yuv422 64x48 2 "crf=34" -pix_fmt yuv422p
encode refused/yuv444 64x48 2 "crf=34" -pix_fmt yuv444p
encode refused/gray 64x48 2 "crf=34" -pix_fmt gray
encode refused/10-bit 64x48 2 "crf=34" -pix_fmt yuv420p10le
encode refused/lossless 64x48 1 "qp=0"
encode refused/mbaff 96x64 3 "bframes=1:b-adapt=0:interlaced=1:tff=1:ref=2:crf=34"
