"""Reads volumes and frames as docs/format has them, with none of the program's code."""
import hashlib
import os
import struct
import tarfile
from dataclasses import dataclass

DATA, PAGE, INDEX, MANIFEST = 1, 2, 3, 4
_HEADER = struct.Struct(">4sBBHIIQ32s32s")  # frame.md, section 2
_TAG = 16
_MAX_PLAIN = 4 * 1024 * 1024


@dataclass(frozen=True)
class Frame:
    kind: int
    codec: int
    plain_size: int
    counter: int
    key: bytes
    id: bytes
    header: bytes
    sealed: bytes  # ciphertext and tag

    def digest(self):
        return hashlib.sha256(self.header + self.sealed).digest()


def frame_at(data, at):
    """The frame that begins at `at`, or None where none does."""
    if len(data) - at < _HEADER.size:
        return None
    magic, kind, codec, reserved, plain, stored, counter, key, chunk = _HEADER.unpack_from(data, at)
    if magic != b"SLF1" or not 1 <= kind <= 4 or codec > 1 or reserved != 0:
        return None
    begin = at + _HEADER.size
    end = begin + stored + _TAG
    if not 1 <= stored <= plain <= _MAX_PLAIN or end > len(data):
        return None
    return Frame(kind, codec, plain, counter, key, chunk, data[at:begin], data[begin:end])


def frames_in(data, place):
    """The frames of a member, back to back."""
    at = 0
    while at < len(data):
        frame = frame_at(data, at)
        if frame is None:
            raise ValueError(f"{place}: no frame at offset {at}")
        yield frame
        at += len(frame.header) + len(frame.sealed)


class Volume:
    def __init__(self, path):
        self.path = path
        with tarfile.open(path) as tar:
            self.members = {info.name: tar.extractfile(info).read() for info in tar}

    def sums_fit(self):
        """Whether SHA256SUMS lists exactly the members before it, with their sums."""
        listed = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n"
                         for name, content in self.members.items()
                         if name not in ("SHA256SUMS", "SHA256SUMS.sig", "footer"))
        return self.members.get("SHA256SUMS") == listed.encode()

    def frames(self):
        for name, content in self.members.items():
            if name.startswith("segments/") or name in ("index", "manifest"):
                yield from frames_in(content, f"{self.path}, {name}")


def volumes_under(root):
    for folder, _, names in sorted(os.walk(root)):
        for name in sorted(names):
            if name.endswith(".tar"):
                yield os.path.join(folder, name)
