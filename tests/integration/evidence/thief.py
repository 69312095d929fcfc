#!/usr/bin/env python3
"""thief.py VAULT REPOSITORY MARKERS KIND=FILE... [--identity KEY.pem]: what a stolen key vault and the repository give away.

Takes everything in the key vault of a host that backs up that could be a key, derives from each whatever
docs/format/keys.md derives from any key, unwraps with all of them, derives again, reads what opens, and tries all that
on every frame. FILE is the
right plaintext of a component (KIND: disk, config, firmware-vars, guest-state); it is cut into chunks and looked for by
its id. Prints, one a line:
  keys N                 how many keys he has in the end
  opens KIND N           frames of that kind (data, page, index, manifest) that one of them opens, of each kind
  guesses KIND N         chunks of that plaintext whose id under one of them lies in the repository
  reads KIND             a marker (markers.py) in what he opened, or a digest of one of the FILEs
With --identity the content keys are his too, which is what a recovery key gives: the search finds then.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re

import markers
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat, load_pem_private_key)
from volume_reader import DATA, INDEX, MANIFEST, PAGE, Volume, volumes_under

_KIND_NAMES = {DATA: "data", PAGE: "page", INDEX: "index", MANIFEST: "manifest"}
_INFOS = [b"sealift 1 key id", b"sealift 1 data key", b"sealift 1 metadata key", b"sealift 1 private id key",
          b"sealift 1 id key", b"sealift 1 metadata wrapping key"]


def keys_in_vault(vault):
    """Every value of 32 bytes in its files: raw, in hex, in base64, and the seeds of its key files."""
    for folder, _, names in os.walk(vault):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            if len(content) == 32:
                yield content
            if content.startswith(b"-----BEGIN PRIVATE KEY"):
                yield load_pem_private_key(content, None).private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            yield from (bytes.fromhex(found.decode()) for found in re.findall(rb"\b[0-9a-f]{64}\b", content))
            for found in re.findall(rb"[A-Za-z0-9+/]{43}=", content):
                yield base64.b64decode(found)


def content_keys(headers, identity):
    """What the recovery key of the file `identity` unwraps."""
    with open(identity, "rb") as file:
        key = load_pem_private_key(file.read(), None)
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    return {key.decrypt(bytes.fromhex(envelope["wrapped"]), oaep)
            for header in headers for envelope in header["envelopes"]}


def derived(keys, salts):
    return {HKDF(SHA256(), 32, salt, info).derive(key) for key in keys for salt in salts for info in _INFOS}


class Thief:
    def __init__(self, vault, repository, identity):
        self.volumes = [Volume(path) for path in volumes_under(repository)]
        self.headers = [json.loads(volume.members["header.json"]) for volume in self.volumes]
        self.frames = [frame for volume in self.volumes for frame in volume.frames()]
        self.chunk_size = json.load(open(os.path.join(repository, "repository.json"), encoding="utf-8"))["chunk_size"]
        self.salts = {b"", *(bytes.fromhex(header[name]) for header in self.headers for name in ("repository", "archive"))}
        self.opened = {}
        self.keys = set(keys_in_vault(vault))
        if identity:
            self.keys |= content_keys(self.headers, identity)
        self.keys |= derived(self.keys, self.salts)
        unwrapped = self.unwrapped(self.keys)
        self.keys |= unwrapped | derived(unwrapped, self.salts)
        self.open_frames(self.keys)
        written = self.keys_in_manifests() - self.keys
        self.keys |= written
        self.open_frames(written)

    def unwrapped(self, keys):
        found = set()
        for header in self.headers:
            for envelope in header["metadata_envelopes"]:
                for key in keys:
                    try:
                        found.add(aes_key_unwrap_with_padding(key, bytes.fromhex(envelope["wrapped"])))
                    except InvalidUnwrap:
                        pass
        return found

    def keys_in_manifests(self):
        return {bytes.fromhex(found.decode()) for frame, plain in self.opened.items() if frame.kind == MANIFEST
                for found in re.findall(rb"\b[0-9a-f]{64}\b", plain)}

    def open_frames(self, keys):
        ciphers = [AESGCM(key) for key in keys]
        for frame in self.frames:
            if frame in self.opened:
                continue
            for cipher in ciphers:
                try:
                    packed = cipher.decrypt(bytes(4) + frame.counter.to_bytes(8, "big"), frame.sealed, frame.header)
                except InvalidTag:
                    continue
                self.opened[frame] = zstandard.decompress(packed) if frame.codec == 1 else packed
                break

    def ids(self):
        """Every chunk id in the repository: of frames, and in the pages and manifests that he reads."""
        found = {frame.id for frame in self.frames}
        for frame, plain in self.opened.items():
            if frame.kind == PAGE:
                found |= {plain[at:at + 32] for at in range(1, len(plain), 32)}
            if frame.kind == MANIFEST:
                found |= {bytes.fromhex(component["root"]) for component in json.loads(plain)["components"]}
        return found

    def guesses(self, plaintext, ids):
        chunks = [plaintext[at:at + self.chunk_size] for at in range(0, len(plaintext), self.chunk_size)]
        return sum(any(hmac.digest(key, bytes([kind]) + chunk, "sha256") in ids
                       for key in self.keys for kind in _KIND_NAMES)
                   for chunk in chunks if any(chunk))


def main():
    words = argparse.ArgumentParser()
    words.add_argument("vault")
    words.add_argument("repository")
    words.add_argument("markers")
    words.add_argument("plaintexts", nargs="+")
    words.add_argument("--identity")
    chosen = words.parse_args()
    thief = Thief(chosen.vault, chosen.repository, chosen.identity)
    print("keys", len(thief.keys))
    for kind, name in _KIND_NAMES.items():
        print("opens", name, sum(frame.kind == kind for frame in thief.opened), "of",
              sum(frame.kind == kind for frame in thief.frames))
    ids = thief.ids()
    wanted = markers.read(chosen.markers)
    for word in chosen.plaintexts:
        kind, path = word.split("=", 1)
        with open(path, "rb") as file:
            plaintext = file.read()
        print("guesses", kind, thief.guesses(plaintext, ids))
        for digest in (hashlib.sha1, hashlib.sha256, hashlib.sha512):
            wanted += [(f"digest of {kind}", form) for form in markers.forms(digest(plaintext).digest())]
    everything = b"\n".join(thief.opened.values())
    for kind in sorted(markers.kinds_in(everything, wanted)):
        print("reads", kind)


if __name__ == "__main__":
    main()
