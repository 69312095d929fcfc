#!/usr/bin/python3
"""Format 1 a second time, from docs/format/ and not from the C++: makes the worked examples of the pages and a
whole small volume.

    format1.py write     writes the examples into the pages and volume/
    format1.py check     computes them anew and compares
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

import zstandard
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = pathlib.Path(__file__).resolve().parent
PAGES = HERE.parent.parent / "docs" / "format"
sys.path.insert(0, str(HERE / "keyvault"))
from rsa_by_hand import kwp, oaep_encrypt  # noqa: E402

DATA, PAGE, INDEX, MANIFEST = 1, 2, 3, 4
CREATED = "2026-11-23T18:00:00Z"


def counting(first, size=32):
    return bytes(range(first, first + size))


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt or None, info.encode()).derive(key)


def key_id(key):
    return hkdf(key, b"", "sealift 1 key id")


def sha256(data):
    return hashlib.sha256(data).digest()


def chunk_id(id_key, kind, plain):
    return hmac.new(id_key, bytes([kind]) + plain, hashlib.sha256).digest()


def frame(kind, key, id_key, counter, plain, compress=False):
    """frame.md, sections 2 and 3."""
    packed = zstandard.ZstdCompressor(level=1).compress(plain) if compress else plain
    header = struct.pack(">4sBBHIIQ", b"SLF1", kind, 1 if compress else 0, 0, len(plain), len(packed), counter)
    header += key_id(key) + chunk_id(id_key, kind, plain)
    assert len(header) == 88
    return header + AESGCM(key).encrypt(b"\0" * 4 + struct.pack(">Q", counter), packed, header)


def page(level, ids):
    """page.md, section 2."""
    return bytes([level]) + b"".join(ids)


def index(entries):
    """index.md, section 2: (chunk id, key, kind, offset, stored size, plain size)."""
    rows = b"".join(struct.pack(">32sIB3xQII", *entry) for entry in entries)
    return struct.pack(">II", len(entries), 0) + rows


def tar_header(name, size):
    """volume.md, section 2."""
    block = name.encode().ljust(100, b"\0") + b"000644 \0" + b"000000 \0" * 2
    block += b"%011o " % size + b"00000000000 " + b" " * 8 + b"0" + b"\0" * 100
    block += b"ustar\0" + b"00" + b"\0" * 64 + b"000000 \0" * 2 + b"\0" * 167
    assert len(block) == 512
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def member(name, content):
    return tar_header(name, len(content)) + content + b"\0" * (-len(content) % 512)


def compact(value):
    return (json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def recovery_key():
    return serialization.load_pem_private_key((HERE / "keyvault" / "recovery-key.pem").read_bytes(), None)


def envelope(key):
    public = recovery_key().public_key()
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "key": key_id(key).hex(),
        "recipient": sha256(spki).hex(),
        "algorithm": "RSA-OAEP-256",
        "wrapped": oaep_encrypt(public.public_numbers(), key, "sha256", b"\x5a" * 32).hex(),
    }


def frame_example():
    return frame(DATA, counting(0x00), counting(0x20), 7, b"\x41" * 300)


def page_example():
    ids = [b"\0" * 32] * 16
    ids[1], ids[15] = b"\xc1" * 32, b"\xcf" * 32
    return page(1, ids)


def index_example():
    return index([(b"\x1d" * 32, 1, PAGE, 3584, 164, 65)])


def envelope_example():
    return compact(envelope(counting(0x00)))


class Archive:
    """The volume of volume.md, section 6."""

    def __init__(self):
        self.content_key, self.archive = counting(0x00), counting(0xA0, 16)
        self.repository_key, self.repository = counting(0x20), counting(0xC0)
        self.data = hkdf(self.content_key, self.archive, "sealift 1 data key")
        self.metadata = hkdf(self.content_key, self.archive, "sealift 1 metadata key")
        self.private = hkdf(self.content_key, self.archive, "sealift 1 private id key")
        self.ids = hkdf(self.repository_key, self.repository, "sealift 1 id key")
        self.wrapping = hkdf(self.repository_key, self.repository, "sealift 1 metadata wrapping key")
        self.signing = ed25519.Ed25519PrivateKey.from_private_bytes(counting(0x60))
        spki = self.signing.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.signer = sha256(spki)
        self.domain = b"\x41" * 300
        self.disk = [b"\x42" * 65536, b"", b"the end of the disk"]

    def header(self):
        key = {"archive": self.archive.hex(), "content_key": key_id(self.content_key).hex(), "signer": self.signer.hex()}
        return compact(
            {
                "format": 1,
                "repository": self.repository.hex(),
                "archive": self.archive.hex(),
                "volume": 1,
                "created": CREATED,
                "signer": self.signer.hex(),
                "content_key": key_id(self.content_key).hex(),
                "envelopes": [envelope(self.content_key)],
                "keys": [
                    {"id": key_id(self.data).hex(), "use": "data", **key},
                    {"id": key_id(self.metadata).hex(), "use": "metadata", **key},
                ],
                "metadata_envelopes": [
                    {"key": key_id(self.metadata).hex(), "wrapped": kwp(self.wrapping, self.metadata).hex()}
                ],
            }
        )

    def manifest(self, root):
        def component(kind, name, scope, size, depth, root, stored):
            return {
                "kind": kind, "name": name, "scope": scope, "size": size, "depth": depth, "root": root.hex(),
                "stored_bytes": stored, "attributes": {},
            }  # fmt: skip

        domain = chunk_id(self.private, DATA, self.domain)
        return compact(
            {
                "format": 1,
                "vm_name": "web 01",
                "vm_uuid": "6f0c1d3e-0000-4000-8000-0123456789ab",
                "platform": "libvirt",
                "cluster": "a",
                "host": "host-1",
                "created": CREATED,
                "kind": "full",
                "read": "all",
                "source_bytes": 300 + 2 * 65536 + 19,
                "changed_bytes": 300 + 65536 + 19,
                "stored_bytes": sum(len(one) for one in self.frames),
                "chunk_size": 65536,
                "id_key": self.ids.hex(),
                "components": [
                    component("config", "domain.xml", "private", 300, 0, domain, len(self.frames[0])),
                    component("disk", "vda", "shared", 2 * 65536 + 19, 1, root, sum(map(len, self.frames[1:]))),
                ],
                "protection_keys": [
                    {
                        "member": "protection-key.json", "recipient": envelope(self.content_key)["recipient"],
                        "key_name": "", "usage": "", "encoding": "RSA_AES_KEY_WRAP_256",
                    }
                ],
                "verdicts": [{"component": "", "state": "complete", "reason": ""}],
                "consistency": {"method": "pause"},
                "versions": {},
            }
        )  # fmt: skip

    def snapshot(self, manifest, protection_key):
        return (
            f"sealift snapshot 1\nrepository {self.repository.hex()}\nsigner {self.signer.hex()}\nsequence 1\n"
            f"previous {'00' * 32}\ncreated {CREATED}\narchive {self.archive.hex()}\nvolumes 1\n"
            f"manifest {sha256(manifest).hex()}\n"
            f"protection-key protection-key.json {sha256(protection_key).hex()}\n"
        ).encode()

    def volume(self):
        ids = [chunk_id(self.ids, DATA, part) if part else b"\0" * 32 for part in self.disk]
        tree = page(1, ids)
        self.frames = [
            frame(DATA, self.data, self.private, 0, self.domain),
            frame(DATA, self.data, self.ids, 1, self.disk[0], compress=True),
            frame(DATA, self.data, self.ids, 2, self.disk[2]),
            frame(PAGE, self.metadata, self.ids, 3, tree),
        ]
        header = self.header()
        at = len(member("header.json", header)) + 512
        entries = []
        for one in self.frames:
            kind, plain = one[4], struct.unpack_from(">I", one, 8)[0]
            entries.append((one[56:88], 0 if kind == DATA else 1, kind, at, len(one), plain))
            at += len(one)
        protection_key = b'{"enc":"RSA_AES_KEY_WRAP_256"}'
        manifest = frame(MANIFEST, self.metadata, self.ids, 5, self.manifest(chunk_id(self.ids, PAGE, tree)))
        self.text = self.snapshot(manifest, protection_key)
        body = [("header.json", header), ("segments/00000001", b"".join(self.frames))]
        tail = [
            ("index", frame(INDEX, self.metadata, self.ids, 4, index(entries))),
            ("manifest", manifest),
            ("protection-key.json", protection_key),
            ("snapshot", self.text),
            ("snapshot.sig", self.signing.sign(self.text)),
        ]
        self.sums = "".join(f"{sha256(content).hex()}  {name}\n" for name, content in body + tail).encode()
        signed = [("SHA256SUMS", self.sums), ("SHA256SUMS.sig", self.signing.sign(self.sums))]
        front = b"".join(member(*one) for one in body)
        end = b"".join(member(*one) for one in tail + signed)
        length = len(front) + len(end) + 512 + 512 + 1024
        sizes = dict((name, len(content)) for name, content in body + tail + signed)
        footer = b"SEALIFT\n" + struct.pack(
            ">IIQQIIIIII", 1, 1, length, len(front), sizes["header.json"], sizes["index"], sizes["manifest"],
            sizes["snapshot"], sizes["SHA256SUMS"], sizes["protection-key.json"],
        )  # fmt: skip
        footer = footer.ljust(480, b"\0")
        volume = front + end + member("footer", footer + sha256(footer)) + b"\0" * 1024
        assert len(volume) == length
        return volume


def rows(data, width=32):
    return [data[i : i + width].hex(" ") for i in range(0, len(data), width)]


def examples():
    archive = Archive()
    volume = archive.volume()
    tar = tar_header("segments/00000001", 700)
    name = "archives/a0/" + archive.archive.hex() + "/" + archive.archive.hex() + "-0001.tar"
    return volume, {
        "frame.md": rows(frame_example()),
        "page.md": rows(page_example()),
        "index.md": rows(index_example()),
        "envelope.md": [json.dumps(json.loads(envelope_example())[k]) for k in ("key", "recipient", "algorithm")]
        + rows(bytes.fromhex(json.loads(envelope_example())["wrapped"])),
        "snapshot.md": archive.text.decode().splitlines(),
        "volume.md": [name, f"{len(volume)} bytes, SHA-256 {sha256(volume).hex()}"]
        + archive.sums.decode().splitlines()
        + rows(tar[:32])[:1]
        + rows(tar[96:160])
        + rows(tar[256:352]),
    }


def in_page(text, lines):
    """The page with the indented lines of its worked example replaced."""
    out, is_example, is_written = [], False, False
    for line in text.splitlines():
        if line.startswith("**"):
            is_example = "Worked example" in line
        if is_example and (line.startswith("    ") or line.startswith("@")):
            if not is_written:
                out += ["    " + row for row in lines]
            is_written = True
            continue
        out.append(line)
    assert is_written
    return "\n".join(out) + "\n"


def main():
    volume, wanted = examples()
    path = HERE / "volume" / "volume.tar"
    if sys.argv[1:] == ["write"]:
        path.write_bytes(volume)
    wrong = [] if path.read_bytes() == volume else [path]
    for name, lines in wanted.items():
        text = (PAGES / name).read_text()
        new = in_page(text, lines)
        if sys.argv[1:] == ["write"]:
            (PAGES / name).write_text(new)
        elif new != text:
            wrong.append(PAGES / name)
    for one in wrong:
        print("another result than", one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
