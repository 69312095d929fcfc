#!/usr/bin/python3
"""Tests of emergency-restore.py with volumes that this file forges, from format/*.md alone.

    /usr/bin/python3 emergency_restore_test.py [-k NAME]

`Archive` is a small writer of format 1 that can be told to lie at every layer; what lies behind a
signature is signed again. RULES is a table: one row for a way to break one rule."""

import base64
import contextlib
import copy
import hashlib
import hmac
import importlib.util
import io
import json
import os
import pathlib
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

import zstandard
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = pathlib.Path(__file__).resolve().parent
READER = HERE.parent.parent / "scripts" / "emergency-restore.py"
VOLUME = HERE.parent / "vectors" / "volume" / "volume.tar"
KEYS = HERE.parent / "vectors" / "keyvault"
RECOVERY_KEY = KEYS / "recovery-key.pem"
OTHER_KEY = KEYS / "other-recovery-key.pem"

sys.dont_write_bytecode = True
_SPEC = importlib.util.spec_from_file_location("emergency_restore", READER)
er = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(er)

# Loading an RSA key takes OpenSSL 0.1 s; hundreds of rows use the same two.
_LOAD, _IDENTITIES = er.load_identity, {}


def _load_identity(path, passphrase_file):
    if pathlib.Path(path).parent != KEYS:
        return _LOAD(path, passphrase_file)
    if path not in _IDENTITIES:
        _IDENTITIES[path] = _LOAD(path, passphrase_file)
    return _IDENTITIES[path]


er.load_identity = _load_identity

DATA, PAGE, INDEX, MANIFEST = 1, 2, 3, 4
C = 65536
HOLE = bytes(32)
CONTENT, ARCHIVE = bytes(range(32)), bytes(range(0xa0, 0xb0))
REPOSITORY_KEY, REPOSITORY = bytes(range(0x20, 0x40)), bytes(range(0xc0, 0xe0))
OLD_CONTENT, OLD_ARCHIVE = bytes(range(1, 33)), bytes(range(0x10, 0x20))
TIME = "2026-11-23T18:00:00Z"
UUID = "6f0c1d3e-0000-4000-8000-0123456789ab"


# ---- A writer of format 1 ----------------------------------------------------------------------

def hkdf(key, salt, info):
    prk = hmac.new(salt or bytes(32), key, "sha256").digest()
    return hmac.new(prk, info.encode() + b"\1", "sha256").digest()


def key_id(key):
    return hkdf(key, b"", "sealift 1 key id")


def chunk_id(id_key, kind, plaintext):
    return hmac.new(id_key, bytes([kind]) + plaintext, "sha256").digest()


ID_KEY = hkdf(REPOSITORY_KEY, REPOSITORY, "sealift 1 id key")
WRAPPING = hkdf(REPOSITORY_KEY, REPOSITORY, "sealift 1 metadata wrapping key")


def spki(public):
    return public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)


class Signer:
    def __init__(self, seed):
        self.key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.id = hashlib.sha256(spki(self.key.public_key())).digest()
        self.pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


HOST, KEEPER, STRANGER = (Signer(bytes(range(n, n + 32))) for n in (0x60, 0x80, 0x11))
OURS, OTHER = (serialization.load_pem_private_key(path.read_bytes(), None)
               for path in (RECOVERY_KEY, OTHER_KEY))


def recipient(private):
    return hashlib.sha256(spki(private.public_key())).digest()


def oaep(hash_class):
    return padding.OAEP(padding.MGF1(hash_class()), hash_class(), None)


def envelope(private, key, **lies):
    value = {"key": key_id(key).hex(), "recipient": recipient(private).hex(),
             "algorithm": "RSA-OAEP-256",
             "wrapped": private.public_key().encrypt(key, oaep(hashes.SHA256)).hex()}
    value.update(lies)
    return value


def zstd(plaintext, **parameters):
    return zstandard.ZstdCompressor(**parameters).compress(plaintext)


def seal(kind, plaintext, id_key, key, counter, codec=0, packed=None, claim=None, **lies):
    """A frame; `packed`, `claim` (the chunk id) and header fields can lie under a good tag."""
    if packed is None:
        packed = zstd(plaintext) if codec else plaintext
    fields = dict(magic=b"SLF1", kind=kind, codec=codec, reserved=0, plain_size=len(plaintext),
                  stored_size=len(packed), counter=counter, key_id=key_id(key),
                  chunk_id=claim or chunk_id(id_key, kind, plaintext))
    fields.update(lies)
    header = struct.pack(">4sBBHIIQ32s32s", *fields.values())
    return header + AESGCM(key).encrypt(bytes(4) + struct.pack(">Q", counter), packed, header)


def block(name, size):
    data = (name.encode().ljust(100, b"\0") + b"000644 \0" + b"000000 \0" * 2 + b"%011o " % size
            + b"00000000000 " + b" " * 8 + b"0" + bytes(100) + b"ustar\x0000" + bytes(64)
            + b"000000 \0" * 2 + bytes(167))
    return data[:148] + b"%06o\0 " % sum(data) + data[156:]


def pad(data):
    return data + bytes(-len(data) % 512)


class Frame:
    def __init__(self, kind, found, data, key, plain, size):
        self.kind, self.id, self.data, self.key = kind, found, data, key
        self.plain, self.size = plain, size          # plain: the plaintext, to seal it again


class Archive:
    """Components in, volume files out. `on(stage, function)` changes what a stage made: the
    function changes its argument, or returns another one."""

    def __init__(self, archive=ARCHIVE, content=CONTENT, signer=HOST, text_signer=None,
                 recipients=(OURS,), repository=REPOSITORY, volumes=3, codec=0, known=(),
                 platform="libvirt", created=TIME, uuid=UUID, chunk_size=C,
                 frames_in_last=False):
        self.archive, self.content, self.signer = archive, content, signer
        self.text_signer = text_signer or signer
        self.recipients, self.repository, self.volumes = recipients, repository, volumes
        self.codec, self.platform, self.created, self.uuid = codec, platform, created, uuid
        self.chunk_size, self.frames_in_last = chunk_size, frames_in_last
        self.known = {f.id for other in known for f in other.frames}
        self.data_key = hkdf(content, archive, "sealift 1 data key")
        self.metadata_key = hkdf(content, archive, "sealift 1 metadata key")
        self.private_key = hkdf(content, archive, "sealift 1 private id key")
        self.frames, self.components, self.key_members = [], [], []
        self.counter = 0
        self.hooks, self.key_entries, self.more_envelopes = {}, [], []
        self.add_keys(self)
        self.per_segment = 1

    def add_keys(self, other):
        for use, key in (("data", other.data_key), ("metadata", other.metadata_key)):
            self.key_entries.append({
                "id": key_id(key).hex(), "use": use, "archive": other.archive.hex(),
                "content_key": key_id(other.content).hex(), "signer": other.signer.id.hex()})

    def on(self, stage, function, volume=None):
        self.hooks.setdefault(stage, []).append((function, volume or self.volumes))
        return self

    def hook(self, stage, value, volume=None):
        for function, wanted in self.hooks.get(stage, ()):
            if wanted == (volume or self.volumes):
                changed = function(value)
                value = value if changed is None else changed
        return value

    def add_frame(self, kind, plaintext, id_key, **lies):
        found = chunk_id(id_key, kind, plaintext)
        if found not in self.known:
            key = self.data_key if kind == DATA else self.metadata_key
            self.known.add(found)
            self.frames.append(Frame(kind, found, self.seal(kind, plaintext, id_key, **lies),
                                     key_id(key), plaintext, len(plaintext)))
        return found

    def seal(self, kind, plaintext, id_key, key=None, **lies):
        key = key or (self.data_key if kind == DATA else self.metadata_key)
        self.counter += 1
        if self.codec and 32 * len(zstd(plaintext)) <= 31 * len(plaintext):
            lies.setdefault("codec", 1)              # frame.md section 3
        return seal(kind, plaintext, id_key, key, self.counter, **lies)

    def add(self, kind, name, size, chunks, page=lambda level, number, data: data, **lies):
        """A component whose chunks are holes but those in `chunks` (number: bytes)."""
        count, depth = -(-size // self.chunk_size), 0
        while 256 ** depth < count:
            depth += 1
        id_key = ID_KEY if kind == "disk" else self.private_key
        level = {number: self.add_frame(DATA, data, id_key) for number, data in chunks.items()}
        for height in range(1, depth + 1):
            below = -(-count // 256 ** (height - 1))
            pages = {}
            for number in sorted({n // 256 for n in level}):
                width = min(256, below - number * 256)
                data = bytes([height]) + b"".join(
                    level.get(number * 256 + i, HOLE) for i in range(width))
                pages[number] = self.add_frame(PAGE, page(height, number, data), ID_KEY)
            level = pages
        value = {"kind": kind, "name": name, "scope": "shared" if kind == "disk" else "private",
                 "size": size, "depth": depth, "root": level.get(0, HOLE).hex(),
                 "stored_bytes": 0, "attributes": {}}
        value.update(lies)
        self.components.append(value)
        return self

    def add_bytes(self, kind, name, data, **lies):
        chunks = {k: data[k * C:k * C + C] for k in range(-(-len(data) // C))}
        return self.add(kind, name, len(data), {k: v for k, v in chunks.items() if any(v)}, **lies)

    def add_key(self, data, private=OURS, **lies):
        number = len(self.key_members) + 1
        name = "protection-key.json" if number == 1 else "protection-key.%d.json" % number
        entry = {"member": name, "recipient": recipient(private).hex(), "key_name": "k",
                 "usage": "vtpm", "encoding": "RSA_AES_KEY_WRAP_256"}
        entry.update(lies)
        self.key_members.append((name, data, entry))
        return self

    def name(self, number):
        return "%s-%04d.tar" % (self.archive.hex(), number)

    def header(self, number):
        return {"format": 1, "repository": self.repository.hex(), "archive": self.archive.hex(),
                "volume": number, "created": self.created, "signer": self.signer.id.hex(),
                "content_key": key_id(self.content).hex(),
                "envelopes": [envelope(r, self.content) for r in self.recipients]
                + self.more_envelopes,
                "keys": copy.deepcopy(self.key_entries),
                "metadata_envelopes": [{
                    "key": key_id(self.metadata_key).hex(),
                    "wrapped": keywrap.aes_key_wrap_with_padding(WRAPPING,
                                                                 self.metadata_key).hex()}]}

    def manifest(self):
        return {"format": 1, "vm_name": "web 01", "vm_uuid": self.uuid,
                "platform": self.platform, "cluster": "", "host": "h", "created": self.created,
                "kind": "full", "read": "all",
                "source_bytes": sum(c["size"] for c in self.components), "changed_bytes": 1,
                "stored_bytes": 1, "chunk_size": self.chunk_size, "id_key": ID_KEY.hex(),
                "components": copy.deepcopy(self.components),
                "protection_keys": [copy.deepcopy(entry) for _, _, entry in self.key_members],
                "verdicts": [{"component": "", "state": "complete", "reason": ""}],
                "consistency": {"method": "pause"}, "versions": {}}

    def parts(self):
        """The frames of each volume: shared out evenly, in order; or all in the last one."""
        n = len(self.frames)
        if self.frames_in_last:
            return [[]] * (self.volumes - 1) + [self.frames]
        return [self.frames[n * i // self.volumes:n * (i + 1) // self.volumes]
                for i in range(self.volumes)]

    def write(self, folder):
        """All volumes; their paths."""
        paths = []
        for number, frames in enumerate(self.parts(), 1):
            path = pathlib.Path(folder) / self.hook("name", self.name(number), number)
            path.write_bytes(self.volume(number, frames))
            paths.append(path)
        return paths

    def index(self, number, frames, places):
        positions = [entry["id"] for entry in self.key_entries]
        entries = self.hook("entries", [
            [f.id, positions.index(f.key.hex()), f.kind, at, len(f.data), f.size]
            for f, at in zip(frames, places)], number)
        plain = struct.pack(">II", len(entries), 0) + b"".join(
            struct.pack(">32sIB3sQII", e[0], e[1], e[2], b"\0\0\0", *e[3:]) for e in entries)
        plain = self.hook("index_plain", plain, number)
        return self.hook("index", self.seal(INDEX, plain, ID_KEY), number)

    def snapshot_members(self, number):
        value = self.hook("manifest", self.manifest(), number)
        plain = self.hook("manifest_plain", json.dumps(value, separators=(",", ":")).encode(),
                          number)
        manifest = self.hook("manifest_frame", self.seal(MANIFEST, plain, ID_KEY), number)
        keys = self.hook("keys", [[name, data] for name, data, _ in self.key_members], number)
        fields = [["repository", self.repository.hex()], ["signer", self.text_signer.id.hex()],
                  ["sequence", "1"], ["previous", "0" * 64], ["created", self.created],
                  ["archive", self.archive.hex()], ["volumes", str(number)],
                  ["manifest", hashlib.sha256(manifest).hexdigest()]]
        fields += [["protection-key", n + " " + hashlib.sha256(d).hexdigest()] for n, d in keys]
        fields = self.hook("fields", fields, number)
        text = "sealift snapshot 1\n" + "".join(" ".join(pair) + "\n" for pair in fields)
        text = self.hook("text", text.encode(), number)
        signature = self.hook("text_signature", self.text_signer.key.sign(text), number)
        return [["manifest", manifest]] + keys + [["snapshot", text], ["snapshot.sig", signature]]

    def volume(self, number, frames):
        header = self.hook("header", self.header(number), number)
        header = self.hook("header_bytes", json.dumps(header).encode(), number)
        segments, places, at = [], [], 512 + len(pad(header))
        for first in range(0, len(frames), self.per_segment):
            group = frames[first:first + self.per_segment]
            at += 512
            for frame in group:
                places.append(at)
                at += len(frame.data)
            at += -at % 512
            segments.append(["segments/%08d" % (len(segments) + 1),
                             b"".join(frame.data for frame in group)])
        members = [["header.json", header]] + segments
        members.append(["index", self.index(number, frames, places)])
        if number == self.volumes:
            members += self.snapshot_members(number)
        members = self.hook("members", members, number)
        sums = "".join("%s  %s\n" % (hashlib.sha256(d).hexdigest(), n) for n, d in members)
        sums = self.hook("sums", sums.encode(), number)
        signature = self.hook("signature", self.signer.key.sign(sums), number)
        members += [["SHA256SUMS", sums], ["SHA256SUMS.sig", signature]]
        members = self.hook("late_members", members, number)
        return self.hook("raw", self.tar(members, number), number)

    def tar(self, members, number):
        sizes = {name: len(data) for name, data in members}
        keys = [len(d) for n, d in members if n.startswith("protection-key.")]
        tail = 0
        for name, data in members:
            if name == "index":
                break
            tail += 512 + len(pad(data))
        length = sum(512 + len(pad(d)) for _, d in members) + 2048
        fields = self.hook("footer", dict(
            magic=b"SEALIFT\n", format=1, keys=len(keys), length=length, tail=tail,
            header_size=sizes["header.json"], index_size=sizes["index"],
            manifest_size=sizes.get("manifest", 0), snapshot_size=sizes.get("snapshot", 0),
            sums_size=sizes["SHA256SUMS"], key_sizes=(keys + [0] * 64)[:64],
            reserved=bytes(172)), number)
        values = list(fields.values())
        footer = struct.pack(">8sIIQQIIIII64I172s", *values[:10], *fields["key_sizes"], values[11])
        footer += hashlib.sha256(footer).digest()
        return b"".join(self.hook("block", (n, block(n, len(d)) + pad(d)), number)[1]
                        for n, d in members + [["footer", footer]]) + bytes(1024)

    def find(self, kind, nth=0):
        return [frame for frame in self.frames if frame.kind == kind][nth]


def key_json(private, key, enc="RSA_AES_KEY_WRAP_256", hash_class=hashes.SHA256, **lies):
    ephemeral = bytes(range(0x20, 0x40))
    wrapped = private.public_key().encrypt(ephemeral, oaep(hash_class)) \
        + keywrap.aes_key_wrap_with_padding(ephemeral, key)
    value = {"public-key": "", "private-key": base64.urlsafe_b64encode(wrapped).decode(),
             "private-key-wrapping-info": {
                 "key-name": "", "enc": enc,
                 "public-key": base64.urlsafe_b64encode(private.public_key().public_bytes(
                     serialization.Encoding.DER, serialization.PublicFormat.PKCS1)).decode()}}
    value.update(lies)
    return json.dumps(value, separators=(",", ":")).encode()


def swtpm(key, bits=256, vector=b"v" * 32, parts=None, **lies):
    derived = hashlib.pbkdf2_hmac("sha512", key, b"swtpm", 1000, bits // 8)
    ciphertext = b"\xc5" * 96
    tag = hmac.new(derived, ciphertext + (vector or b""), "sha256").digest()
    parts = parts or [(2, ciphertext), (3, tag)] + ([(6, vector)] if vector is not None else [])
    body = b"".join(struct.pack(">HI", t, len(d)) + d for t, d in parts) + lies.pop("more", b"")
    fields = dict(version=2, min_version=1, header_size=10, flags=9 if bits == 256 else 1,
                  total_size=10 + len(body))
    fields.update(lies)
    return struct.pack(">BBHHI", *fields.values()) + body


SECRET = b"the secret\0 of the vTPM\n"
NOISE = [hashlib.shake_128(bytes([n])).digest(C) for n in range(8)]
XML = b"<domain/>\n" * 30


def small(state=None, key=None, **options):
    """The archive that most rows damage: three volumes, every kind of frame, a protection key."""
    archive = Archive(**options)
    archive.add_bytes("config", "domain.xml", XML)
    archive.add("disk", "vda", 3 * C + 19, {0: NOISE[0], 1: NOISE[1], 3: b"z" * 19})
    archive.add_bytes("guest-state", "tpm2-00.permall", swtpm(SECRET) if state is None else state)
    archive.add_key(key_json(OURS, SECRET) if key is None else key)
    return archive


SMALL = {"domain.xml": XML, "vda.raw": NOISE[0] + NOISE[1] + bytes(C) + b"z" * 19,
         "tpm2-00.permall": swtpm(SECRET)}


# ---- Running the reader ------------------------------------------------------------------------

class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="emr-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.out = self.dir / "out"
        self.signers = []
        for name, signer in (("host", HOST), ("keeper", KEEPER)):
            path = self.dir / (name + ".pub.pem")
            path.write_bytes(signer.pem)
            self.signers.append(path)

    def folder(self, name):
        path = self.dir / name
        path.mkdir(exist_ok=True)
        return path

    def arguments(self, files, *more, identity=RECOVERY_KEY, signers=None):
        result = ["--identity", identity, "--out", self.out]
        for signer in self.signers if signers is None else signers:
            result += ["--signer", signer]
        return [str(argument) for argument in [*result, *more, *files]]

    def restore(self, files, *more, **options):
        """Exit status, standard output, standard error; in this process."""
        return self.run_reader(self.arguments(files, *more, **options))

    def run_reader(self, arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = er.main(arguments)
        return status, out.getvalue(), err.getvalue()

    def good(self, files, expected=None, *more, **options):
        """Restores; the contents of small files are as expected."""
        status, out, err = self.restore(files, *more, **options)
        self.assertEqual(status, 0, err)
        for name, data in (expected or {}).items():
            self.assertTrue((self.out / name).read_bytes() == data, name)
        return out, err

    def bad(self, files, status, *texts, **options):
        """Refuses, says why, and leaves nothing."""
        more = options.pop("more", ())
        got, out, err = self.restore(files, *more, **options)
        self.assertEqual(got, status, err)
        self.assertEqual(out, "")
        self.assertRegex(err, r"(?m)^error: [^\n]+[^.\n]\n")
        self.assertIn("\n  next:  ", err)
        for text in texts:
            self.assertIn(text, err)
        self.assertFalse(self.out.exists(), "something was left behind")
        return err


# ---- The worked examples of the pages ----------------------------------------------------------

class WorkedExamples(unittest.TestCase):
    def test_keys(self):
        ring = er.KeyRing(None)
        ring.content_keys[er.key_id(CONTENT)] = CONTENT
        self.assertEqual(er.key_id(CONTENT).hex(),
                         "7a82c0528013004fabc82a1fba4d6c0a5d20035c55052b6ca097f9c5907e8cad")
        for info, value in (
                (b"data key", "e26f9b91eb4f1be9724d5d4261f6270a103aa26b3b5df95e57792d676bead474"),
                (b"metadata key",
                 "be6e5402f423974a0c28432945195cef5bd163937d441184cdf7234c89028431"),
                (b"private id key",
                 "b93a6c73962b2a4f6c24ffda10a8edb6e88be9fb9fe5f15a1d65b2f94c23cfbc")):
            self.assertEqual(ring.child(er.key_id(CONTENT), ARCHIVE, info).hex(), value)
        self.assertEqual(ID_KEY.hex(),
                         "d67840d373d7f940863bfc46b897cbb3c98c38f92c0683fde6ab4fee6ded174f")

    def test_frame(self):
        frame = seal(DATA, b"A" * 300, REPOSITORY_KEY, CONTENT, 7)
        self.assertEqual(frame[56:96].hex(), "9316f1a3ade664c3a832d8a4b4f372ec6f521382cbb1bef2ed98"
                         "72c3ab5f1937a12c525e56561fbb")
        self.assertEqual(frame[-20:].hex(), "a2475feb313c35b248a9fe5cbfbeb20b7ad3709d"[-40:])
        plaintext, claimed = er.unseal(frame, DATA, CONTENT, er.key_id(CONTENT))
        er.check_id(plaintext, DATA, claimed, REPOSITORY_KEY)
        self.assertEqual(plaintext, b"A" * 300)

    def test_envelope_and_key_json(self):
        """Seeded OAEP, so that the bytes of the pages can be compared."""
        wrapped = seeded_oaep(bytes(range(32)))
        self.assertEqual(wrapped[:8].hex(), "44090b6e04f82b76")
        self.assertEqual(wrapped[-8:].hex(), "f24a7c611389a225")
        ring = er.KeyRing(er.Identity(OURS))
        ring.add_envelopes([er.parse_envelope(envelope(OURS, CONTENT, wrapped=wrapped.hex()))])
        self.assertEqual(ring.content_key(er.key_id(CONTENT)), CONTENT)
        ephemeral = bytes(range(0x20, 0x40))
        rest = keywrap.aes_key_wrap_with_padding(ephemeral, CONTENT)
        self.assertEqual(rest.hex(), "086e3aeda49a83d0a40b27c21b4263a8a19aecb44f9877bd9d7e67622ff2"
                         "18c6f73a156c8aa302a9")
        text = key_json(OURS, CONTENT)
        value = json.loads(text)
        value["private-key"] = base64.urlsafe_b64encode(seeded_oaep(ephemeral) + rest).decode()
        info = value["private-key-wrapping-info"]
        value["private-key-wrapping-info"] = {n: info[n] for n in ("key-name", "public-key", "enc")}
        text = json.dumps(value, separators=(",", ":")).encode()
        self.assertEqual(len(text), 1223)
        self.assertEqual(hashlib.sha256(text).hexdigest(),
                         "9f3eb0632d1c74db277f417d1f996496942a021901190685ebe0a4ecd8c729f5")
        self.assertEqual(er.unwrap_key_json(text, er.Identity(OURS)), (CONTENT, "sha256"))

    def test_page(self):
        """page.md section 5."""
        self.assertEqual(er.tree_depth(1000000, C), 1)
        page = b"\1" + HOLE + b"\xc1" * 32 + HOLE * 13 + b"\xcf" * 32
        value = {"kind": "disk", "name": "d", "size": 1000000, "depth": 1, "root": "11" * 32}
        component = er.Component(value, C, ID_KEY, "libvirt")

        class Stub:
            id_key = ID_KEY

            def open(self, *_):
                return page, (None, None)
        self.assertEqual(list(component.chunks(Stub())), [
            (C, C, b"\xc1" * 32), (15 * C, 16960, b"\xcf" * 32)])

    def test_index(self):
        """index.md section 4."""
        plain = bytes.fromhex("0000000100000000" + "1d" * 32 + "0000000102000000"
                              "0000000000000e00000000a400000041")
        volume = er.Volume("x")
        self.assertEqual(list(er.index_entries(plain, volume)),
                         [(b"\x1d" * 32, 1, PAGE, 3584, 164, 65)])

    def test_header_block(self):
        """volume.md section 6; the writer of this test against it, too."""
        for made in (er.tar_block("segments/00000001", 700), block("segments/00000001", 700)):
            self.assertEqual(made[124:160].hex(), "303030303030303132373420303030303030303030303020"
                             "303131363231002030000000")
            self.assertEqual(sum(made[160:256]) + sum(made[265:329]), 0)


def seeded_oaep(message):
    """RFC 8017 section 7.1 by hand, with the seed 32 times 5a."""
    size = (OURS.key_size + 7) // 8

    def mgf(seed, length):
        out = b""
        while len(out) < length:
            out += hashlib.sha256(seed + struct.pack(">I", len(out) // 32)).digest()
        return int.from_bytes(out[:length], "big")
    seed = b"\x5a" * 32
    data = hashlib.sha256(b"").digest() + bytes(size - len(message) - 66) + b"\1" + message
    masked = (int.from_bytes(data, "big") ^ mgf(seed, len(data))).to_bytes(len(data), "big")
    masked_seed = (int.from_bytes(seed, "big") ^ mgf(masked, 32)).to_bytes(32, "big")
    numbers = OURS.public_key().public_numbers()
    number = pow(int.from_bytes(b"\0" + masked_seed + masked, "big"), numbers.e, numbers.n)
    return number.to_bytes(size, "big")


# ---- What must be restored ---------------------------------------------------------------------

class Restores(Case):
    def test_worked_example_as_a_program(self):
        """volume.md section 6, with the shebang's own python."""
        path = self.dir / (ARCHIVE.hex() + "-0001.tar")
        shutil.copy(VOLUME, path)
        done = subprocess.run([READER, *self.arguments([path])], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "domain.xml  300 bytes\nvda.raw  131091 bytes\n"
                         "protection-key.json  30 bytes\n")
        self.assertEqual((self.out / "domain.xml").read_bytes(), b"A" * 300)
        disk = (self.out / "vda.raw").read_bytes()
        self.assertEqual(len(disk), 131091)
        self.assertEqual((self.out / "protection-key.json").read_bytes(),
                         b'{"enc":"RSA_AES_KEY_WRAP_256"}')
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o700)
        for path in self.out.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_small(self):
        files = small().write(self.folder("a"))
        out, err = self.good(files, SMALL)
        self.assertIn("vda.raw  196627 bytes\n", out)
        self.assertIn("the protection key opens guest-state tpm2-00.permall", err)
        self.assertEqual(len(list(self.out.iterdir())), 4)

    def test_any_order_and_codec(self):
        for codec in (0, 1):
            files = small(codec=codec, volumes=2).write(self.folder("a"))
            self.good(reversed(files), SMALL)
            shutil.rmtree(self.out)

    def test_one_volume_and_volumes_without_frames(self):
        for volumes in (1, 15):
            files = small(volumes=volumes).write(self.folder("v%d" % volumes))
            self.good(files, SMALL)
            shutil.rmtree(self.out)

    def test_levels_of_pages_and_holes(self):
        """Two and three levels, chunks at both ends of pages; sparse, and of the exact size."""
        archive = Archive(volumes=3, codec=1)
        two = {0: NOISE[0], 255: NOISE[1], 256: NOISE[2], 299: b"q" * C, 300: b"end"}
        three = {0: NOISE[0], 65535: NOISE[3], 65536: b"x" * 7}
        archive.add("disk", "two", 300 * C + 3, two)
        archive.add("disk", "three", 65536 * C + 7, three)
        archive.add("disk", "hole", 70000 * C, {})
        archive.add("disk", "empty", 0, {})
        self.assertEqual([c["depth"] for c in archive.components], [2, 3, 3, 0])
        self.good(archive.write(self.folder("a")))
        for name, size, chunks in (("two", 300 * C + 3, two), ("three", 65536 * C + 7, three),
                                   ("hole", 70000 * C, {}), ("empty", 0, {})):
            path = self.out / (name + ".raw")
            self.assertEqual(path.stat().st_size, size)
            self.assertLessEqual(path.stat().st_blocks * 512, len(chunks) * C + 65536)
            with path.open("rb") as file:
                for number, data in chunks.items():
                    file.seek(number * C)
                    self.assertTrue(file.read(len(data)) == data)
                file.seek(C)
                self.assertFalse(any(file.read(C)))
                file.seek(300 * C)
                self.assertEqual(file.read(3), b"end" if name == "two" else b"\0\0\0"[:3]
                                 if size > 300 * C else b"")

    def test_zero_chunks_that_were_stored_are_not_written(self):
        archive = Archive(volumes=1).add("disk", "d", 16 * C, {0: bytes(C), 1: NOISE[0]})
        self.good(archive.write(self.folder("a")))
        self.assertLessEqual((self.out / "d.raw").stat().st_blocks * 512, 2 * C)

    def old(self, **options):
        return Archive(OLD_ARCHIVE, OLD_CONTENT, created="2026-11-22T18:00:00Z", volumes=2,
                       **options).add("disk", "vda", 3 * C + 19, {0: NOISE[0], 1: NOISE[5]})

    def test_dedup_against_another_archive(self):
        old = self.old()
        new = small(known=[old])
        a, b = old.write(self.folder("old")), new.write(self.folder("new"))
        _, err = self.good(b + a, SMALL)
        self.assertIn("note: passed over snapshot " + OLD_ARCHIVE.hex(), err)
        self.assertIn("note: taken is snapshot " + ARCHIVE.hex(), err)
        shutil.rmtree(self.out)
        self.bad(b, 3, "error: a chunk of disk vda (", "where: rule P4", "older archives")

    def test_only_what_is_used_is_read(self):
        """Another archive's volume that nothing is needed of may even be damaged behind V12."""
        new = small()
        old = Archive(OLD_ARCHIVE, OLD_CONTENT, volumes=2).add(
            "disk", "vda", 3 * C, {0: NOISE[0], 1: NOISE[5]})      # NOISE[0] is in both
        old.on("block", lambda m: (m[0], m[1][:600] + b"?" + m[1][601:])
               if m[0].startswith("segments") else m, 1)
        files = new.write(self.folder("new")) + old.write(self.folder("old"))
        _, err = self.good(files, SMALL, "--snapshot", ARCHIVE.hex())
        self.assertIn("note: 2 other volumes are not needed\n", err)
        self.assertEqual(err.count("not needed"), 1)
        shutil.rmtree(self.out)
        new = small(known=[old])
        files = new.write(self.folder("n2")) + old.write(self.folder("old"))
        self.bad(files, 3, "rule V8, volume %s, member segments/00000001" % old.name(1))

    def test_one_volume_that_is_not_needed_is_named(self):
        old = Archive(OLD_ARCHIVE, OLD_CONTENT, volumes=1).add("disk", "vda", 3 * C, {0: NOISE[5]})
        files = small().write(self.folder("new")) + old.write(self.folder("old"))
        _, err = self.good(files, SMALL, "--snapshot", ARCHIVE.hex())
        self.assertIn("note: %s is not needed\n" % old.name(1), err)

    def test_newest_named_and_of_several_machines(self):
        old, new = self.old(), small()
        files = old.write(self.folder("old")) + new.write(self.folder("new"))
        self.good(files, {"vda.raw": NOISE[0] + NOISE[5] + bytes(C + 19)},
                  "--snapshot", OLD_ARCHIVE.hex()[:2])
        shutil.rmtree(self.out)
        self.good(files, SMALL, "--snapshot", "a")
        shutil.rmtree(self.out)
        self.bad(files, 2, "no snapshot begins with f", ARCHIVE.hex(), more=["--snapshot", "f"])
        self.bad(files, 2, "no beginning of an archive id", more=["--snapshot", "A0"])
        files = self.old(uuid=UUID[:-1] + "c").write(self.folder("old")) + new.write(
            self.folder("new"))
        self.bad(files, 2, "several VMs", UUID, UUID[:-1] + "c", OLD_ARCHIVE.hex(), ARCHIVE.hex())
        self.good(files, SMALL, "--snapshot", ARCHIVE.hex())

    def test_beginning_of_an_id_that_is_not_unique(self):
        other = small(archive=b"\xaf" * 16, content=OLD_CONTENT)
        files = small().write(self.folder("a")) + other.write(self.folder("b"))
        self.bad(files, 2, "more than one snapshot begins with a", ARCHIVE.hex(), "af" * 16,
                 more=["--snapshot", "a"])
        self.good(files, SMALL, "--snapshot", "af")

    def test_protection_key_for_others_only(self):
        """Then nothing can be proved, and nothing has to be."""
        archive = small()
        archive.key_members.clear()
        archive.add_key(key_json(OTHER, b"wrong"), OTHER)
        self.good(archive.write(self.folder("a")), SMALL)

    def test_two_recipients(self):
        archive = small(recipients=(OTHER, OURS))
        archive.key_members.clear()
        archive.add_key(key_json(OTHER, b"not for us"), OTHER).add_key(key_json(OURS, SECRET))
        files = archive.write(self.folder("a"))
        secret = self.dir / "secret"
        self.good(files, SMALL, "--reveal-protection-key", secret)
        self.assertEqual(secret.read_bytes(), SECRET)
        self.assertEqual(stat.S_IMODE(secret.stat().st_mode), 0o600)
        shutil.rmtree(self.out)
        err = self.bad(files, 12, "rule W12", "guest-state tpm2-00.permall", identity=OTHER_KEY)
        self.assertNotIn("not for us", err)

    def test_keeper_signed_the_volume_and_the_host_the_text(self):
        self.good(small(signer=KEEPER, text_signer=HOST).write(self.folder("a")), SMALL)

    def test_compacted_volume(self):
        """Frames of an older archive moved verbatim into a volume that names their keys."""
        old = self.old()
        new = small(known=[old])
        new.add_keys(old)
        new.frames += old.frames
        new.more_envelopes.append(envelope(OURS, OLD_CONTENT))
        self.good(new.write(self.folder("new")), SMALL)
        shutil.rmtree(self.out)
        new.key_entries.reverse()
        self.good(new.write(self.folder("new")), SMALL)
        shutil.rmtree(self.out)
        new.more_envelopes.clear()
        self.bad(new.write(self.folder("new")), 12, "rule E2")

    def test_lying_index(self):
        """A wrong index costs time (index.md section 1)."""
        def swap(entries):
            ids = [e[0] for e in entries]
            for entry, found in zip(entries, ids[1:] + ids[:1]):
                entry[0] = found

        def shift(entries):
            for entry in entries:
                entry[3] += 1
                entry[4] -= 1

        def other(entries):
            for entry in entries:
                entry[0] = bytes(31) + b"\1"

        def keys(entries):
            for entry in entries:
                entry[1] += 2
        for name, lie in (("swap", swap), ("shift", shift), ("other", other)):
            with self.subTest(name):
                archive = small()
                for number in (1, 2, 3):
                    archive.on("entries", lie, number)
                _, err = self.good(archive.write(self.folder(name)), SMALL)
                self.assertIn("reading through all volumes", err)
                shutil.rmtree(self.out)
        archive = small()
        archive.add_keys(self.old())
        archive.more_envelopes.append(envelope(OURS, OLD_CONTENT))
        archive.on("entries", keys, 1)
        self.good(archive.write(self.folder("k")), SMALL)

    def test_index_without_entries(self):
        archive = small()
        for number in (1, 2, 3):
            archive.on("entries", lambda entries: entries[:1], number)
        self.good(archive.write(self.folder("a")), SMALL)

    def test_index_of_two_frames(self):
        archive = small(volumes=1)
        plains = []

        def split(plain):
            plains.append(struct.pack(">II", 1, 0) + plain[64:120])
            return struct.pack(">II", 1, 0) + plain[8:64]
        archive.on("index_plain", split)
        archive.on("index", lambda first: first + archive.seal(INDEX, plains[0], ID_KEY))
        self.good(archive.write(self.folder("a")), SMALL)

    def test_garbage_under_a_known_id(self):
        """All places of an id are tried; the first failure is reported when none is good."""
        old = self.old()
        new = small()
        for frame in new.frames:
            if frame.kind == DATA and frame.plain == NOISE[0]:
                frame.data = frame.data[:200] + b"!" + frame.data[201:]
        b, a = new.write(self.folder("new")), old.write(self.folder("old"))
        self.good(b + a, SMALL, "--snapshot", ARCHIVE.hex())
        shutil.rmtree(self.out)
        self.bad(b, 3, "rule F11, volume %s, member segments/0000000" % new.name(1))

    def test_envelope_that_deceives_ends_the_reading(self):
        """E5, although the chunk has a good place, too."""
        old, new = self.old(), small()
        frame = copy.copy(new.find(DATA, 2))
        frame.key = key_id(old.data_key)
        frame.data = seal(DATA, frame.plain, ID_KEY, old.data_key, 77)
        new.add_keys(old)
        new.frames.insert(0, frame)
        files = new.write(self.folder("a"))
        self.good(files, SMALL)                        # E2 at one place, another is good
        shutil.rmtree(self.out)
        new.more_envelopes.append(dict(envelope(OURS, CONTENT), key=key_id(OLD_CONTENT).hex()))
        self.bad(new.write(self.folder("a")), 3, "rule E5, volume " + new.name(1))

    def test_index_of_another_archive_that_cannot_be_opened(self):
        old = self.old(recipients=(OTHER,))
        files = small().write(self.folder("new")) + old.write(self.folder("old"))
        _, err = self.good(files, SMALL, "--snapshot", ARCHIVE.hex())
        self.assertIn("cannot be opened (E2)", err)
        shutil.rmtree(self.out)
        files = small(known=[old]).write(self.folder("n2")) + old.write(self.folder("old"))
        self.bad(files, 12, "rule E2", more=["--snapshot", ARCHIVE.hex()])

    def test_next_envelope_is_tried(self):
        """envelope.md section 4: after E3 and E4."""
        archive = small()
        for number in (1, 2, 3):
            archive.on("header", lambda h: h.update(envelopes=[
                dict(h["envelopes"][0], algorithm="FUTURE"),
                dict(h["envelopes"][0], wrapped="00" * 384), *h["envelopes"]]), number)
        self.good(archive.write(self.folder("a")), SMALL)

    @staticmethod
    def exported(**files):
        """Of a Hyper-V VM: name=path."""
        archive = Archive(platform="hyper-v", volumes=1)
        for name, path in files.items():
            archive.add_bytes("disk", name, NOISE[0], attributes={} if path is None else
                              {"path": path})
        return archive

    def test_other_platform(self):
        """manifest.md section 2: files lie as they lay in the export."""
        archive = self.exported(os="Virtual Hard Disks/os disk.vhdx")
        archive.add_bytes("guest-state", "x.vmgs", b"vmgs",
                          attributes={"path": "Virtual Machines/\u00fc.vmgs"})
        self.good(archive.write(self.folder("a")), {
            "Virtual Hard Disks/os disk.vhdx": NOISE[0],
            "Virtual Machines/\u00fc.vmgs": b"vmgs"})

    def test_paths_of_an_export(self):
        """M9."""
        for number, path in enumerate((None, "", "/a", "a/", "a//b", ".", "a/..", "../a", "a\\b",
                                       "a\nb", "a\x7f", "n" * 256, "/".join("a" * 65))):
            self.bad(self.exported(os=path).write(self.folder("a%d" % number)), 3, "rule M9")
        for number, two in enumerate((("a/b", "a/b"), ("a", "a/b"), ("a/b/c", "a/b"))):
            files = self.exported(one=two[0], two=two[1]).write(self.folder("b%d" % number))
            self.bad(files, 3, "rule M9")
        files = self.exported(one="a/b", two="a/b.c", three="a.b").write(self.folder("c"))
        self.good(files, {"a/b": NOISE[0], "a/b.c": NOISE[0], "a.b": NOISE[0]})

    def test_guest_state_that_is_no_encrypted_swtpm(self):
        for n, state in enumerate((
                b"something else", swtpm(SECRET, flags=0, parts=[(1, b"x")]),
                swtpm(SECRET, version=1), swtpm(SECRET, header_size=11), swtpm(SECRET)[:9])):
            files = small(state=state, key=b"no key json").write(self.folder("a%d" % n))
            self.good(files, {"tpm2-00.permall": state, "protection-key.json": b"no key json"})
            shutil.rmtree(self.out)

    def test_swtpm_variants(self):
        for n, state in enumerate((swtpm(SECRET, bits=128, vector=b"v" * 16),
                                   swtpm(SECRET, vector=None), swtpm(SECRET, more=struct.pack(
                                       ">HI", 77, 0)))):
            _, err = self.good(small(state=state).write(self.folder("a%d" % n)))
            self.assertIn("the protection key opens", err)
            shutil.rmtree(self.out)

    def test_key_json_variants(self):
        """key-json.md section 4: what a file from the field may look like."""
        text = key_json(OURS, SECRET)
        value = json.loads(text)
        swapped = dict(value, **{"public-key": value["private-key"], "private-key": ""})
        broken = dict(value, **{"private-key": "\r\n".join(
            value["private-key"][i:i + 64] for i in range(0, len(value["private-key"]), 64))})
        known = dict(value, version="7", more={"a": [1]})
        for n, data in enumerate((
                b"\xef\xbb\xbf" + text, b"\xff\xfe" + text.decode().encode("utf-16-le"),
                b"\xfe\xff" + text.decode().encode("utf-16-be"), json.dumps(
                    value, indent=4).replace("\n", "\r\n").encode(),
                json.dumps(swapped).encode(), json.dumps(broken).encode(),
                json.dumps(known).encode(),
                key_json(OURS, SECRET, hash_class=hashes.SHA1),
                key_json(OURS, SECRET, enc="CKM_RSA_AES_KEY_WRAP", hash_class=hashes.SHA1),
                key_json(OURS, SECRET, enc="CKM_RSA_AES_KEY_WRAP", hash_class=hashes.SHA384))):
            with self.subTest(n):
                self.good(small(key=data, volumes=1).write(self.folder("a%d" % n)),
                          {"protection-key.json": data})
                shutil.rmtree(self.out)

    def test_empty_folder_is_taken(self):
        self.out.mkdir(mode=0o755)
        self.good(small().write(self.folder("a")), SMALL)
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o700)

    def test_passphrase(self):
        path, words = self.dir / "key.pem", self.dir / "words"
        path.write_bytes(OURS.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame")))
        files = small(volumes=1).write(self.folder("a"))
        for text in (b"open sesame", b"open sesame\n", b"open sesame\r\nmore\n"):
            words.write_bytes(text)
            self.good(files, SMALL, "--passphrase-file", words, identity=path)
            shutil.rmtree(self.out)
        words.write_bytes(b"open sesam\n")
        self.bad(files, 12, "passphrase is wrong", identity=path,
                 more=["--passphrase-file", words])
        with open(os.devnull) as null, contextlib.ExitStack() as stack:
            stack.callback(setattr, sys, "stdin", sys.stdin)
            sys.stdin = null
            self.bad(files, 12, "has a passphrase, and none is given", identity=path)


# ---- One row for a way to break a rule ---------------------------------------------------------

RULES = []


def row(rule, status, title, make=small, volume=3, **options):
    """A row whose function damages the archive that `make` makes."""
    def keep(damage):
        RULES.append((rule, status, title, make, damage, volume, options))
        return damage
    return keep


def rows(rule, stage, *pairs, status=3, volume=3, make=small, **options):
    """Rows that hook one stage."""
    for title, function in pairs:
        row(rule, status, stage + ": " + title, make, volume, **options)(
            lambda archive, function=function: archive.on(stage, function, volume))


def put(name, value):
    """Sets a member of an object."""
    return lambda target: target.__setitem__(name, value)


def drop(name):
    return lambda target: target.pop(name) and None


def into(path, then):
    """Applies a function to something inside of an object."""
    def function(target):
        for step in path:
            target = target[step]
        then(target)
    return function


def replace(old, new):
    def function(data):
        assert old in data, (old, data)
        return data.replace(old, new, 1)
    return function


def patch(at, new):
    return lambda data: data[:at % len(data)] + new + data[at % len(data) + len(new):]


def member(name, function):
    """Changes the content of a member."""
    def change(members):
        for entry in members:
            if entry[0] == name:
                entry[1] = function(entry[1])
    return change


def tar_part(name, function):
    """Changes header block, content and padding of a member."""
    return lambda part: (part[0], function(part[1])) if part[0] == name else part


def insert(before, name, data=b"x"):
    def change(members):
        at = [entry[0] for entry in members].index(before)
        members.insert(at, [name, data])
    return change


def rename(old, new):
    def change(members):
        for entry in members:
            if entry[0] == old:
                entry[0] = new
    return change


def remove(name):
    return lambda members: [entry for entry in members if entry[0] != name]


rows("V1", "raw", ("half a block more", lambda d: d + bytes(100)),
     ("too small", lambda d: d[-3584:]), ("empty", lambda d: b""))
rows("V2", "raw", ("magic", patch(-1536, b"s")), ("digest", patch(-1025, b"\xff")),
     ("no footer", lambda d: d[:-1536]), ("format damaged", patch(-1525, b"\2")))
rows("V2", "footer", ("magic, and the digest fits", put("magic", b"SEALIFT\r")))
rows("V3", "footer", ("newer format", put("format", 2)), status=14)
rows("V4", "footer", ("older format", put("format", 0)), ("length", put("length", 4096)),
     ("reserved", put("reserved", b"\1" * 172)), ("tail", put("tail", 512)),
     ("tail beyond", put("tail", 1 << 63)), ("index_size", put("index_size", 1000000)),
     ("header beyond tail", put("header_size", 1000000)),
     ("header_size", put("header_size", MIB1 := (1 << 20) + 1)),
     ("snapshot without manifest", put("manifest_size", 0)),
     ("manifest without snapshot", put("snapshot_size", 0)), ("keys", put("keys", 65)),
     ("key counted twice", put("keys", 2)), ("key behind the last", into(
         ["key_sizes"], put(5, 1))), ("sums_size", put("sums_size", 0)))
rows("V4", "footer", ("65 keys of one byte", lambda f: f.update(keys=65, key_sizes=[1] * 64)))
rows("V4", "header_bytes", ("header.json over 8 MiB", lambda d: d + b" " * (8 << 20)))
rows("V4", "index", ("index over 64 MiB", lambda d: bytes((64 << 20) + 1)))
rows("V4", "manifest_frame", ("manifest over its limit", lambda d: bytes((4 << 20) + 105)))
rows("V4", "text", ("snapshot over 1 MiB", lambda t: bytes((1 << 20) + 1)))
rows("V4", "sums", ("SHA256SUMS over 16 MiB", lambda t: bytes((16 << 20) + 1)))
for FIELDS in ({"snapshot_size": 5}, {"keys": 1, "key_sizes": [5] + [0] * 63}):
    row("V4", 3, "no manifest, but %s" % FIELDS)(
        lambda archive, fields=FIELDS: archive.on("members", lambda members: [
            m for m in members if m[0][:8] in ("header.j", "segments", "index")]).on(
                "footer", lambda f: f.update(fields)))
rows("V4", "late_members", ("doubled", insert("snapshot", "manifest")),
     ("added", insert("snapshot", "extra")), ("signature stripped", remove("SHA256SUMS.sig")),
     ("snapshot.sig stripped", remove("snapshot.sig")),
     ("large key", member("protection-key.json", lambda d: bytes((256 << 10) + 1))))
rows("V5", "signature", ("zeros", lambda s: bytes(64)), ("of other bytes", lambda s: HOST.key.sign(
    b"other")), ("by a stranger", lambda s: STRANGER.key.sign(b"")))
row("V5", 3, "a stranger signed it", make=lambda: small(signer=STRANGER, text_signer=HOST),
    volume=1)(lambda a: None)
rows("V6", "block", *(("%s: %s" % (name, what), tar_part(name, function))
     for name in ("header.json", "index", "manifest", "protection-key.json", "snapshot",
                  "SHA256SUMS", "SHA256SUMS.sig", "footer", "segments/00000001")
     for what, function in (("mode", patch(104, b"5")), ("owner", patch(300, b"r")),
                            ("pax", patch(156, b"x")), ("name", patch(0, b"H")))))
rows("V6", "block", *(("padding of " + name, tar_part(name, patch(-1, b"\1")))
     for name in ("header.json", "index", "snapshot.sig", "SHA256SUMS.sig", "segments/00000001")),
     ("size not octal", tar_part("segments/00000001", patch(124, b" "))))
rows("V6", "raw", ("end", patch(-1, b"\1")), ("end, first block", patch(-1024, b"\1")))
rows("V6", "late_members", ("pax header first", insert("header.json", "pax", b"")),
     ("member before the segments", insert("segments/00000001", "segments/00000000")),
     ("segment renamed", rename("segments/00000001", "segments/00000002")),
     ("manifest renamed", rename("snapshot.sig", "snapshot.sag")))
rows("V7", "sums", ("one blank", replace(b"  header.json", b" header.json ")),
     ("upper case", lambda s: s[:64].upper() + s[64:]),
     ("order", lambda s: b"".join(reversed(s.splitlines(True)))), ("no end", lambda s: s[:-1]),
     ("line feed", lambda s: s + b"\n"), ("a byte", lambda s: s + b"x"),
     ("a line less", lambda s: s[s.index(b"\n") + 1:]),
     ("CRLF", lambda s: s.replace(b"\n", b"\r\n")),
     ("only one line", lambda s: s[:s.index(b"\n") + 1]), ("empty", lambda s: b""),
     ("segment named otherwise", replace(b"segments/00000001", b"segments/00000002")),
     ("131,073 segments", lambda s: s.replace(s[s.index(b"\n") + 1:], b"".join(
         b"0" * 64 + b"  segments/%08d\n" % n for n in range(1, 131074)) + b"".join(
             line for line in s.splitlines(True)[1:] if b"segments" not in line))),
     ("a line for SHA256SUMS", lambda s: s + b"0" * 64 + b"  SHA256SUMS\n"))
rows("V6", "members", ("member renamed in the sums, too", rename("snapshot.sig", "snapshot.sag")),
     ("key renamed in the sums, too", rename("protection-key.json", "protection-key.3.json")))
rows("V8", "late_members", *((name, member(name, patch(-1, b"\xff"))) for name in (
    "header.json", "segments/00000001", "index", "manifest", "protection-key.json", "snapshot",
    "snapshot.sig")))
for PLACE in (["x"], ["keys", 0, "x"], ["metadata_envelopes", 0, "x"]):
    rows("V9", "header", ("unknown member %s" % PLACE, into(PLACE[:-1], put("x", 1))))
rows("V9", "header", *(("missing " + name, drop(name)) for name in small().header(1)),
     *(("missing keys." + name, into(["keys", 0], drop(name))) for name in (
         "id", "use", "archive", "content_key", "signer")),
     ("missing wrapped", into(["metadata_envelopes", 0], drop("wrapped"))),
     ("text for a number", put("volume", "3")), ("true", put("volume", True)),
     ("format true", put("format", True)), ("format 0", put("format", 0)),
     ("null", put("keys", None)), ("list", put("signer", [])), ("volume 0", put("volume", 0)),
     ("upper case", put("repository", "C0" * 32)), ("short", put("repository", "c0" * 31)),
     ("archive", put("archive", "a0" * 17)), ("line feed", put("signer", "c7" * 32 + "\n")),
     ("time", put("created", "2026-11-23T18:00:00+00:00")),
     ("no such day", put("created", "2026-02-30T18:00:00Z")),
     ("fraction", put("created", "2026-11-23T18:00:00.1Z")),
     ("use", into(["keys", 0], put("use", "both"))), ("key id", into(["keys", 0], put("id", "0"))),
     ("wrapped", into(["metadata_envelopes", 0], put("wrapped", "00" * 39))),
     ("envelope key", into(["metadata_envelopes", 0], put("key", "00" * 33))),
     ("archive of a key", into(["keys", 0], put("archive", "A0" * 16))),
     ("entry no object", put("keys", [[]])))
rows("V9", "header", ("newer format", put("format", 2)),
     ("newer format with new members", lambda h: h.update(format=2, new=1)), status=14)
rows("V9", "header_bytes", ("BOM", lambda d: b"\xef\xbb\xbf" + d), ("twice", replace(
    b"{", b'{"format": 1, ')), ("more", lambda d: d + b"{}"), ("zero byte", lambda d: d + b"\0"),
     ("float", replace(b'"volume": 3', b'"volume": 3.0')), ("exponent", replace(
         b'"volume": 3', b'"volume": 3e0')), ("negative", replace(b'"volume": 3', b'"volume": -3')),
     ("minus zero", replace(b'"format": 1', b'"format": -0')),
     ("NaN", replace(b'"volume": 3', b'"volume": NaN')), ("huge", replace(
         b'"volume": 3', b'"volume": 18446744073709551616')), ("endless", replace(
             b'"volume": 3', b'"volume": ' + b"9" * 5000)),
     ("Latin-1", replace(b'"use": "data"', b'"use": "d\xe4ta"')), ("array", lambda d: b"[]"),
     ("deep", lambda d: b"[" * 200000), ("half a surrogate", replace(
         b'"use": "data"', b'"use": "\\ud800"')), ("empty", lambda d: b""),
     ("twice inside", replace(b'"use": ', b'"use": "data", "use": ')))
rows("V10", "name", ("number", lambda n: n.replace("-0003", "-0004")),
     ("archive", lambda n: "b" + n[1:]))
rows("V10", "header", ("number", put("volume", 4)), ("number too great", put("volume", 10000)),
     ("archive", put("archive", "b0" * 16)))
row("V10", 3, "number and name too great", where="header.json")(
    lambda a: a.on("header", put("volume", 10000)).on(
        "name", lambda n: n.replace("-0003", "-10000")))
row("V10", 3, "one volume of another repository", volume=2)(
    lambda a: a.on("header", put("repository", "dd" * 32), 2))
rows("V11", "header", ("another trusted signer", put("signer", KEEPER.id.hex())),
     ("a stranger", put("signer", STRANGER.id.hex())))
rows("V12", "header", ("key twice", lambda h: h["keys"].append(h["keys"][0])),
     ("no metadata key", lambda h: h["keys"].pop(1) and None),
     ("two metadata keys", lambda h: h["keys"].append(dict(h["keys"][1], id="b0" * 32))),
     ("metadata key of another content key", into(["keys", 1], put("content_key", "b0" * 32))),
     ("metadata key of another archive", into(["keys", 1], put("archive", "b0" * 16))))
def added(**lies):
    """A hook: a key that was added to the one that is there."""
    key = {"of": "protection-key.json", "recipient": "ab" * 32, "text": "{}"}
    return put("added_keys", [dict(key, **lies)])


for RULE, WHAT, CHANGE in (
        ("V9", "added keys no array", put("added_keys", {})),
        ("V9", "added key no object", put("added_keys", [7])),
        ("V9", "unknown member of an added key", added(note="x")),
        ("V9", "recipient of an added key", added(recipient="AB" * 32)),
        ("V9", "text of an added key", added(text=7)),
        ("V12", "a long added key", added(text="x" * ((256 << 10) + 1))),
        ("V12", "64 keys added to one", lambda h: h.update(added_keys=[
            {"of": "protection-key.json", "recipient": "ab" * 32, "text": "{}"}] * 64)),
        ("V14", "added to a key that is not there", added(of="protection-key.9.json"))):
    rows(RULE, "header", (WHAT, CHANGE))
rows("V13", "members", ("empty segment", member("segments/00000001", lambda d: b"")),
     ("too large segment", member("segments/00000001", lambda d: bytes((8 << 20) + 1))))
rows("V13", "late_members", ("segment added", insert("index", "segments/00000003")),
     ("segment removed", remove("segments/00000002")))


def footer_after(archive):
    """A segment whose header block says more than there is room for."""
    archive.on("block", lambda part: (part[0], block(part[0], 1 << 32) + part[1][512:])
               if part[0] == "segments/00000002" else part)


row("V13", 3, "segment beyond the tail")(footer_after)


def field(name, value):
    def change(fields):
        for pair in fields:
            if pair[0] == name:
                pair[1] = value
    return change


rows("S1", "text", ("kind", replace(b"sealift snapshot 1", b"sealift verified 1")),
     ("no record", replace(b"sealift", b"Sealift")), ("version 0", replace(b"t 1\n", b"t 0\n")),
     ("version 01", replace(b"t 1\n", b"t 01\n")), ("no line feed", lambda t: t[:-1]),
     ("CRLF", lambda t: t.replace(b"\n", b"\r\n")), ("empty line", lambda t: t + b"\n"),
     ("more", lambda t: t + b"more 1\n"), ("tab", replace(b"archive ", b"archive\t")),
     ("two blanks", replace(b"archive ", b"archive  ")), ("cut", lambda t: t[:t.index(b"archive")]),
     ("only the first line", lambda t: t[:19]), ("blank at the end", replace(
         b"json ", b"json  ")), ("UTF-8", lambda t: t[:-1] + b"\xc3\xa4\n"))
rows("S1", "fields", ("sequence 0", field("sequence", "0")), ("sequence 9 digits", field(
    "sequence", "100000000")), ("second without previous", field("sequence", "2")),
     ("first with previous", field("previous", "11" * 32)), ("signer", field("signer", "11")),
     ("time", field("created", "now")), ("volumes", field("volumes", "03")),
     ("order", lambda f: f[:5] + [f[6], f[5]] + f[7:]), ("no manifest", lambda f: f[:7] + f[8:]),
     ("archive", field("archive", "A0" * 16)))
rows("S1", "text", ("newer", replace(b"snapshot 1\n", b"snapshot 2\n")), status=14)
row("S2", 3, "a stranger took it", make=lambda: small(text_signer=STRANGER))(lambda a: None)
rows("S3", "text_signature", ("zeros", lambda s: bytes(64)), ("by the keeper", lambda s:
     KEEPER.key.sign(b"")))
rows("S3", "fields", ("names another signer", field("signer", KEEPER.id.hex())))
rows("S4", "fields", ("repository", field("repository", "dd" * 32)), ("archive", field(
    "archive", "b0" * 16)))
rows("S5", "fields", ("volumes", field("volumes", "4")), ("fewer", field("volumes", "2")))
rows("S6", "fields", ("manifest", field("manifest", "00" * 32)))
rows("S7", "fields", ("sum", field("protection-key", "protection-key.json " + "00" * 32)),
     ("name", lambda f: f[:-1] + [[f[-1][0], f[-1][1].replace("key.json", "key.2.json")]]),
     ("missing", lambda f: f[:-1]), ("twice", lambda f: f + f[-1:]))

for PLACE in (["x"], ["components", 0, "x"], ["protection_keys", 0, "x"], ["verdicts", 0, "x"]):
    rows("M1", "manifest", ("unknown member %s" % PLACE, into(PLACE[:-1], put("x", 1))))
_SAMPLE = small().manifest()
rows("M1", "manifest", *(("missing " + name, drop(name)) for name in _SAMPLE),
     *(("missing %s.%s" % (of, name), into([of, 0], drop(name)))
       for of in ("components", "protection_keys", "verdicts") for name in _SAMPLE[of][0]),
     ("map of numbers", put("versions", {"a": 1})), ("map", put("consistency", [])),
     ("attributes", into(["components", 0], put("attributes", {"a": None}))),
     ("size text", into(["components", 0], put("size", "1"))),
     ("depth true", into(["components", 1], put("depth", True))),
     ("chunk size", put("chunk_size", "65536")), ("components", put("components", {})),
     ("id_key", put("id_key", 1)), ("no text", put("vm_name", None)))
rows("M1", "manifest_plain", ("no JSON", lambda d: b"hello"), ("array", lambda d: b"[]"),
     ("twice", replace(b"{", b'{"format":1,')), ("more", lambda d: d + b","),
     ("float", replace(b'"depth":1', b'"depth":1.0')), ("no UTF-8", replace(b"web", b"w\xffb")),
     ("infinity", replace(b'"depth":1', b'"depth":Infinity')),
     ("negative", replace(b'"depth":1', b'"depth":-1')))
rows("M2", "manifest", ("newer", put("format", 2)), status=14)
rows("M3", "manifest", ("format 0", put("format", 0)), ("uuid", put("vm_uuid", UUID.upper())),
     ("platform", put("platform", "xen")), ("time", put("created", "2026-13-23T18:00:00Z")),
     ("kind", put("kind", "half")), ("read", put("read", "some")),
     ("id_key", put("id_key", "d6" * 31)), ("component kind", into(["components", 0], put(
         "kind", "memory"))), ("slash", into(["components", 0], put("name", "a/b"))),
     ("dot", into(["components", 0], put("name", "."))), ("dots", into(["components", 0], put(
         "name", ".."))), ("empty name", into(["components", 0], put("name", ""))),
     ("line feed", into(["components", 0], put("name", "a\n"))),
     ("umlaut", into(["components", 0], put("name", "\xe4"))),
     ("private disk", into(["components", 1], put("scope", "private"))),
     ("shared config", into(["components", 0], put("scope", "shared"))),
     ("scope", into(["components", 0], put("scope", "mine"))), ("root", into(
         ["components", 0], put("root", "00"))), ("recipient", into(["protection_keys", 0], put(
             "recipient", "x" * 64))), ("state", into(["verdicts", 0], put("state", "good"))),
     ("no verdict", put("verdicts", [])), ("first verdict", into(["verdicts", 0], put(
         "component", "disk vda"))), ("no VM name", put("vm_name", "")))
rows("M4", "manifest", ("no power", put("chunk_size", 65537)), ("small", put("chunk_size", 32768)),
     ("large", put("chunk_size", 8 << 20)), ("zero", put("chunk_size", 0)),
     ("size", into(["components", 1], lambda c: c.update(size=(1 << 50) + 1, depth=5))),
     ("depth", into(["components", 1], put("depth", 2))), ("depth 0", into(
         ["components", 1], put("depth", 0))), ("empty with a root", into(
             ["components", 0], put("size", 0))))
rows("M5", "manifest", ("twice", lambda m: m["components"].append(m["components"][0])))
rows("M6", "manifest", ("components", lambda m: m["components"].extend(
    dict(m["components"][0], name="n%d" % n) for n in range(4096))),
     ("protection keys", lambda m: m["protection_keys"].extend(m["protection_keys"] * 64)),
     ("verdicts", lambda m: m["verdicts"].extend(m["verdicts"] * 8192)),
     ("map", put("versions", {str(n): "" for n in range(1025)})),
     ("VM name", put("vm_name", "n" * 256)), ("bytes, not characters", put("host", "\xe4" * 128)),
     ("cluster", put("cluster", "c" * 256)), ("name", into(["components", 0], put(
         "name", "n" * 256))), ("reason", into(["verdicts", 0], put("reason", "r" * 65537))),
     ("attribute", into(["components", 0], put("attributes", {"a": "r" * 65537}))),
     ("attribute name", into(["components", 0], put("attributes", {"r" * 65537: ""}))))
rows("M8", "manifest", ("none", put("protection_keys", [])), ("other", into(
    ["protection_keys", 0], put("member", "protection-key.2.json"))), ("twice", lambda m:
        m["protection_keys"].append(m["protection_keys"][0])))

rows("E1", "header", *(("missing " + name, into(["envelopes", 0], drop(name))) for name in (
    "key", "recipient", "algorithm", "wrapped")), ("unknown", into(["envelopes", 0], put("x", 1))),
     ("key", into(["envelopes", 0], put("key", "AA" * 32))),
     ("recipient", into(["envelopes", 0], put("recipient", "aa" * 31))),
     ("short", into(["envelopes", 0], put("wrapped", "00" * 255))),
     ("long", into(["envelopes", 0], put("wrapped", "00" * 2049))),
     ("odd", into(["envelopes", 0], put("wrapped", "0" * 769))),
     ("type", into(["envelopes", 0], put("algorithm", 1))), ("no object", put("envelopes", [1])))


def envelopes(*values):
    """Puts other envelopes into all volumes."""
    def damage(archive):
        for number in (1, 2, 3):
            archive.on("header", put("envelopes", list(values)), number)
    return damage


ENVELOPE = envelope(OURS, CONTENT)
row("E1", 3, "not as long as the modulus", where="manifest")(envelopes(
    dict(ENVELOPE, wrapped="00" * 256)))
row("E2", 12, "for another recipient", where="manifest")(envelopes(envelope(OTHER, CONTENT)))
row("E2", 12, "of another key", where="manifest")(envelopes(envelope(OURS, OLD_CONTENT)))
row("E3", 14, "unknown algorithm", where="manifest")(envelopes(dict(ENVELOPE, algorithm="ML-KEM")))
row("E4", 12, "does not open", where="manifest")(envelopes(dict(ENVELOPE, wrapped="01" * 384)))
row("E4", 12, "31 bytes", where="manifest")(envelopes(dict(
    ENVELOPE, wrapped=OURS.public_key().encrypt(bytes(31), oaep(hashes.SHA256)).hex())))
row("E5", 3, "another key, and a good one after it", where="manifest")(envelopes(
    dict(ENVELOPE, wrapped=envelope(OURS, OLD_CONTENT)["wrapped"]), ENVELOPE))
row("K1", 3, "metadata key")(lambda a: a.on("header", into(["keys", 1], put("id", "00" * 32))))
row("K1", 3, "data key")(lambda a: a.on("header", into(["keys", 0], put("id", "00" * 32))))

rows("I1", "index", ("empty", lambda d: b""), ("more", lambda d: d + b"SLF1"),
     ("cut", lambda d: d[:-1]), ("cut header", lambda d: d[:80]))
row("I1", 3, "17 frames", make=lambda: small(volumes=15), volume=1)(
    lambda a: a.on("index", lambda d: d * 17, 1))
rows("I2", "index_plain", ("count", patch(3, b"\x09")), ("reserved", patch(7, b"\1")),
     ("size", lambda d: d + b"\0"), ("none", lambda d: bytes(8)), ("too many", lambda d:
         struct.pack(">II", 65537, 0) + bytes(56 * 65537)), ("entry reserved", patch(47, b"\1")),
     ("nothing", lambda d: b"\0"))


def entry(at, value):
    return lambda entries: entries[0].__setitem__(at, value)


rows("I3", "entries", ("index", entry(2, 3)), ("0", entry(2, 0)))
rows("I4", "entries", ("no key", entry(1, 2)), ("other use", lambda e: e[0].__setitem__(
    1, 1 - e[0][1])))
rows("I5", "entries", ("104", entry(4, 104)), ("too much", lambda e: e[0].__setitem__(
    4, 105 + e[0][5])), ("no size", entry(5, 0)), ("size", entry(5, (4 << 20) + 1)))
rows("I6", "entries", ("header", entry(3, 600)), ("beyond", lambda e: e[-1].__setitem__(
    3, 1 << 40)), ("order", lambda e: e[::-1]), ("twice", lambda e: e[:1] + e))
rows("F11", "index", ("tag", patch(-1, b"\xff")), ("ciphertext", patch(100, b"\xff")))
rows("F1", "index", ("magic", patch(0, b"X")))
rows("F2", "index", ("kind", patch(4, b"\2")))
rows("F3", "index", ("codec", patch(5, b"\2")))
rows("F5", "index", ("plain size", patch(8, b"\1")))
rows("F6", "index", ("stored size", patch(12, b"\1")))
rows("F10", "index", ("key", patch(24, bytes(32))))
rows("F13", "index", ("id", lambda d: seal(
    INDEX, bytes(8), ID_KEY, hkdf(CONTENT, ARCHIVE, "sealift 1 metadata key"), 99, claim=HOLE)))
for RULE, FUNCTION in (("F1", patch(0, b"X")), ("F2", patch(4, b"\2")), ("F3", patch(5, b"\2")),
                       ("F4", patch(7, b"\1")), ("F7", lambda d: d + b"\0"),
                       ("F10", patch(24, bytes(32))), ("F11", patch(-1, b"\xff"))):
    rows(RULE, "manifest_frame", ("manifest", FUNCTION))
rows("F13", "manifest_plain", ("another id key", lambda d: d.replace(
    ID_KEY.hex().encode(), b"11" * 32)))


def frame_row(rule, title, function, kind=DATA, nth=1, **options):
    """Changes one frame. Data frame 1 is the first chunk of the disk (in volume 1)."""
    def damage(archive):
        frame = archive.find(kind, nth)
        frame.data = function(archive, frame)
    row(rule, 3, "frame: " + title, volume=options.pop("volume", 1), **options)(damage)


def raw(function):
    return lambda archive, frame: function(frame.data)


def again(**lies):
    """Seals the frame again with these lies."""
    return lambda a, f: a.seal(f.kind, f.plain, ID_KEY, **{k: v(f) if callable(v) else v
                                                          for k, v in lies.items()})


def longer(archive, frame):
    """More ciphertext than plaintext; the index must not say so (I5)."""
    frame.size += 1
    return again(codec=1, packed=lambda f: f.plain + b"x", plain_size=C)(archive, frame)


frame_row("F1", "magic", raw(patch(0, b"X")))
frame_row("F2", "kind", raw(patch(4, b"\2")))
frame_row("F2", "kind 5", raw(patch(4, b"\5")))
frame_row("F3", "codec", again(codec=2, packed=lambda f: f.plain))
frame_row("F4", "reserved", again(reserved=1))
frame_row("F5", "plain size 0", again(plain_size=0))
frame_row("F5", "plain size", again(plain_size=(4 << 20) + 1))
frame_row("F6", "codec 0, another size", again(plain_size=C + 1))
frame_row("F6", "stored size 0", again(stored_size=0))
frame_row("F6", "greater than plain", longer)
frame_row("F7", "stored size", again(codec=1, packed=lambda f: b"x" * 50, stored_size=100))
frame_row("F8", "chunk id", again(claim=b"\1" * 32))
frame_row("F10", "key id of the metadata key", again(
    key_id=key_id(hkdf(CONTENT, ARCHIVE, "sealift 1 metadata key"))))
frame_row("F10", "sealed under another key", again(key=OLD_CONTENT))
frame_row("F10", "page sealed under the data key", lambda a, f: a.seal(
    PAGE, f.plain, ID_KEY, key=a.data_key), kind=PAGE, nth=0, volume=3)
frame_row("F11", "tag", raw(patch(-1, b"\xff")))
frame_row("F11", "counter", raw(patch(23, b"\xff")))
frame_row("F11", "ciphertext", raw(patch(1000, b"\xff\0")))
SKIP = b"\x50\x2a\x4d\x18\x04\0\0\0skip"
HALF = b"h" * C                     # compresses, so that there is room for lies
for TITLE, PACKED in (
        ("no zstd", b"hello"), ("cut", zstd(HALF)[:-1]), ("trailing byte", zstd(HALF) + b"\0"),
        ("second frame", zstd(HALF) + zstd(HALF)), ("skippable frame after", zstd(HALF) + SKIP),
        ("empty frame after", zstd(HALF) + zstd(b"")), ("skippable frame before",
                                                       SKIP + zstd(HALF)),
        ("skippable frame only", b"\x50\x2a\x4d\x18" + struct.pack("<I", C) + HALF[:64]),
        ("no content size", zstd(HALF, write_content_size=False)),
        ("other content size", zstd(HALF[:-1])), ("twice the size", zstd(HALF + HALF)),
        ("window", b"\x28\xb5\x2f\xfd\x80\x70" + struct.pack("<I", C) + b"\x03\0\x08h"),
        ("dictionary", b"\x28\xb5\x2f\xfd\x61\x2a\x00\xff" + zstd(HALF)[7:]),
        ("declares more than it holds", zstd(HALF).replace(
            struct.pack("<H", C - 256), struct.pack("<H", C - 257), 1))):
    def half(archive, frame, packed=PACKED):
        return archive.seal(DATA, HALF, ID_KEY, codec=1, packed=packed)
    frame_row("F12", TITLE, half, make=lambda: small_with(HALF))
frame_row("F13", "another plaintext", lambda a, f: a.seal(DATA, NOISE[7], ID_KEY, claim=f.id))


def small_with(chunk):
    """Like `small`, but this is the first chunk of the disk."""
    archive = Archive(volumes=3)
    archive.add_bytes("config", "domain.xml", XML)
    archive.add("disk", "vda", 3 * C + 19, {0: chunk, 1: NOISE[1], 3: b"z" * 19})
    archive.add_bytes("guest-state", "tpm2-00.permall", swtpm(SECRET))
    return archive.add_key(key_json(OURS, SECRET))


row("F9", 3, "short chunk", make=lambda: small_with(b"short"), volume=1)(lambda a: None)
row("F9", 3, "long chunk", make=lambda: small_with(NOISE[0] + b"x"), volume=1)(lambda a: None)


def paged(page):
    """An archive of two levels whose pages the function changes."""
    return lambda: Archive(volumes=1).add("disk", "vda", 300 * C, {
        0: NOISE[0], 270: NOISE[1]}, page=page)


def on_page(level, number, function):
    return paged(lambda lv, no, data: function(data) if (lv, no) == (level, number) else data)


row("P1", 3, "too short", on_page(1, 1, lambda d: d[:-32]), 1)(lambda a: None)
row("P1", 3, "too long", on_page(1, 1, lambda d: d + b"\1" * 32), 1)(lambda a: None)
row("P1", 3, "half an id", on_page(1, 0, lambda d: d[:-1]), 1)(lambda a: None)
row("P1", 3, "root too long", on_page(2, 0, lambda d: d + b"\1" * 32), 1)(lambda a: None)
row("P2", 3, "level", on_page(1, 1, lambda d: b"\2" + d[1:]), 1)(lambda a: None)
row("P2", 3, "level of the root", on_page(2, 0, lambda d: b"\1" + d[1:]), 1)(lambda a: None)
row("P3", 3, "only holes", on_page(1, 1, lambda d: d[:1] + bytes(len(d) - 1)), 1)(lambda a: None)

for RULE, STATUS, STATE in (
        ("W2", 14, swtpm(SECRET, min_version=3)), ("W3", 3, swtpm(SECRET, total_size=9999)),
        ("W4", 14, swtpm(SECRET, flags=0x29)), ("W5", 3, swtpm(SECRET, flags=0x0b)),
        ("W6", 3, swtpm(SECRET, more=b"\0\7\0\0\0\1")), ("W6", 3, swtpm(SECRET, more=b"\0")),
        ("W7", 3, swtpm(SECRET, more=b"\0\3\0\0\0\0")),
        ("W8", 3, swtpm(SECRET, parts=[(3, bytes(32))])), ("W8", 3, swtpm(SECRET, parts=[
            (2, b""), (3, bytes(32))])), ("W9", 3, swtpm(SECRET, parts=[(2, b"x" * 17), (
                3, bytes(32))])), ("W10", 3, swtpm(SECRET, parts=[(2, bytes(16))])),
        ("W10", 3, swtpm(SECRET, parts=[(2, bytes(16)), (3, bytes(31))])),
        ("W11", 3, swtpm(SECRET, vector=b"v" * 15)),
        ("W12", 12, swtpm(SECRET[:-1])), ("W12", 12, swtpm(SECRET).replace(b"v" * 32, b"w" * 32)),
        ("W12", 12, swtpm(SECRET, flags=1))):
    row(RULE, STATUS, "vTPM state", make=lambda state=STATE: small(state=state),
        where="guest-state tpm2-00.permall")(lambda a: None)


def json_lie(*steps, value=None):
    """A key JSON with another value, or without it."""
    top = json.loads(key_json(OURS, SECRET))
    target = top
    for step in steps[:-1]:
        target = target[step]
    if value is None:
        del target[steps[-1]]
    else:
        target[steps[-1]] = value
    return json.dumps(top).encode()


INFO = "private-key-wrapping-info"
for RULE, STATUS, KEY in (
        ("J1", 3, b"no json"), ("J1", 3, key_json(OURS, SECRET) + b"x"),
        ("J1", 3, b"\xff\xfe{"), ("J1", 3, b"\xff\xfe\0\xd8"), ("J1", 3, b"\xff"),
        ("J1", 3, key_json(OURS, SECRET).replace(b"{", b'{"public-key":"",', 1)),
        ("J1", 3, key_json(OURS, SECRET).replace(b"{", b'{"x":1.5,', 1)),
        ("J2", 3, b"[]"), ("J2", 3, b'{"enc":"RSA_AES_KEY_WRAP_256"}'),
        ("J2", 3, json_lie(INFO, value="x")), ("J2", 3, json_lie(INFO, "enc")),
        ("J2", 3, json_lie(INFO, "enc", value=1)), ("J3", 5, json_lie(
            INFO, "enc", value="NO_KEY_WRAP")), ("J4", 14, json_lie(INFO, "enc", value="X\x1b[2J")),
        ("J5", 3, json_lie("public-key")), ("J5", 3, json_lie("private-key")),
        ("J5", 3, json_lie(INFO, "public-key")), ("J5", 3, json_lie(INFO, "key-name")),
        ("J5", 3, json_lie(INFO, "key-name", value=1)), ("J5", 3, json_lie("private-key",
                                                                         value="ab+/")),
        ("J5", 3, json_lie("private-key", value="\xe4===")),
        ("J5", 3, json_lie("private-key", value="abc")), ("J5", 3, json_lie("public-key",
                                                                           value="ab==cd==")),
        ("J5", 3, json_lie("private-key", value="aa1=")), ("J5", 3, json_lie("private-key",
                                                                            value="a b=")),
        ("J6", 3, json_lie("private-key", value="")), ("J7", 12, key_json(OTHER, SECRET)),
        ("J7", 12, json_lie("private-key", value="AAAA")),
        ("J7", 12, json_lie("private-key", value=base64.urlsafe_b64encode(
            OURS.public_key().encrypt(bytes(32), oaep(hashes.SHA256)) + bytes(40)).decode())),
        ("J7", 12, json_lie("private-key", value=base64.urlsafe_b64encode(
            OURS.public_key().encrypt(bytes(16), oaep(hashes.SHA256))
            + keywrap.aes_key_wrap_with_padding(bytes(16), SECRET)).decode()))):
    row(RULE, STATUS, "key JSON", make=lambda key=KEY: small(key=key),
        where="protection-key.json")(lambda a: None)


class Rules(Case):
    def test_rules(self):
        """One row for a way to break one rule; every row refuses with the rule's number."""
        for n, (rule, status, title, make, damage, volume, options) in enumerate(RULES):
            with self.subTest("%s %s" % (rule, title)):
                shutil.rmtree(self.out, True)      # of a row that failed
                archive = make()
                damage(archive)
                folder = self.folder("row%d" % n)
                err = self.bad(archive.write(folder), status, "  where: rule %s, volume " % rule)
                if options.get("where"):
                    self.assertIn("member " + options["where"] + "\n", err)
                if rule not in ("V10", "E2", "E3", "E4", "E5"):
                    self.assertIn("volume " + archive.name(volume), err)
                self.assertNotIn("\x1b", err)
                shutil.rmtree(folder)

    def test_every_rule_has_a_row(self):
        """All rules of the pages but those that the reader's docstring excuses. V12's first half,
        P4, which names no volume, and W1, which says that there is nothing to prove, have tests of
        their own."""
        wanted = {"V": 13, "S": 7, "M": 8, "I": 6, "F": 13, "P": 4, "E": 5, "W": 12, "J": 7,
                  "K": 1}
        have = {r[0] for r in RULES}
        missing = {k + str(n) for k, last in wanted.items() for n in range(1, last + 1)} - have
        self.assertEqual(missing, {"M7", "P4", "W1"})

    def test_header_limits(self):
        """V12: the limits themselves, at the function that applies them."""
        metadata = {"id": b"m", "use": "metadata", "archive": b"a", "content_key": b"c"}
        keys = [{"id": n, "use": "data", "archive": b"a"} for n in range(2048)]
        for header in ({"keys": [metadata] + keys, "envelopes": []},
                       {"keys": [metadata], "envelopes": [None] * 4097}):
            header.update(archive=b"a", content_key=b"c", added_keys=[])
            with self.assertRaises(er.Refusal) as caught:
                er.check_header_limits(header)
            self.assertEqual(caught.exception.rule, "V12")
        er.check_header_limits({"keys": [metadata] + keys[1:], "envelopes": [], "archive": b"a",
                                "content_key": b"c", "added_keys": []})

    def test_key_json_limit(self):
        """J1: members have at most 256 KiB (V4), so the function is called."""
        text = b" " * ((1 << 20) - 10) + b'{"more":1}'
        self.assertEqual(len(er.key_json_text(text)), 1 << 20)
        self.assertRaises(ValueError, er.key_json_text, text + b" ")

    def test_nothing_is_decompressed_that_declares_too_much(self):
        """F12, frame.md section 4: a buffer of plain_size bytes and nowhere else."""
        packed = zstd(bytes(64 << 20))
        original, er.zstandard.ZstdDecompressor = er.zstandard.ZstdDecompressor, None
        try:
            with self.assertRaises(er.Refusal) as caught:
                er.decompress(packed, C)
        finally:
            er.zstandard.ZstdDecompressor = original
        self.assertEqual(caught.exception.rule, "F12")

    def test_first_broken_rule_decides(self):
        """README.md: rules are applied in the order of their numbers."""
        for first, damages in (
                ("V3", [("footer", put("format", 2)), ("signature", lambda s: bytes(64))]),
                ("V2", [("footer", put("format", 2)), ("raw", patch(-1025, b"\xff"))]),
                ("V5", [("signature", lambda s: bytes(64)), ("sums", lambda s: s[:-1])]),
                ("V6", [("raw", patch(-1, b"\1")), ("sums", lambda s: s[:-1])]),
                ("V7", [("sums", lambda s: s.upper()), ("header", put("format", 2))]),
                ("V10", [("name", lambda n: n.replace("-0003", "-0004")), ("header", put("signer", "00" * 32))]),
                ("S2", [("fields", field("signer", "00" * 32)), ("text_signature",
                                                                 lambda s: bytes(64))]),
                ("S1", [("text", replace(b"archive ", b"archive  ")), ("text_signature",
                                                                       lambda s: bytes(64))])):
            with self.subTest(first):
                archive = small()
                for stage, function in damages:
                    archive.on(stage, function)
                self.bad(archive.write(self.folder(first)), 14 if first == "V3" else 3,
                         "rule %s, " % first)


# ---- Files that are missing, cut, doubled, foreign ---------------------------------------------

class Files(Case):
    def test_every_byte_of_the_worked_example(self):
        """Every byte is covered by something: a flipped one is always corrupt (the footer's digest
        sees to it that none of them becomes *unsupported*)."""
        path = self.dir / (ARCHIVE.hex() + "-0001.tar")
        data = VOLUME.read_bytes()
        path.write_bytes(data)
        signers = er.load_signers(self.signers)
        rules = {}
        with path.open("r+b", buffering=0) as file, contextlib.redirect_stderr(io.StringIO()):
            for at in range(len(data)):
                os.pwrite(file.fileno(), bytes([data[at] ^ (1 << at % 8)]), at)
                volume = er.Volume(str(path))
                try:
                    volume.open(signers)
                    volume.check_every_byte()
                    self.fail("byte %d" % at)
                except er.Refusal as refusal:
                    self.assertEqual(refusal.status, 3, at)
                    rules[refusal.rule] = rules.get(refusal.rule, 0) + 1
                finally:
                    volume.close()
                os.pwrite(file.fileno(), data[at:at + 1], at)
        # Footer: 512; sums and signature: 549 + 64; contents, the segment's, too; the rest is tar.
        self.assertEqual(rules, {"V2": 512, "V5": 549 + 64, "V8": 2097 + 852 + 336 + 1133 + 30
                                 + 506 + 64, "V6": len(data) - 512 - 613 - 5018})

    def test_truncation(self):
        """At each boundary of the worked example."""
        data = VOLUME.read_bytes()
        path = self.dir / (ARCHIVE.hex() + "-0001.tar")
        for size in range(0, len(data), 512):
            path.write_bytes(data[:size])
            self.bad([path], 3, "rule V1, volume " if size < 4096 else "rule V2, volume ")
        path.write_bytes(data + bytes(512))
        self.bad([path], 3, "rule V2, ")

    def test_missing_volume(self):
        files = small().write(self.folder("a"))
        for gone, texts in ((0, ["is missing: " + files[0].name]),
                            (1, ["is missing: " + files[1].name]),
                            (2, ["the last volume is missing of archive " + ARCHIVE.hex()])):
            self.bad(files[:gone] + files[gone + 1:], 3, *texts)
        self.bad(files[:2], 3, "the last volume is missing", more=["--snapshot", "a0"])

    def test_any_name_but_a_volumes(self):
        """portable.md: a file that is not named like a volume of a repository may have any name."""
        for number, change in enumerate((str.upper, lambda n: n + ".old", lambda n: "usb 1.tar",
                                         lambda n: n.replace("-0003", "-3"))):
            files = small().write(self.folder("names-%d" % number))
            files[2] = files[2].rename(files[2].with_name(change(files[2].name)))
            self.good(files)
            shutil.rmtree(self.out)

    def test_volumes_that_hold_nothing_needed(self):
        """portable.md: all frames may lie in the last volume, whatever its number is."""
        files = small(volumes=3, frames_in_last=True).write(self.folder("a"))
        self.good(files[2:])

    def test_missing_chunk_names_component(self):
        for name, kind, nth in (("a", DATA, 2), ("b", PAGE, 0)):
            archive = small()
            archive.frames.remove(archive.find(kind, nth))
            err = self.bad(archive.write(self.folder(name)), 3, "error: a chunk of disk vda (")
            self.assertNotIn("writing", err)

    def test_given_twice(self):
        files = small().write(self.folder("a"))
        self.bad(files + files[1:2], 3, "given twice", files[1].name)
        copied = self.folder("b") / files[0].name
        shutil.copy(files[0], copied)
        self.bad(files + [copied], 3, "given twice", str(copied))

    def test_swapped_names(self):
        files = small().write(self.folder("a"))
        files[0].rename(self.dir / "x")
        files[1].rename(files[0])
        (self.dir / "x").rename(files[1])
        self.bad(files, 3, "rule V10, volume " + files[0].name)

    def test_foreign_volumes(self):
        """Of another repository; and a volume of another archive under this one's name."""
        files = small().write(self.folder("a"))
        foreign = Archive(OLD_ARCHIVE, OLD_CONTENT, repository=b"\xdd" * 32, volumes=1).write(
            self.folder("b"))
        self.bad(files + foreign, 3, "rule V10, volume " + foreign[0].name, "another repository")
        other = small(archive=OLD_ARCHIVE, content=OLD_CONTENT).write(self.folder("c"))
        shutil.copy(other[1], files[1])
        self.bad(files, 3, "rule V10, volume %s, member header.json" % files[1].name)

    def test_volume_behind_the_last(self):
        """A second last volume, or any behind the last: S5 says which one is the last."""
        files = small().write(self.folder("a"))
        more = small(volumes=4).write(self.folder("b"))
        for snapshot in ((), ("--snapshot", "a0")):
            self.bad(files + more[3:], 3, "rule S5, ", more=snapshot)

    def test_names_that_collide(self):
        archive = Archive(volumes=1).add_bytes("disk", "vda", NOISE[0])
        archive.add_bytes("config", "vda.raw", b"x")
        self.bad(archive.write(self.folder("a")), 3, "two files would have the name vda.raw")
        archive = Archive(volumes=1).add_bytes("config", "protection-key.json", b"x")
        archive.add_key(key_json(OURS, SECRET))
        self.bad(archive.write(self.folder("b")), 3, "the name protection-key.json")

    def test_keys_of_its_archive_in_all_volumes(self):
        """An unsigned or unknown signer in only one of the volumes refuses all."""
        archive = small()
        archive.on("signature", lambda s: bytes(64), 2)
        self.bad(archive.write(self.folder("a")), 3, "rule V5, volume %s, member SHA256SUMS.sig"
                 % archive.name(2))
        self.bad(small().write(self.folder("b")), 3, "rule V5, ", signers=self.signers[1:])

    def test_wrong_identity(self):
        err = self.bad(small().write(self.folder("a")), 12, "rule E2", recipient(OURS).hex(),
                       recipient(OTHER).hex(), identity=OTHER_KEY)
        self.assertIn("member manifest", err)

    def test_control_characters(self):
        archive = small()
        archive.on("header", put("evil\x1b[31m\n\u202e", 1))
        err = self.bad(archive.write(self.folder("a")), 3, "evil\\x1b[31m\\n\\u202e")
        self.assertNotIn("\x1b", err)


# ---- Command line, output folder, cleaning up --------------------------------------------------

class CommandLine(Case):
    def setUp(self):
        super().setUp()
        self.files = small(volumes=1).write(self.folder("a"))

    def test_usage(self):
        for arguments in ([], ["--identity", "x"], self.arguments(self.files)[:-1],
                          self.arguments(self.files, "--unknown"),
                          self.arguments(self.files, signers=[]),
                          self.arguments(self.files, signers=[RECOVERY_KEY]),
                          self.arguments(self.files, signers=[VOLUME])):
            status, out, err = self.run_reader(arguments)
            self.assertEqual((status, out), (2, ""), err)
            self.assertRegex(err, r"\Aerror: .*\n  next:  ")

    def test_not_found(self):
        gone = self.dir / "gone"
        for arguments in (self.arguments([gone]), self.arguments(self.files, identity=gone),
                          self.arguments(self.files, signers=[gone])):
            status, _, err = self.run_reader(arguments)
            self.assertEqual(status, 10, err)
            self.assertIn(str(gone), err)

    def test_identity_of_another_kind(self):
        path = self.dir / "k.pem"
        for key in (ec.generate_private_key(ec.SECP256R1()), HOST.key):
            path.write_bytes(key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))
            self.bad(self.files, 12, "is no RSA key", identity=path)
        path.write_bytes(b"no PEM")
        self.bad(self.files, 12, "cannot be read", identity=path)

    def test_folder_not_empty(self):
        self.out.mkdir(mode=0o755)
        (self.out / "mine").write_bytes(b"mine")
        status, _, err = self.restore(self.files)
        self.assertEqual(status, 5, err)
        self.assertEqual(os.listdir(self.out), ["mine"])
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o755)
        self.out = self.out / "mine"
        self.assertEqual(self.restore(self.files)[0], 5)
        self.assertEqual(self.out.read_bytes(), b"mine")

    def test_system_refuses(self):
        self.out = self.dir / "no" / "parent"
        self.bad(self.files, 15, "cannot create")
        self.out = self.dir / "out"
        self.bad(self.files, 15, "cannot create", more=["--reveal-protection-key", "/no/such/key"])

    def test_out_that_cannot_be(self):
        self.out = self.dir / ("x" * 300)
        self.assertEqual(self.restore(self.files)[0], 15)
        self.out = self.dir / "link"
        self.out.symlink_to(self.dir / "nowhere")
        self.assertEqual(self.restore(self.files)[0], 5)

    def test_reveal(self):
        secret = self.dir / "secret"
        secret.write_bytes(b"old")
        self.bad(self.files, 5, "exists", more=["--reveal-protection-key", secret])
        self.assertEqual(secret.read_bytes(), b"old")
        self.assertNotIn("checking", self.restore(
            self.files, "--reveal-protection-key", secret)[2], "it can be said at once")
        inside = self.out / "secret"
        out, err = self.good(self.files, {"secret": SECRET}, "--reveal-protection-key", inside)
        self.assertNotIn("the secret", out + err)

    def test_reveal_without_a_key_for_us(self):
        archive = Archive(volumes=1).add_bytes("config", "x", XML)
        archive.add_key(key_json(OTHER, SECRET), OTHER)
        files = archive.write(self.folder("b"))
        self.bad(files, 12, "no protection key is wrapped to this recovery key", recipient(
            OTHER).hex(), more=["--reveal-protection-key", self.dir / "secret"])
        self.good(files, {"x": XML})

    def test_reveal_name_that_is_a_component(self):
        """O_EXCL: nothing is overwritten, and all is removed again."""
        self.bad(self.files, 5, "exists", more=["--reveal-protection-key", self.out / "vda.raw"])

    def test_second_protection_key_for_us(self):
        archive = small(key=key_json(OURS, b"an older one"))
        archive.add_key(key_json(OURS, SECRET))
        secret = self.dir / "secret"
        self.good(archive.write(self.folder("b")), SMALL, "--reveal-protection-key", secret)
        self.assertEqual(secret.read_bytes(), SECRET)

    def damaged_late(self):
        """The last data frame of the disk is bad: found while writing."""
        archive = small(volumes=1)
        frame = [f for f in archive.frames if f.plain == b"z" * 19][0]
        frame.data = frame.data[:-1] + bytes([frame.data[-1] ^ 1])
        return archive.write(self.folder("late"))

    def test_everything_is_removed(self):
        secret = self.dir / "secret"
        err = self.bad(self.damaged_late(), 3, "rule F11", more=["--reveal-protection-key", secret])
        self.assertIn("writing vda.raw", err)
        self.assertFalse(secret.exists())
        self.out.mkdir(mode=0o755)
        self.assertEqual(self.restore(self.damaged_late())[0], 3)
        self.assertEqual(os.listdir(self.out), [])
        self.assertEqual(stat.S_IMODE(self.out.stat().st_mode), 0o755)

    def test_defect_says_no_secret(self):
        def broken(*_):
            raise RuntimeError("secret " + SECRET.decode())
        original, er.find_protection_key = er.find_protection_key, broken
        try:
            err = self.bad(self.files, 1, "error: defect of the program: RuntimeError")
        finally:
            er.find_protection_key = original
        self.assertNotIn("secret", err)

    def test_signal_removes_everything(self):
        original = er.Output.sync
        er.Output.sync = lambda output: os.kill(os.getpid(), er.signal.SIGTERM)
        try:
            self.bad(self.files, 143, "stopped by a signal")
        finally:
            er.Output.sync = original

    def test_standard_output_is_full(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([READER, *self.arguments(self.files)], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 15, done.stderr)
        self.assertIn("everything was restored", done.stderr)

    def test_volume_that_is_no_file(self):
        self.bad([self.folder("d")], 3, "rule V1, ")
        fifo = self.dir / "fifo"
        os.mkfifo(fifo)
        self.bad([fifo], 3, "rule V1, ")

    def test_file_that_changes_after_it_was_checked(self):
        """Cut, or overwritten in a member that is parsed again: what is parsed is hashed again."""
        for rule, change in (("V1", lambda file, volume: file.truncate(1024)),
                             ("V8", lambda file, volume: (file.seek(
                                 volume.members["manifest"].at + 512 + 100), file.write(b"!!")))):
            original = er.check_volumes_agree

            def then(volumes, change=change, original=original):
                original(volumes)
                with self.files[0].open("r+b") as file:
                    change(file, volumes[0])
            er.check_volumes_agree = then
            try:
                self.bad(self.files, 3, "rule %s, volume " % rule)
            finally:
                er.check_volumes_agree = original
            small(volumes=1).write(self.dir / "a")

    def test_core_dumps_are_off(self):
        self.good(self.files)
        self.assertEqual(er.resource.getrlimit(er.resource.RLIMIT_CORE), (0, 0))


if __name__ == "__main__":
    unittest.main()
