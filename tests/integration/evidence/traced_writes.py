#!/usr/bin/env python3
"""What `strace -ff -ttt -yy -xx -v -s 16777216 -o PREFIX` saw a program give away.

traced_writes.py MARKERS PREFIX: each kind of marker (markers.py) that any traced call mentions, a line
"KIND<tab>CALL<tab>DESTINATION"; and each call whose bytes no trace shows, as the kind "unseen".
"""
import glob
import os
import re
import sys

import markers

_LINE = re.compile(rb"^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+|\?)")
_TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(rb"(?:^|, )(\d+)<((?:->|[^>])*)>")
_WRITES = {b"write", b"writev", b"pwrite64", b"pwritev", b"pwritev2"}
# They move bytes that the trace does not hold.
_UNSEEN = {b"sendfile", b"copy_file_range", b"splice", b"tee", b"vmsplice", b"io_uring_setup", b"process_vm_writev"}


def _bytes_of(text):
    return bytes.fromhex(text.replace(b"\\x", b"").decode())


class Call:
    def __init__(self, match):
        self.time = float(match.group(1))
        self.name = match.group(2)
        self.arguments = match.group(3)
        self.result = match.group(4)
        self.texts = [_bytes_of(found.group(1)) for found in _TEXT.finditer(self.arguments)]

    def descriptor(self):
        """What the descriptor that it was given first stands for: a path, or a socket by its number."""
        found = _DESCRIPTOR.search(self.arguments)
        if not found:
            return ""
        name = re.sub(rb"(\\x[0-9a-f]{2})+", lambda text: _bytes_of(text.group(0)), found.group(2))
        return re.sub(rb"->\d+", b"", name).decode(errors="replace")


def calls(prefix):
    """Every call that ended, thread by thread, with the name of the program that the thread began (its maker's: "")."""
    for path in sorted(glob.glob(glob.escape(prefix) + ".*")):
        program = ""
        with open(path, "rb") as lines:
            for line in lines:
                match = _LINE.match(line)
                if match:
                    call = Call(match)
                    if call.name == b"execve" and call.result == b"0":
                        program = os.path.basename(call.texts[0]).decode()
                    yield call, program


def written_streams(prefix):
    """(destination, bytes) for each file that was written, the writes in the order of their time."""
    streams = {}
    for call, _ in sorted(calls(prefix), key=lambda found: found[0].time):
        if call.name in _WRITES and call.result.isdigit():
            streams.setdefault(call.descriptor(), []).append(b"".join(call.texts)[:int(call.result)])
    return [(destination, b"".join(parts)) for destination, parts in streams.items()]


def _is_unseen(call):
    if call.name == b"mmap":
        return all(word in call.arguments for word in (b"MAP_SHARED", b"PROT_WRITE")) and call.descriptor().startswith("/")
    return call.name in _UNSEEN


def main():
    wanted = markers.read(sys.argv[1])
    everything = list(calls(sys.argv[2]))
    peers = {call.descriptor(): call.texts[0].decode(errors="replace")
             for call, _ in everything if call.name == b"connect" and call.texts}
    found = set()
    for call, program in everything:
        place = peers.get(call.descriptor(), call.descriptor())
        said = (call.name.decode(), re.sub(r"[0-9a-f]{8,}|\d{2,}", "N", place or program))
        if _is_unseen(call):
            found.add(("unseen", *said))
        # A value in two parts, as writev and sendmsg may have it, is whole in the second.
        for data in {b"\n".join(call.texts), b"".join(call.texts)}:
            found.update((kind, *said) for kind in markers.kinds_in(data, wanted))
    for line in sorted(found):
        print("\t".join(line))


if __name__ == "__main__":
    main()
