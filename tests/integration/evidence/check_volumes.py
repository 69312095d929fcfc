#!/usr/bin/env python3
"""check_volumes.py REPOSITORY: everything visible in it is whole, and nothing is stored twice.

Every file is an object that docs/format/repository.md names; every volume has its members, sums that fit, the
founder's signature over them and a footer that states its length; no chunk of a disk and no page lies in it twice.
Prints what is wrong, then how many volumes and frames there are; exit status 1 if anything was.
"""
import base64
import collections
import json
import os
import re
import struct
import sys
import tarfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from volume_reader import DATA, PAGE, Volume

_OBJECT = re.compile(r"repository\.json(\.sig)?|format/([a-z-]+|README)\.md|format/emergency-restore\.py|records/[0-9a-f]{64}/\d{8}(\.sig)?"
                     r"|archives/(?P<two>[0-9a-f]{2})/(?P<archive>(?P=two)[0-9a-f]{30})/(?P=archive)-\d{4}\.tar")
_FOOTER_LENGTH = struct.Struct(">8sIIQ")  # volume.md, section 4: magic, format, keys, length


def complaints_about(path, founder):
    volume = Volume(path)
    names = list(volume.members)
    if names[0] != "header.json" or names[-3:] != ["SHA256SUMS", "SHA256SUMS.sig", "footer"] or "index" not in names:
        yield "its members are not those of a volume"
        return volume
    if not volume.sums_fit():
        yield "its sums do not fit"
    try:
        founder.verify(volume.members["SHA256SUMS.sig"], volume.members["SHA256SUMS"])
    except InvalidSignature:
        yield "its signature does not fit"
    if _FOOTER_LENGTH.unpack_from(volume.members["footer"])[3] != os.path.getsize(path):
        yield "its footer states another length"
    return volume


def main():
    repository = sys.argv[1]
    with open(os.path.join(repository, "repository.json"), encoding="utf-8") as file:
        founder = load_der_public_key(base64.b64decode(json.load(file)["founder"]))
    wrong = []
    volumes = 0
    stored = collections.Counter()
    for folder, _, names in sorted(os.walk(repository)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, repository)
            if not _OBJECT.fullmatch(shown):
                wrong.append(f"{shown}: no object of a repository")
            if not name.endswith(".tar"):
                continue
            volumes += 1
            try:
                said = complaints_about(path, founder)
                while True:
                    wrong.append(f"{shown}: {next(said)}")
            except StopIteration as end:
                if end.value:
                    stored.update(frame.id for frame in end.value.frames() if frame.kind in (DATA, PAGE))
            except (tarfile.TarError, ValueError, KeyError, IndexError) as reason:
                wrong.append(f"{shown}: {reason}")
    wrong += [f"frame {chunk.hex()} is stored {count} times" for chunk, count in stored.items() if count > 1]
    print(*wrong, f"{volumes} volumes, {len(stored)} frames", sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
