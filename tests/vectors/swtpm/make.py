#!/usr/bin/python3
"""Writes the vectors of docs/format/swtpm-state.md beside itself: a second implementation, from that page.

A vector is a text header (expect, rule, key in hexadecimal), an empty line, then the bytes of a state file.
"""
import hashlib
import hmac
import pathlib
import struct

KEY = bytes(range(7)) + b"\n\x00" + b"any bytes"  # NUL and line feed inside: every byte counts.
CIPHERTEXT = bytes(range(48))
IV = bytes(range(100, 132))


def tlv(tag, data):
    return struct.pack(">HI", tag, len(data)) + data


def header(flags, body, version=2, min_version=1, size=10, total=None):
    return struct.pack(">BBHHI", version, min_version, size, flags, 10 + len(body) if total is None else total) + body


def mac(key, data, key_size=32):
    derived = hashlib.pbkdf2_hmac("sha512", key, b"swtpm", 1000, key_size)
    return hmac.new(derived, data, "sha256").digest()


def parts(key=KEY, iv=IV, key_size=32, ciphertext=CIPHERTEXT):
    return tlv(2, ciphertext) + tlv(3, mac(key, ciphertext + iv, key_size)) + (tlv(6, iv) if iv else b"")


def vector(name, expect, data, rule="", key=KEY, comment=""):
    text = f"expect: {expect}\nrule: {rule}\nkey: {key.hex()}\ncomment: {comment}\n\n"
    (pathlib.Path(__file__).parent / name).write_bytes(text.encode() + data)


good = header(0x09, parts())
vector("opens", "opens", good)
vector("opens_128_bit_key", "opens", header(0x01, parts(iv=IV[:16], key_size=16)))
vector("opens_without_iv", "opens", header(0x09, parts(iv=b"")), comment="as very old files have it")
vector("opens_empty_key", "opens", header(0x09, parts(key=b"")), key=b"")
vector("opens_unknown_tag", "opens", header(0x09, parts() + tlv(99, b"later")))
vector("not_encrypted", "plain", header(0, tlv(1, b"libtpms' own form")))
vector("wrong_key", "kWrongKey", good, key=b"another key", rule="W12")
vector("key_with_line_feed", "kWrongKey", good, key=KEY + b"\n", rule="W12", comment="without the line feed it opens")
vector("flipped_ciphertext", "kWrongKey", good[:20] + bytes([good[20] ^ 1]) + good[21:], rule="W12")
vector("flipped_iv", "kWrongKey", good[:-1] + bytes([good[-1] ^ 1]), rule="W12", comment="its second half is in the HMAC too")
vector("empty", "kCorrupt", b"", rule="W1")
vector("short_header", "kCorrupt", good[:9], rule="W1")
vector("version_1", "kCorrupt", header(0x09, parts(), version=1), rule="W1")
vector("header_size_11", "kCorrupt", header(0x09, parts(), size=11), rule="W1")
vector("min_version_3", "kUnsupported", header(0x09, parts(), version=3, min_version=3), rule="W2")
vector("truncated", "kCorrupt", good[:-1], rule="W3")
vector("trailing_byte", "kCorrupt", good + b"\0", rule="W3")
vector("unknown_flag", "kUnsupported", header(0x29, parts()), rule="W4")
vector("migration", "kCorrupt", header(0x16, tlv(5, CIPHERTEXT) + tlv(3, bytes(32)) + tlv(7, IV)), rule="W5")
vector("half_a_tlv_header", "kCorrupt", header(0x09, parts() + b"\0\0\0"), rule="W6")
vector("tlv_beyond_the_end", "kCorrupt", header(0x09, parts() + struct.pack(">HI", 99, 0xFFFFFFFF) + b"x"), rule="W6")
vector("tag_twice", "kCorrupt", header(0x09, parts() + tlv(3, bytes(32))), rule="W7")
vector("no_ciphertext", "kCorrupt", header(0x09, tlv(3, bytes(32)) + tlv(6, IV)), rule="W8")
vector("empty_data", "kCorrupt", header(0, tlv(1, b"")), rule="W8")
vector("plain_data_in_encrypted", "kCorrupt", header(0x09, tlv(1, b"state") + tlv(3, bytes(32))), rule="W8")
vector("half_a_block", "kCorrupt", header(0x09, parts(ciphertext=CIPHERTEXT[:-1])), rule="W9")
vector("no_hmac", "kCorrupt", header(0x09, tlv(2, CIPHERTEXT) + tlv(6, IV)), rule="W10")
vector("short_hmac", "kCorrupt", header(0x09, tlv(2, CIPHERTEXT) + tlv(3, bytes(31)) + tlv(6, IV)), rule="W10")
vector("short_iv", "kCorrupt", header(0x09, parts(iv=IV[:15])), rule="W11")
