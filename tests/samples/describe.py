"""Writes samples.json (what each file is) and packets.json (what ffprobe sees in the clear files).

Usage: describe.py LIST FOLDER, with LIST as make.sh writes it.
"""

import json
import subprocess
import sys

listing, folder = sys.argv[1:3]


def ffprobe(name, entries, *more):
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *more, "-show_entries", entries, f"{folder}/{name}"],
        check=True, capture_output=True, text=True,
    ).stdout
    return json.loads(out)


files, clears = [], []
for line in open(listing):
    name, scheme, clear, *tracks = line.split()
    if f"{clear}.mp4" not in clears:
        clears.append(f"{clear}.mp4")
    files.append({
        "file": f"{name}.mp4",
        "scheme": scheme,
        "clear": f"{clear}.mp4",
        "rotation": "-rotation-" in name or "-periods-" in name,
        "tracks": [
            {"kind": kind, "kid": kid, "key": key, "id": int(number)}
            for kind, kid, key, number in (track.split(":") for track in tracks)
        ],
    })

note = "Test keys, published on purpose; they protect nothing. Made by make.sh."
json.dump({"note": note, "files": files}, open(f"{folder}/samples.json", "w"), indent=1)

packets = {}
for name in clears:
    streams = ffprobe(name, "stream=index,codec_tag_string,width,height,time_base")["streams"]
    for stream in streams:
        stream["packets"] = [
            [int(p["size"]), int(p["dts"])]
            for p in ffprobe(name, "packet=size,dts", "-select_streams", str(stream["index"]))["packets"]
        ]
    packets[name] = streams
text = json.dumps({"note": "ffprobe: [size in bytes, dts in time_base units] of each packet", "files": packets})
open(f"{folder}/packets.json", "w").write(text.replace("], [", "],\n[") + "\n")
