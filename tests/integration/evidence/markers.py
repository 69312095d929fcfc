#!/usr/bin/env python3
"""Bytes that must not be found, and where they are.

A file of markers has a line "KIND HEX" for each. These print such lines:
  markers.py windows KIND FILE            some 32-byte windows of a file, the random-looking ones
  markers.py value KIND FILE              a secret value: as it is, in hex, in base64, and as swtpm's key (PBKDF2)
  markers.py recovery-key KIND FILE.pem   the private numbers of an RSA key, and its PEM
  markers.py archive-keys REPOSITORY KEY.pem    kinds content-key and archive-key: what a recovery key unwraps of every
                                          volume, and what is derived from it
And these search:
  markers.py files MARKERS PATH...        prints "KIND<tab>PATH" for each that is found, below folders too
  markers.py memory PID core|all FILE     copies into FILE what a core of the process would hold: MADV_DONTDUMP honoured;
                                          or all of its memory
"""
import base64
import hashlib
import json
import os
import sys

_WINDOW = 32
_WINDOWS = 12
_PIECE = 64 * 1024 * 1024


def read(path):
    with open(path, encoding="ascii") as lines:
        return [(kind, bytes.fromhex(value)) for kind, value in (line.split() for line in lines)]


def kinds_in(data, wanted):
    return {kind for kind, value in wanted if value in data}


def windows(data):
    """Windows spread over the data that no compression would hide: many different bytes each."""
    places = range(0, len(data) - _WINDOW, 16)
    good = [at for at in places if len(set(data[at:at + _WINDOW])) > 24]
    step = max(1, len(good) // _WINDOWS)
    return [data[at:at + _WINDOW] for at in good[::step][:_WINDOWS]]


def forms(value):
    whole = value[:len(value) // 3 * 3]
    return [value, value.hex().encode(), value.hex().upper().encode(),
            base64.b64encode(whole), base64.urlsafe_b64encode(whole)]


def forms_of_protection_key(value):
    key = hashlib.pbkdf2_hmac("sha512", value, b"swtpm", 1000, 32)  # swtpm-state.md, section 3
    found = forms(value) + forms(key)
    try:
        found += forms(bytes.fromhex(value.decode()))
    except ValueError:
        pass
    return found


def forms_of_recovery_key(pem):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    numbers = load_pem_private_key(pem, None).private_numbers()
    found = [line for line in pem.splitlines() if len(line) == 64]
    for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        big = number.to_bytes((number.bit_length() + 7) // 8, "big")
        # OpenSSL keeps numbers in words, the least first: on x86 that is the least byte first.
        found += [big[:_WINDOW], big[-_WINDOW:], big[::-1][:_WINDOW], big[::-1][-_WINDOW:]]
    return found


def archive_keys(repository, identity):
    """(kind, value) of every content key, data key, metadata key and private id key."""
    from thief import content_keys, derived
    from volume_reader import Volume, volumes_under
    headers = [json.loads(Volume(path).members["header.json"]) for path in volumes_under(repository)]
    for key in content_keys(headers, identity):
        yield from (("content-key", form) for form in forms(key))
        for made in derived([key], {bytes.fromhex(header["archive"]) for header in headers}):
            yield from (("archive-key", form) for form in forms(made))


def search_files(wanted, paths):
    for top in paths:
        for folder, _, names in [("", [], [top])] if os.path.isfile(top) else os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.isfile(path) or os.path.islink(path):
                    continue
                with open(path, "rb") as file:
                    data = file.read(_PIECE)
                    found = set()
                    while data:
                        found |= kinds_in(data, wanted)
                        data = file.read(_PIECE)
                yield from ((kind, path) for kind in found)


def copy_memory(pid, how, path):
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as smaps, open(f"/proc/{pid}/mem", "rb", 0) as memory, \
            open(path, "wb") as copy:
        for line in smaps.readlines():
            words = line.split()
            if not words[0].endswith(":"):
                begin, end = (int(bound, 16) for bound in words[0].split("-"))
                is_readable = words[1].startswith("r")
            elif words[0] == "VmFlags:" and is_readable and (how == "all" or "dd" not in words):
                try:
                    memory.seek(begin)
                    copy.write(memory.read(end - begin))
                except OSError:  # The kernel's own, such as [vvar], and what is gone by now.
                    continue


def main():
    how, *words = sys.argv[1:]
    if how == "files":
        for kind, path in sorted(search_files(read(words[0]), words[1:])):
            print(f"{kind}\t{path}")
        return
    if how == "memory":
        copy_memory(*words)
        return
    if how == "archive-keys":
        for kind, value in archive_keys(*words):
            print(kind, value.hex())
        return
    kind, path = words
    with open(path, "rb") as file:
        data = file.read()
    made = {"windows": windows, "value": forms_of_protection_key, "recovery-key": forms_of_recovery_key}[how](data)
    if not made:
        sys.exit(f"markers: {path}: nothing to look for")
    for value in made:
        print(kind, value.hex())


if __name__ == "__main__":
    main()
