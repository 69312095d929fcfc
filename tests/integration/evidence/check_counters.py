#!/usr/bin/env python3
"""check_counters.py FOLDER... [--trace PREFIX...]: no nonce was used twice.

Walks every frame in the volumes below the folders whose sums fit (a test may have tampered with the others), and in
the writes that strace saw (traced_writes.py), those of killed runs too. Two different frames with one key id and one
counter are an error: they are printed, and the exit status is 1.
"""
import argparse
import sys
import tarfile

from traced_writes import written_streams
from volume_reader import Volume, frame_at, volumes_under


def frames_of_volumes(folders):
    for folder in folders:
        for path in volumes_under(folder):
            try:
                volume = Volume(path)
                if volume.sums_fit():
                    yield from ((frame, path) for frame in volume.frames())
            except (tarfile.TarError, ValueError):
                continue


def frames_of_traces(prefixes):
    for prefix in prefixes:
        for destination, data in written_streams(prefix):
            at = data.find(b"SLF1")
            while at >= 0:
                frame = frame_at(data, at)
                if frame is not None:
                    yield frame, f"written to {destination}"
                    at += len(frame.header) + len(frame.sealed) - 1
                at = data.find(b"SLF1", at + 1)


def main():
    words = argparse.ArgumentParser()
    words.add_argument("folders", nargs="*")
    words.add_argument("--trace", nargs="*", default=[])
    chosen = words.parse_args()
    seen = {}
    count = 0
    twice = 0
    for found in (frames_of_volumes(chosen.folders), frames_of_traces(chosen.trace)):
        for frame, place in found:
            count += 1
            digest, first = seen.setdefault((frame.key, frame.counter), (frame.digest(), place))
            if digest != frame.digest():
                twice += 1
                print(f"key {frame.key.hex()[:16]} counter {frame.counter}: one frame in {first}, another in {place}")
    print(f"{count} frames, {len(seen)} pairs of key id and counter, {twice} used twice")
    sys.exit(1 if twice else 0)


if __name__ == "__main__":
    main()
