#!/usr/bin/env python3
"""enroll.py TEMPLATE OUT PK.crt KEK.crt db.crt

Puts three certificates (PEM) into an empty OVMF variable store and turns Secure Boot on. Debian 12
has no virt-fw-vars, so the empty authenticated variable store is written directly. The layout is
that of edk2's VariableFormat.h: a 60-byte header, the UTF-16 name, the data, padded to 4 bytes.
"""

import base64
import struct
import sys
import uuid

FIRST_VARIABLE = 0x64  # after the firmware volume header and the variable store header

OWNER = uuid.UUID("11111111-2222-4333-8444-555555555555").bytes_le
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c").bytes_le
IMAGE_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f").bytes_le
SECURE_BOOT_ENABLE = uuid.UUID("f0a30bc7-af08-4556-99c4-001009c93a44").bytes_le

NON_VOLATILE_BOOT = 0x03
TIME_AUTHENTICATED = 0x27


def der(path):
    with open(path, encoding="ascii") as pem:
        return base64.b64decode("".join(l.strip() for l in pem if "-----" not in l))


def signature_list(path):
    certificate = der(path)
    size = 16 + len(certificate)
    return CERT_X509 + struct.pack("<III", 28 + size, 0, size) + OWNER + certificate


def variable(name, guid, attributes, data):
    name = (name + "\0").encode("utf-16-le")
    when = bytes(16)
    if attributes & 0x20:
        when = struct.pack("<HBBBBBBIhBB", 2024, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    header = struct.pack("<HBBIQ", 0x55AA, 0x3F, 0, attributes, 0)
    record = header + when + struct.pack("<III", 0, len(name), len(data)) + guid + name + data
    return record + b"\xff" * (-len(record) % 4)


def main():
    template, out, pk, kek, db = sys.argv[1:6]
    with open(template, "rb") as store:
        content = bytearray(store.read())
    if content[FIRST_VARIABLE : FIRST_VARIABLE + 2] != b"\xff\xff":
        sys.exit(f"{template}: not an empty variable store")
    at = FIRST_VARIABLE
    for record in (
        variable("SecureBootEnable", SECURE_BOOT_ENABLE, NON_VOLATILE_BOOT, b"\1"),
        variable("db", IMAGE_SECURITY, TIME_AUTHENTICATED, signature_list(db)),
        variable("KEK", GLOBAL, TIME_AUTHENTICATED, signature_list(kek)),
        variable("PK", GLOBAL, TIME_AUTHENTICATED, signature_list(pk)),
    ):
        content[at : at + len(record)] = record
        at += len(record)
    with open(out, "wb") as store:
        store.write(content)


main()
