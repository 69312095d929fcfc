#!/usr/bin/python3
"""Rearranges the members of a volume without signing anything anew, so that tar still reads it.

    tamper.py VOLUME add NAME          one more member in front of the index
    tamper.py VOLUME double NAME       the member a second time, behind itself
    tamper.py VOLUME rename NAME       the member under another name, its header's sum made good
    tamper.py VOLUME swap NAME OTHER   each in the other's place
    tamper.py VOLUME pax NAME          a pax record in front of the member that gives it another name"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from format1 import member, tar_header  # noqa: E402


def parts(volume):
    """The members' names and blocks, and what ends the volume."""
    found, at = [], 0
    while len(volume) - at > 1024:
        name = volume[at : at + 100].rstrip(b"\0").decode()
        size = int(volume[at + 124 : at + 135], 8)
        end = at + 512 + (size + 511) // 512 * 512
        found.append((name, volume[at:end]))
        at = end
    return found, volume[at:]


def pax(name):
    record = f"path={name}\n"
    record = f"{len(record) + 3} {record}".encode()
    header = bytearray(tar_header("PaxHeaders/" + name, len(record)))
    header[156:157] = b"x"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + record + b"\0" * (-len(record) % 512)


def main():
    path, how, name = pathlib.Path(sys.argv[1]), *sys.argv[2:4]
    found, end = parts(path.read_bytes())
    names = [one for one, _ in found]
    at = names.index("index" if how == "add" else name)
    if how == "add":
        found.insert(at, (name, member(name, b"added")))
    elif how == "double":
        found.insert(at, found[at])
    elif how == "rename":
        block = found[at][1]
        size = int(block[124:135], 8)
        found[at] = ("renamed", tar_header("renamed", size) + block[512:])
    elif how == "swap":
        other = names.index(sys.argv[4])
        found[at], found[other] = found[other], found[at]
    elif how == "pax":
        found.insert(at, (name, pax("renamed")))
    else:
        sys.exit("how?")
    path.write_bytes(b"".join(block for _, block in found) + end)


if __name__ == "__main__":
    main()
