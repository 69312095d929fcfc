#!/usr/bin/env python3
"""Writes the .json files of this folder. Everything is computed by rsa_by_hand.py or python3-cryptography, nothing by
Sealift; run it again and the files stay the same. The keys are throw-away keys."""

import base64
import json
import pathlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rsa_by_hand import hkdf, kwp, oaep_encrypt, pss_sign

HERE = pathlib.Path(__file__).parent
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))


def load(name):
    return serialization.load_pem_private_key((HERE / name).read_bytes(), None)


def write(name, rows):
    text = json.dumps(rows, indent=1)
    (HERE / name).write_text(text + "\n")


def flipped(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << (bit % 8)
    return bytes(out)


def row(name, expect, **fields):
    return {"name": name, "expect": expect} | {k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}


def seals():
    nonce = bytes(range(0xA0, 0xAC))
    rows = []
    for size, extra in ((0, b""), (0, b"header"), (1, b"header"), (300, b"header"), (4096, bytes(88))):
        plain = b"A" * size
        rows.append(row(f"{size} bytes, {len(extra)} additional", "opens", key=KEY, nonce=nonce, additional=extra,
                        plaintext=plain, sealed=AESGCM(KEY).encrypt(nonce, plain, extra)))
    sealed = AESGCM(KEY).encrypt(nonce, b"A" * 20, b"header")

    def bad(name, key=KEY, iv=nonce, extra=b"header", data=sealed):
        rows.append(row(name, "kCorrupt", key=key, nonce=iv, additional=extra, plaintext=b"", sealed=data))

    bad("first bit of the ciphertext flipped", data=flipped(sealed, 0))
    bad("last bit of the ciphertext flipped", data=flipped(sealed, 20 * 8 - 1))
    for bit in (0, 1, 7, 8, 31, 63, 64, 96, 127):
        bad(f"bit {bit} of the tag flipped", data=flipped(sealed, 20 * 8 + bit))
    bad("the tag is all zero", data=sealed[:20] + bytes(16))
    bad("the tag is inverted", data=sealed[:20] + bytes(b ^ 0xFF for b in sealed[20:]))
    bad("one byte of ciphertext is missing", data=sealed[1:])
    bad("the tag lost its last byte", data=sealed[:-1])
    bad("one byte follows the tag", data=sealed + b"\0")
    bad("another key", key=OTHER_KEY)
    bad("another nonce", iv=flipped(nonce, 95))
    bad("other additional bytes", extra=b"Header")
    bad("no additional bytes", extra=b"")
    bad("additional bytes cut short", extra=b"heade")
    bad("only a tag, of nothing", data=sealed[20:])
    return rows


def wraps():
    # The implementation that made this file against the examples of RFC 5649, section 6.
    kek = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    assert kwp(kek, bytes.fromhex("c37b7e6492584340bed12207808941155068f738")).hex() == (
        "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a")
    assert kwp(kek, bytes.fromhex("466f7250617369")).hex() == "afbeb0f07dfbf5419200f2ccb50bb24f"

    rows = []
    for size in (1, 7, 8, 9, 16, 20, 31, 32, 33, 512):
        target = bytes(i & 0xFF for i in range(size))
        rows.append(row(f"{size} bytes", "opens", wrapping=KEY, key=target, wrapped=kwp(KEY, target)))
    good = kwp(KEY, bytes(range(32)))

    def bad(name, data, wrapping=KEY):
        rows.append(row(name, "kWrongKey", wrapping=wrapping, key=b"", wrapped=data))

    bad("another wrapping key", good, wrapping=OTHER_KEY)
    for bit in (0, 31, 32, 63, 64, 319):
        bad(f"bit {bit} flipped", flipped(good, bit))
    bad("wrapped by RFC 3394, without padding", kwp(KEY, bytes(range(32)), constant=b"\xa6" * 4,
                                                    size_field=0xA6A6A6A6))
    bad("the size says more than there is", kwp(KEY, bytes(range(32)), size_field=33))
    bad("the size says a block less", kwp(KEY, bytes(range(32)), size_field=24))
    bad("the size is zero", kwp(KEY, bytes(8), size_field=0))
    bad("the padding is not zero", kwp(KEY, bytes(range(20)), padding=b"\1"))
    bad("the padding is not zero, one block", kwp(KEY, bytes(range(7)), padding=b"\1"))
    bad("the last block is missing", good[:-8])
    bad("a block too many", good + bytes(8))
    bad("not whole blocks", good[:-1])
    bad("one block only", good[:8])
    bad("nothing", b"")
    return rows


def envelopes():
    numbers = load("recovery-key.pem").public_key().public_numbers()
    other = load("other-recovery-key.pem").public_key().public_numbers()
    size = 384
    rows = []
    for digest, seed_size in (("sha1", 20), ("sha256", 32), ("sha384", 48)):
        rows.append(row(f"32 bytes, {digest}", "opens", hash=digest, plaintext=KEY,
                        encrypted=oaep_encrypt(numbers, KEY, digest, b"\x5a" * seed_size)))
    seed = b"\x5a" * 32
    longest = bytes(size - 66)
    rows.append(row("nothing", "opens", hash="sha256", plaintext=b"",
                    encrypted=oaep_encrypt(numbers, b"", "sha256", seed)))
    rows.append(row("the longest message", "opens", hash="sha256", plaintext=longest,
                    encrypted=oaep_encrypt(numbers, longest, "sha256", seed)))
    good = oaep_encrypt(numbers, KEY, "sha256", seed)

    def bad(name, data):
        rows.append(row(name, "kWrongKey", hash="sha256", plaintext=b"", encrypted=data))

    bad("to another key", oaep_encrypt(other, KEY, "sha256", seed))
    bad("with SHA-1", oaep_encrypt(numbers, KEY, "sha1", b"\x5a" * 20))
    bad("with MGF1-SHA-1", oaep_encrypt(numbers, KEY, "sha256", seed, mgf_digest="sha1"))
    bad("with a label", oaep_encrypt(numbers, KEY, "sha256", seed, label=b"sealift"))
    bad("first bit flipped", flipped(good, 7))
    bad("last bit flipped", flipped(good, size * 8 - 8))
    bad("one byte short", good[:-1])
    bad("one byte long", good + b"\0")
    bad("the modulus itself", numbers.n.to_bytes(size, "big"))
    bad("zero", bytes(size))
    bad("PKCS#1 v1.5 padding", pow(int.from_bytes(b"\0\2" + b"\1" * (size - 35) + b"\0" + KEY, "big"), numbers.e,
                                   numbers.n).to_bytes(size, "big"))
    bad("nothing at all", b"")
    return rows


def signatures():
    private = load("recovery-key.pem").private_numbers()
    other = load("other-recovery-key.pem").private_numbers()
    message = b"sealift enrolled 1\n"
    salt = b"\x5a" * 32
    good = pss_sign(private, message, salt)
    rows = [row("a record", "fits", message=message, signature=good),
            row("nothing", "fits", message=b"", signature=pss_sign(private, b"", salt))]

    def bad(name, signature, text=message):
        rows.append(row(name, "kCorrupt", message=text, signature=signature))

    bad("another message", good, b"sealift enrolled 2\n")
    bad("another key", pss_sign(other, message, salt))
    bad("first bit flipped", flipped(good, 7))
    bad("last bit flipped", flipped(good, 384 * 8 - 8))
    bad("a salt of 20 bytes", pss_sign(private, message, b"\x5a" * 20))
    bad("no salt", pss_sign(private, message, b""))
    bad("with SHA-384", pss_sign(private, message, salt, "sha384"))
    bad("one byte short", good[:-1])
    bad("one byte long", good + b"\0")
    bad("zero", bytes(384))
    bad("nothing at all", b"")
    return rows


def derivations():
    archive = bytes(range(0xA0, 0xB0))
    repository = bytes(range(0xC0, 0xE0))
    rows = [row("key id", "", key=KEY, salt=b"", info="sealift 1 key id")]
    for what in ("data key", "metadata key", "private id key"):
        rows.append(row(what, "", key=KEY, salt=archive, info="sealift 1 " + what))
    for what in ("id key", "metadata wrapping key"):
        rows.append(row(what, "", key=OTHER_KEY, salt=repository, info="sealift 1 " + what))
    for r in rows:
        r["derived"] = hkdf(bytes.fromhex(r["key"]), bytes.fromhex(r["salt"]), r["info"].encode()).hex()
    return rows


def key_json():
    """The worked example of docs/format/key-json.md."""
    public = load("recovery-key.pem").public_key()
    envelope = oaep_encrypt(public.public_numbers(), OTHER_KEY, "sha256", b"\x5a" * 32)
    pkcs1 = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return json.dumps({
        "public-key": "",
        "private-key": base64.urlsafe_b64encode(envelope + kwp(OTHER_KEY, KEY)).decode(),
        "private-key-wrapping-info": {
            "key-name": "",
            "public-key": base64.urlsafe_b64encode(pkcs1).decode(),
            "enc": "RSA_AES_KEY_WRAP_256",
        },
    }, separators=(",", ":"))


(HERE / "key.json").write_text(key_json())
write("seals.json", seals())
write("wraps.json", wraps())
write("envelopes.json", envelopes())
write("signatures.json", signatures())
write("derivations.json", derivations())
