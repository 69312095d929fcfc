#!/usr/bin/python3
"""What a hostile host could write into a repository: archives, records and volumes that are well formed and well signed,
and lie. Made from docs/format/ with the second implementation in tests/vectors/.

    forge.py archive REPOSITORY VAULT --vm NAME --uuid UUID [--domain FILE] [--disk FILE] [--disk-path PATH]
                 [--garbage] [--component NAME]
        a snapshot signed by the vault's key, in its chain; prints its id. --garbage: frames of disk chunks have the ids
        of FILE's content, fit their tags, and hold something else
    forge.py revoke REPOSITORY VAULT SIGNER TIME
        a record of the vault's signer
    forge.py index REPOSITORY VAULT VOLUME
        the volume's own frames each at the place of the next one, signed anew by the vault's key

VAULT is a key vault's folder. One that holds no key of the repository draws its own, as a stranger must."""

import argparse
import base64
import datetime
import json
import os
import pathlib
import struct
import sys
import tarfile

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from format1 import (  # noqa: E402
    DATA, INDEX, MANIFEST, PAGE, chunk_id, compact, frame, hkdf, index, key_id, member, page, sha256,
)  # fmt: skip

HOLE = b"\0" * 32


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Signer:
    """A key vault, and where its signer's chain in this repository ends."""

    def __init__(self, repository, vault):
        self.root, self.vault = pathlib.Path(repository), pathlib.Path(vault)
        text = (self.root / "repository.json").read_bytes()
        self.document, self.repository = json.loads(text), sha256(text)
        pem = (self.vault / "signing-key.pem").read_bytes()
        self.key = serialization.load_pem_private_key(pem, None)
        self.id = sha256(self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))  # fmt: skip
        held = self.vault / "repositories" / self.repository.hex()
        secret = held / "repository-key"
        repository_key = secret.read_bytes() if secret.exists() else os.urandom(32)
        self.ids = hkdf(repository_key, self.repository, "sealift 1 id key")
        self.wrapping = hkdf(repository_key, self.repository, "sealift 1 metadata wrapping key")
        self.head = held / "head"
        self.sequence, self.previous = 1, HOLE.hex()
        if self.head.exists():
            sequence, digest = self.head.read_text().split()
            self.sequence, self.previous = int(sequence) + 1, digest

    def record(self, kind, created, fields):
        first = [f"sealift {kind} 1", f"repository {self.repository.hex()}", f"signer {self.id.hex()}",
                 f"sequence {self.sequence}", f"previous {self.previous}", f"created {created}"]  # fmt: skip
        return ("\n".join(first + fields) + "\n").encode()

    def remember(self, text):
        """As the program does once a record is written; a stranger's vault knows no repository."""
        if self.head.parent.exists():
            self.head.write_text(f"{self.sequence} {sha256(text).hex()}\n")
            self.head.chmod(0o600)

    def envelopes(self, key):
        for spki in map(base64.b64decode, self.document["recipients"]):
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            wrapped = serialization.load_der_public_key(spki).encrypt(key, oaep)
            yield {"key": key_id(key).hex(), "recipient": sha256(spki).hex(), "algorithm": "RSA-OAEP-256",
                   "wrapped": wrapped.hex()}  # fmt: skip


def volume_of(signer, body, tail, keys):
    """volume.md, sections 2 and 4: the members before SHA256SUMS, split where the index begins."""
    sums = "".join(f"{sha256(content).hex()}  {name}\n" for name, content in body + tail).encode()
    front = b"".join(member(*one) for one in body)
    tail = tail + [("SHA256SUMS", sums), ("SHA256SUMS.sig", signer.key.sign(sums))]
    end = b"".join(member(*one) for one in tail)
    sizes = {name: len(content) for name, content in body + tail}
    footer = b"SEALIFT\n" + struct.pack(
        f">IIQQIIIII{len(keys)}I", 1, len(keys), len(front) + len(end) + 2048, len(front), sizes["header.json"],
        sizes["index"], sizes.get("manifest", 0), sizes.get("snapshot", 0), sizes["SHA256SUMS"],
        *(sizes[name] for name in keys))  # fmt: skip
    footer = footer.ljust(480, b"\0")
    return front + end + member("footer", footer + sha256(footer)) + b"\0" * 1024


class Archive:
    def __init__(self, signer, options):
        self.signer, self.options = signer, options
        # First in every listing: an id is drawn by who writes.
        self.id, content = b"\0" + os.urandom(15), os.urandom(32)
        self.content = content
        self.data = hkdf(content, self.id, "sealift 1 data key")
        self.metadata = hkdf(content, self.id, "sealift 1 metadata key")
        self.private = hkdf(content, self.id, "sealift 1 private id key")
        self.chunk_size = signer.document["chunk_size"]
        self.counter, self.frames, self.components = 0, [], []

    def seal(self, kind, id_key, plain):
        one = frame(kind, self.metadata if kind != DATA else self.data, id_key, self.counter, plain)
        self.counter += 1
        return one

    def lie(self, one):
        """The same header, sealed again around something else."""
        header, nonce = one[:88], b"\0" * 4 + one[16:24]
        return header + AESGCM(self.data).encrypt(nonce, os.urandom(len(one) - 104), header)

    def add(self, kind, name, scope, content, attributes=None):
        id_key = self.private if scope == "private" else self.signer.ids
        begin, ids = len(self.frames), []
        for at in range(0, len(content), self.chunk_size):
            chunk = content[at : at + self.chunk_size]
            is_hole = not any(chunk)
            ids.append(HOLE if is_hole else chunk_id(id_key, DATA, chunk))
            if is_hole or ids[-1] in [one[56:88] for one in self.frames]:
                continue
            one = self.seal(DATA, id_key, chunk)
            self.frames.append(self.lie(one) if self.options.garbage and scope == "shared" else one)
        depth, root = 0, ids[0] if ids else HOLE
        if len(ids) > 1:
            assert len(ids) <= 256
            tree = page(1, ids)
            depth, root = 1, chunk_id(self.signer.ids, PAGE, tree) if any(map(any, ids)) else HOLE
            if root != HOLE:
                self.frames.append(self.seal(PAGE, self.signer.ids, tree))
        self.components.append({
            "kind": kind, "name": name, "scope": scope, "size": len(content), "depth": depth, "root": root.hex(),
            "stored_bytes": sum(map(len, self.frames[begin:])), "attributes": attributes or {}})  # fmt: skip

    def header(self, created):
        key = {"archive": self.id.hex(), "content_key": key_id(self.content).hex(), "signer": self.signer.id.hex()}
        return compact({
            "format": 1, "repository": self.signer.repository.hex(), "archive": self.id.hex(), "volume": 1,
            "created": created, "signer": self.signer.id.hex(), "content_key": key_id(self.content).hex(),
            "envelopes": list(self.signer.envelopes(self.content)),
            "keys": [{"id": key_id(self.data).hex(), "use": "data", **key},
                     {"id": key_id(self.metadata).hex(), "use": "metadata", **key}],
            "metadata_envelopes": [{
                "key": key_id(self.metadata).hex(),
                "wrapped": keywrap.aes_key_wrap_with_padding(self.signer.wrapping, self.metadata).hex()}]})  # fmt: skip

    def manifest(self, created):
        stored = sum(map(len, self.frames))
        return compact({
            "format": 1, "vm_name": self.options.vm, "vm_uuid": self.options.uuid, "platform": "libvirt",
            "cluster": "forged", "host": "forged", "created": created, "kind": "full", "read": "all",
            "source_bytes": sum(one["size"] for one in self.components), "changed_bytes": stored,
            "stored_bytes": stored, "chunk_size": self.chunk_size, "id_key": self.signer.ids.hex(),
            "components": self.components, "protection_keys": [],
            "verdicts": [{"component": "", "state": "complete", "reason": ""}],
            "consistency": {"method": "stopped"}, "versions": {}})  # fmt: skip

    def write(self):
        created = now()
        header = self.header(created)
        at, entries = len(member("header.json", header)) + 512, []
        for one in self.frames:
            plain = struct.unpack_from(">I", one, 8)[0]
            entries.append((one[56:88], 0 if one[4] == DATA else 1, one[4], at, len(one), plain))
            at += len(one)
        manifest = self.seal(MANIFEST, self.signer.ids, self.manifest(created))
        text = self.signer.record("snapshot", created, [
            f"archive {self.id.hex()}", "volumes 1", f"manifest {sha256(manifest).hex()}"])  # fmt: skip
        body = [("header.json", header), ("segments/00000001", b"".join(self.frames))]
        tail = [("index", self.seal(INDEX, self.signer.ids, index(entries))), ("manifest", manifest),
                ("snapshot", text), ("snapshot.sig", self.signer.key.sign(text))]  # fmt: skip
        name = self.id.hex()
        path = self.signer.root / "archives" / name[:2] / name / f"{name}-0001.tar"
        path.parent.mkdir(parents=True)
        path.write_bytes(volume_of(self.signer, body, tail, []))
        self.signer.remember(text)
        print(name)


def archive(options):
    made = Archive(Signer(options.repository, options.vault), options)
    if options.domain:
        made.add("config", "domain.xml", "private", options.domain.read_bytes())
    if options.component:
        made.add("guest-state", options.component, "private", b"written by a hostile host")
    if options.disk:
        made.add("disk", "vda", "shared", options.disk.read_bytes(), {"format": "raw", "path": options.disk_path})
    made.write()


def revoke(options):
    signer = Signer(options.repository, options.vault)
    text = signer.record("revoked", now(), [f"subject {options.signer}", f"since {options.time}"])
    path = signer.root / "records" / signer.id.hex() / f"{signer.sequence:08}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".sig").write_bytes(signer.key.sign(text))
    path.write_bytes(text)
    signer.remember(text)


def lying_index(options):
    signer = Signer(options.repository, options.vault)
    with tarfile.open(options.volume) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar}
    header = json.loads(members["header.json"])
    wrapped = {one["key"]: bytes.fromhex(one["wrapped"]) for one in header["metadata_envelopes"]}
    key = keywrap.aes_key_unwrap_with_padding(signer.wrapping, wrapped[header["keys"][1]["id"]])
    sealed = members["index"]
    plain = AESGCM(key).decrypt(b"\0" * 4 + sealed[16:24], sealed[88:], sealed[:88])
    if sealed[5] == 1:
        import zstandard

        plain = zstandard.ZstdDecompressor().decompress(plain)
    rows = [plain[at : at + 56] for at in range(8, len(plain), 56)]
    # Each id, with its kind and key, at the place of the frame after it.
    for kind in (DATA, PAGE):
        here = [i for i, row in enumerate(rows) if row[36] == kind]
        ids = [rows[i][:32] for i in here]
        for i, other in zip(here, ids[1:] + ids[:1]):
            rows[i] = other + rows[i][32:]
    members["index"] = frame(INDEX, key, signer.ids, 1 << 40, plain[:8] + b"".join(rows))
    names = [name for name in members if not name.startswith("SHA256SUMS") and name != "footer"]
    at = names.index("index")
    keys = [name for name in names if name.startswith("protection-key")]
    both = [[(name, members[name]) for name in part] for part in (names[:at], names[at:])]
    options.volume.write_bytes(volume_of(signer, *both, keys))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run in (("archive", archive), ("revoke", revoke), ("index", lying_index)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("repository")
        command.add_argument("vault")
        if name == "archive":
            command.add_argument("--vm", required=True)
            command.add_argument("--uuid", required=True)
            command.add_argument("--domain", type=pathlib.Path)
            command.add_argument("--disk", type=pathlib.Path)
            command.add_argument("--disk-path", default="/srv/vda.img")
            command.add_argument("--component")
            command.add_argument("--garbage", action="store_true")
        elif name == "revoke":
            command.add_argument("signer")
            command.add_argument("time")
        else:
            command.add_argument("volume", type=pathlib.Path)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
