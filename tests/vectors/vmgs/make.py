#!/usr/bin/python3
"""Writes the vectors of docs/format/vmgs.md beside itself: a second implementation, from that page.

Five stores of ten blocks and keys.json. What a reader must refuse, the test makes of them by changing bytes.
"""
import hashlib
import hmac
import json
import pathlib
import struct
import uuid
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BLOCK = 4096
BLOCKS = 10
FOLDER = pathlib.Path(__file__).parent
BIOS_ID = uuid.UUID("2b701019-2816-4a85-9692-3981f1af4423")
SEED = hashlib.sha256(b"a GSP seed").digest()
HOST_SEED = hashlib.sha256(b"a host's own seed").digest()
METADATA_KEY = hashlib.sha256(b"metadata key").digest()
NVRAM = b"what the firmware remembers " * 20
VTPM = b"vTPM state " * 500


def kbkdf(key, context):
    """SP 800-108 in counter mode: one block of HMAC-SHA-256 is the whole of it."""
    return hmac.new(key, struct.pack(">I", 1) + b"VMGSKEY\0" + context + struct.pack(">I", 256), "sha256").digest()


def nonce_of(text):
    return hashlib.sha256(b"nonce of " + text).digest()[:12]


def seal(key, nonce, plain):
    sealed = AESGCM(key).encrypt(nonce, plain, b"")
    return sealed[:-16], sealed[-16:]


def footer(size):
    data = bytearray(512)
    data[0:8] = b"conectix"
    struct.pack_into(">II", data, 8, 2, 0x00010000)
    data[16:24] = b"\xff" * 8
    struct.pack_into(">QQ", data, 40, size, size)
    struct.pack_into(">I", data, 60, 2)
    struct.pack_into(">I", data, 64, ~sum(data) & 0xFFFFFFFF)
    return bytes(data)


def header(sequence, encrypted=False, slots=(bytes(64), bytes(64)), table=2):
    data = bytearray(168)
    data[0:8] = b"GUESTRTS"
    struct.pack_into("<I", data, 8, 0x00030000)
    struct.pack_into("<IIIIHH", data, 16, sequence, 168, table, 1, int(encrypted), 0)
    data[36:100], data[100:164] = slots
    struct.pack_into("<I", data, 12, zlib.crc32(data))
    return bytes(data)


def slot(datastore_key, metadata_key=METADATA_KEY, name=b"slot"):
    wrapped, tag = seal(datastore_key, nonce_of(name), metadata_key)
    return nonce_of(name) + bytes(4) + tag + wrapped


def entry(first, size, nonce=bytes(12), tag=bytes(16), attributes=0):
    return struct.pack("<IIQ12s16sI16x", first, -(-size // BLOCK), size, nonce, tag, attributes)


def store(files, datastore_key=None, previous_key=None, sector=512):
    """files: {number: (content, is encrypted)}; the table lies in block 2, the extended one in block 3."""
    image = bytearray(BLOCKS * BLOCK)
    table = {0: entry(2, BLOCK)}
    extended = bytearray(BLOCK)
    at = 4
    for number, (content, is_encrypted) in files.items():
        nonce, tag, attributes = bytes(12), bytes(16), 0
        if is_encrypted:
            key = hashlib.sha256(b"file %d" % number).digest()
            struct.pack_into("<I32s", extended, number * 64, 3, key)
            nonce, attributes = nonce_of(b"%d" % number), 3
            content, tag = seal(key, nonce, content)
        image[at * BLOCK : at * BLOCK + len(content)] = content
        table[number] = entry(at, len(content), nonce, tag, attributes)
        at += -(-len(content) // BLOCK)
    if datastore_key:
        content, tag = seal(METADATA_KEY, nonce_of(b"63"), bytes(extended))
        image[3 * BLOCK : 4 * BLOCK] = content
        table[63] = entry(3, BLOCK, nonce_of(b"63"), tag, 3)
    else:
        table[63] = entry(3, BLOCK)
    for number, line in table.items():
        image[2 * BLOCK + number * 64 : 2 * BLOCK + number * 64 + 64] = line
    slots = (bytes(64), slot(datastore_key)) if datastore_key else (bytes(64), bytes(64))
    older = (slot(previous_key, name=b"older"), bytes(64)) if previous_key else (bytes(64), bytes(64))
    image[0:168] = header(8, bool(datastore_key), slots)
    image[sector : sector + 168] = header(7, bool(datastore_key), older)
    return bytes(image)


def key_protector(lengths, active=0):
    data = bytearray(2060)
    for place, length in zip((1024, 1540), lengths):
        struct.pack_into("<I", data, place, length)
        data[place + 4 : place + 36] = SEED
    struct.pack_into("<I", data, 2056, active)
    return bytes(data)


def write(name, image, with_footer=True):
    (FOLDER / name).write_bytes(image + (footer(len(image)) if with_footer else b""))


def main():
    key = kbkdf(bytes(32), SEED)
    older = kbkdf(bytes(32), hashlib.sha256(b"the boot before").digest())
    by_id = kbkdf(HOST_SEED, BIOS_ID.bytes_le)
    unique_id = BIOS_ID.bytes_le + bytes(8)
    write("empty.vmgs", bytes(BLOCKS * BLOCK))
    write("plain.vmgs", store({1: (NVRAM, False), 3: (VTPM, False), 7: (unique_id, False)}))
    write("device.vmgs", store({1: (NVRAM, False)}, sector=BLOCK), with_footer=False)
    write("gsp-key.vmgs", store({1: (NVRAM, True), 3: (VTPM, True), 6: (key_protector((40, 0)), False)}, key, older))
    write("gsp-by-id.vmgs", store({1: (NVRAM, True), 3: (VTPM, True), 7: (unique_id, False)}, by_id))
    keys = {"seed": SEED, "datastore_key": key, "older_key": older, "host_seed": HOST_SEED, "key_by_id": by_id}
    text = json.dumps({name: value.hex() for name, value in keys.items()}, indent=1)
    (FOLDER / "keys.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
