#!/usr/bin/python3
"""Restore one virtual machine from Sealift backup volumes, without Sealift.

Example: the disk with the backups is mounted at /mnt, the recovery key is on a USB stick:

    emergency-restore.py --identity /media/key/recovery-key.pem \\
        --signer /media/key/host-a.pub.pem --signer /media/key/keeper.pub.pem \\
        --out /srv/restored /mnt/archives/*/*/*.tar

    --identity K           the recovery key: an RSA private key, PEM
    --passphrase-file F    its passphrase is the first line of F (else it is asked for)
    --signer S             an Ed25519 public key, PEM, of a host that is trusted; repeatable.
                           What nobody of these signed is not believed.
    --out DIR              a new or an empty folder. On libvirt a disk NAME becomes NAME.raw, a
                           sparse raw image; every other component keeps its name. A Hyper-V VM's files
                           lie as they lay in its export.
    --snapshot ID          which snapshot: its archive id or the beginning of it
    --reveal-protection-key FILE
                           also write the VM's vTPM protection key, in plain text, to FILE
    FILE.tar...            the volumes ARCHIVE-0001.tar, ... of the snapshot's archive; and those of
                           the older archives of the same repository that hold chunks which
                           this backup did not store again. Too many files do no harm. Or the
                           files of a portable archive (`sealift export`), whatever their names.

Everything is checked before the first byte is written, and what was written is removed again when
something turns out to be damaged: there are no half restores. Standard output names the files that
were written. Exit status: 0 done; 2 command line wrong; 3 damaged or not trusted; 5 refused;
10 file not found; 12 wrong key or passphrase; 14 newer or unsupported format; 15 the operating
system refused; 1 defect of this program.

This program was written from the pages format/*.md ("Sealift format 1") alone, and needs Debian's
python3, python3-cryptography and python3-zstandard. Comments name the rules of those pages.

Rules that are not applied here, and why:
  R7 to R20   chains of records and revocation: they need the repository. The operator says with
              --signer whom to trust, for all times. R1 to R6 are applied to snapshot texts.
  D0 to D9    repository.json is not read. The repository is the one that the signed texts name;
              all files must name the same (V10, S4).
  K2          metadata keys are derived from content keys, not unwrapped from metadata_envelopes.
  M7          needs repository.json.
  "was not trusted at `created`" in S2 and V11: the same as R.
"""

import argparse
import base64
import binascii
import bisect
import collections
import concurrent.futures
import contextlib
import datetime
import getpass
import hashlib
import hmac
import json
import os
import re
import resource
import signal
import stat
import struct
import sys
import threading

try:
    import zstandard
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives import hashes, keywrap, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as missing:
    sys.exit(f"error: a part of Python is missing: {missing.name}\n"
             "  next:  as root: apt-get install python3-cryptography python3-zstandard, "
             "and run this with /usr/bin/python3")

DONE, USAGE, CORRUPT, REFUSED, NOT_FOUND = 0, 2, 3, 5, 10
WRONG_KEY, UNSUPPORTED, SYSTEM, DEFECT = 12, 14, 15, 1

KIB, MIB = 1 << 10, 1 << 20
FORMAT = 1

# limits.md, each with its rule.
MAX_PLAIN = 4 * MIB                                    # F5
FRAME_EXTRA = 104                                      # F6: header of 88 bytes, tag of 16
MAX_WINDOW = 8 * MIB                                   # F12
PAGE_IDS = 256                                         # P1
MIN_CHUNK, MAX_CHUNK = 64 * KIB, 4 * MIB               # M4
MAX_COMPONENT = 1 << 50                                # M4
MAX_COMPONENTS, MAX_VERDICTS, MAX_MAP = 4096, 8192, 1024   # M6
MAX_NAME, MAX_TEXT = 255, 64 * KIB                     # M6
MAX_KEY_MEMBERS, MAX_KEY_MEMBER = 64, 256 * KIB        # V4
MAX_VOLUMES = 9999                                     # V10
MIN_VOLUME, MAX_VOLUME = 4096, 1 << 40                 # V1
MAX_SEGMENT, MAX_SEGMENTS = 8 * MIB, 131072            # V13, V7
MAX_HEADER, MAX_INDEX = 8 * MIB, 64 * MIB              # V4
MAX_MANIFEST, MAX_SNAPSHOT, MAX_SUMS = MAX_PLAIN + FRAME_EXTRA, 1 * MIB, 16 * MIB    # V4
MAX_KEYS, MAX_ENVELOPES = 2048, 4096                    # V12
MAX_ENTRIES, MAX_INDEX_FRAMES = 65536, 16              # I2, I1
MAX_KEY_JSON = 1 * MIB                                 # J1
MAX_RECORD, MAX_SEQUENCE = 1 * MIB, 99999999           # R1, R4

DATA, PAGE, INDEX, MANIFEST = 1, 2, 3, 4               # frame.md section 2: kind
HOLE = bytes(32)                                       # page.md section 2
MAX_GUEST_STATE = 64 * MIB     # no page says it: a larger guest state is no swtpm state file
NO_KEY = 0xFFFFFFFF            # a place whose key is not in `keys` of its volume

HEX16, HEX32 = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{64}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+")
VOLUME_NAME = re.compile(r"[0-9a-f]{32}-[0-9]{4}\.tar")


# ---- Errors ----------------------------------------------------------------------------------

class Refusal(Exception):
    """Why nothing is restored: an exit status, what is wrong, and the rule that says so."""

    def __init__(self, status, what, rule=None, volume=None, member=None, todo=None):
        super().__init__(what)
        self.status, self.what, self.rule = status, what, rule
        self.volume, self.member, self.todo = volume, member, todo

    def report(self):
        """The three lines of an error."""
        where = [name + " " + value for name, value in (
            ("rule", self.rule), ("volume", self.volume), ("member", self.member)) if value]
        lines = ["error: " + self.what]
        if where:
            lines.append("  where: " + ", ".join(where))
        lines.append("  next:  " + (self.todo or advice(self.rule, self.status)))
        for line in lines:
            say(line)


class Stopped(BaseException):
    """A signal asks the program to end."""

    def __init__(self, number):
        super().__init__()
        self.number = number


def corrupt(rule, what):
    """A broken rule whose error is *corrupt*."""
    return Refusal(CORRUPT, what, rule)


def unsupported(rule, what):
    """A broken rule whose error is *unsupported*."""
    return Refusal(UNSUPPORTED, what, rule)


def wrong_key(rule, what):
    """A broken rule whose error is *wrong key*."""
    return Refusal(WRONG_KEY, what, rule)


@contextlib.contextmanager
def within(volume=None, member=None):
    """Adds the place to a refusal that comes from inside, where it is not known yet."""
    try:
        yield
    except Refusal as refusal:
        refusal.volume = refusal.volume or volume
        refusal.member = refusal.member or member
        raise


def advice(rule, status):
    """What to do about an error that does not say it itself."""
    by_rule = {
        "V3": "use the emergency-restore.py that belongs to the newer format",
        "V5": "give the right public keys with --signer; if they are right, take another copy of "
              "this file",
        "V10": "give the file its own name again, and only files of one repository",
        "V11": "do not trust this file; take another copy of it",
        "S2": "give the public key of the host that took the snapshot with --signer, if you "
              "trust it",
        "E2": "use one of the recovery keys that the error names",
        "W12": "this protection key does not open the vTPM of this snapshot; take another snapshot",
    }
    by_status = {
        USAGE: "see emergency-restore.py --help",
        CORRUPT: "take another copy of this file, or another snapshot; nothing was restored",
        REFUSED: "nothing was restored; change the command line",
        NOT_FOUND: "check the name and whether the file system is mounted",
        WRONG_KEY: "use the recovery key and the passphrase that belong to this backup",
        UNSUPPORTED: "use a newer emergency-restore.py",
        SYSTEM: "help the operating system, then run the command again",
    }
    return by_rule.get(rule) or by_status.get(status, "report this")


def plain(value):
    """Text for a terminal: nothing that comes from a file can control it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))


def say(line):
    """One line on standard error."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(plain(line) + "\n")
        sys.stderr.flush()


def system_error(error, doing, missing=SYSTEM):
    """An OSError as a refusal; `missing` is the status when a file is not there."""
    status = missing if isinstance(error, (FileNotFoundError, NotADirectoryError)) else SYSTEM
    return Refusal(status, "%s: %s" % (doing, error.strerror or type(error).__name__))


# ---- Strict JSON, hex, time: README.md "Conventions" -------------------------------------------

UNSIGNED, TEXT, LIST, OBJECT, TEXT_MAP = "an unsigned integer", "text", "an array", \
    "an object", "a map of text to text"


def parse_json(data):
    """JSON as README.md says; ValueError when it is not. Unknown members are the caller's work."""
    def members(pairs):
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a name stands twice")
        return result

    def unsigned(digits):
        if digits.startswith("-") or len(digits) > 20 or int(digits) >= 1 << 64:
            raise ValueError("a number is no unsigned integer")
        return int(digits)

    def no_number(_):
        raise ValueError("a number is no unsigned integer")

    text = data if isinstance(data, str) else data.decode("utf-8", "strict")
    try:                                               # json.loads refuses a byte order mark
        value = json.loads(text, object_pairs_hook=members, parse_int=unsigned,
                           parse_float=no_number, parse_constant=no_number)
        json.dumps(value, ensure_ascii=False).encode("utf-8", "strict")    # no half surrogates
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def is_type(value, wanted):
    """Whether a JSON value has the wanted type. A boolean is no integer."""
    if wanted == UNSIGNED:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted == TEXT_MAP:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, {TEXT: str, LIST: list, OBJECT: dict}[wanted])


def check_members(rule, where, value, members):
    """The value is an object with exactly these members of these types (README.md; V9, E1, M1)."""
    if not isinstance(value, dict):
        raise corrupt(rule, "%s is no object" % where)
    for name in value:
        if name not in members:
            raise corrupt(rule, "%s has an unknown member %.80s" % (where, name))
    for name, wanted in members.items():
        if name not in value:
            raise corrupt(rule, "%s has no member %s" % (where, name))
        if not is_type(value[name], wanted):
            raise corrupt(rule, "member %s of %s is not %s" % (name, where, wanted))


def is_time(text):
    """README.md: UTC, whole seconds, and a day that exists."""
    if not TIME.fullmatch(text):
        return False
    try:
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return False
    return True


def check_form(rule, where, value, names, good):
    """Each of the named members has the form that `good` tests."""
    for name in names:
        if not good(value[name]):
            raise corrupt(rule, "member %s of %s has another form" % (name, where))


# ---- Keys: keys.md -----------------------------------------------------------------------------

def hkdf(key, salt, info):
    """keys.md section 2: HKDF-SHA256, extract then expand, 32 bytes."""
    secret = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(secret, info + b"\x01", "sha256")


def key_id(key):
    """keys.md section 2."""
    return hkdf(key, b"", b"sealift 1 key id")


def chunk_id(id_key, kind, plaintext):
    """frame.md section 3: HMAC-SHA256(id key, kind || plaintext)."""
    mac = hmac.new(id_key, bytes([kind]), "sha256")
    mac.update(plaintext)
    return mac.digest()


class Identity:
    """The recovery key, and what it opens."""

    def __init__(self, private_key):
        self.private_key = private_key
        public = private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.recipient = hashlib.sha256(public).digest()      # envelope.md section 2
        self.modulus_size = (private_key.key_size + 7) // 8

    def open_oaep(self, wrapped, hash_class):
        """RSA-OAEP, MGF1 with the same hash, empty label; None when it does not open."""
        try:
            return self.private_key.decrypt(wrapped, padding.OAEP(
                padding.MGF1(hash_class()), hash_class(), None))
        except ValueError:
            return None


class KeyRing:
    """Every key that the recovery key gives: content keys from envelopes, and their children."""

    def __init__(self, identity):
        self.identity = identity
        self.envelopes = {}        # key id of a content key -> envelopes, in the order of the files
        self.content_keys = {}     # key id -> content key
        self.children = {}         # (content key id, archive id, use) -> key

    def add_envelopes(self, envelopes):
        """An envelope is valid wherever it lies (envelope.md section 1)."""
        for envelope in envelopes:
            known = self.envelopes.setdefault(envelope["key"], [])
            if envelope not in known:
                known.append(envelope)

    def content_key(self, wanted):
        """The content key with this key id: E2 to E5 (envelope.md section 4)."""
        if wanted not in self.content_keys:
            self.content_keys[wanted] = self._unwrap(wanted)
        return self.content_keys[wanted]

    def _unwrap(self, wanted):
        all_of_key = self.envelopes.get(wanted, [])
        ours = [e for e in all_of_key if e["recipient"] == self.identity.recipient]
        if not ours:
            names = sorted({e["recipient"].hex() for e in all_of_key})
            raise wrong_key("E2", "the key %s is not wrapped to this recovery key (%s) but to: %s"
                            % (wanted.hex(), self.identity.recipient.hex(),
                               ", ".join(names) or "nobody"))
        first = None
        for envelope in ours:
            try:
                return self._open(envelope)
            except Refusal as refusal:
                if refusal.rule not in ("E3", "E4"):
                    raise                      # E5 ends the reading: somebody meant to deceive
                first = first or refusal
        raise first

    def _open(self, envelope):
        if len(envelope["wrapped"]) != self.identity.modulus_size:
            raise corrupt("E1", "an envelope is not as long as its recipient's modulus")
        if envelope["algorithm"] != "RSA-OAEP-256":
            raise unsupported("E3", "an envelope has the algorithm %.80s" % envelope["algorithm"])
        key = self.identity.open_oaep(envelope["wrapped"], hashes.SHA256)
        if key is None or len(key) != 32:
            raise wrong_key("E4", "the recovery key does not open its envelope")
        if key_id(key) != envelope["key"]:
            raise Refusal(CORRUPT, "an envelope holds another key than it says: it was made "
                          "to deceive", "E5", todo="do not trust whoever signed this volume")
        return key

    def child(self, content_id, archive, info):
        """A key that is derived from a content key (keys.md section 2)."""
        which = (content_id, archive, info)
        if which not in self.children:
            self.children[which] = hkdf(self.content_key(content_id), archive,
                                        b"sealift 1 " + info)
        return self.children[which]

    def sealing_key(self, entry):
        """The key that an entry of `keys` in header.json names. K1."""
        key = self.child(entry["content_key"], entry["archive"],
                         entry["use"].encode() + b" key")
        if key_id(key) != entry["id"]:
            raise corrupt("K1", "the %s key of archive %s has another key id than header.json says"
                          % (entry["use"], entry["archive"].hex()))
        return key


def parse_envelope(value):
    """An envelope as in envelope.md section 2, its hex decoded. E1."""
    where = "an envelope"
    check_members("E1", where, value,
                  {"key": TEXT, "recipient": TEXT, "algorithm": TEXT, "wrapped": TEXT})
    check_form("E1", where, value, ("key", "recipient"), HEX32.fullmatch)
    check_form("E1", where, value, ("wrapped",), re.compile(r"(?:[0-9a-f]{2}){256,2048}").fullmatch)
    return {"key": bytes.fromhex(value["key"]), "recipient": bytes.fromhex(value["recipient"]),
            "algorithm": value["algorithm"], "wrapped": bytes.fromhex(value["wrapped"])}


# ---- Frames: frame.md --------------------------------------------------------------------------

FRAME_HEADER = struct.Struct(">4sBBHIIQ32s32s")        # 88 bytes: frame.md section 2
FrameHeader = collections.namedtuple(
    "FrameHeader", "magic kind codec reserved plain_size stored_size counter key_id chunk_id")


def frame_header(data, at=0):
    """The first 88 bytes of a frame; None when there are fewer or the magic differs (F1)."""
    if len(data) - at < FRAME_HEADER.size:
        return None
    header = FrameHeader._make(FRAME_HEADER.unpack_from(data, at))
    return header if header.magic == b"SLF1" else None


def sizes_fit(header):
    """F5 and F6: the sizes in the header of a frame."""
    return 1 <= header.plain_size <= MAX_PLAIN and 1 <= header.stored_size <= header.plain_size \
        and (header.codec != 0 or header.stored_size == header.plain_size)


def unseal(frame, kind, key, sealing_id, wanted=None, size=None):
    """The plaintext of a frame, and the id that it claims: F1 to F12 in their order.

    `wanted` is the chunk id (F8), `size` the plain size of a data chunk (F9). The caller must
    check F13 before it uses the plaintext."""
    header = frame_header(frame)
    if header is None:
        raise corrupt("F1", "there is no frame where one should be")
    if header.kind != kind:
        raise corrupt("F2", "a frame is of kind %d, not %d" % (header.kind, kind))
    if header.codec not in (0, 1):
        raise corrupt("F3", "a frame has the unknown codec %d" % header.codec)
    if header.reserved != 0:
        raise corrupt("F4", "a reserved field of a frame is not zero")
    if not 1 <= header.plain_size <= MAX_PLAIN:
        raise corrupt("F5", "the plain size of a frame is out of range")
    if not sizes_fit(header):
        raise corrupt("F6", "the stored size of a frame is out of range")
    if len(frame) != FRAME_EXTRA + header.stored_size:
        raise corrupt("F7", "a frame has another size than its place")
    if wanted is not None and header.chunk_id != wanted:
        raise corrupt("F8", "a frame has another chunk id than %s" % wanted.hex())
    if size is not None and header.plain_size != size:
        raise corrupt("F9", "a data frame has not the size of its chunk")
    if header.key_id != sealing_id:
        raise corrupt("F10", "a frame is sealed under another key than it should be")
    nonce = bytes(4) + header.counter.to_bytes(8, "big")
    try:
        packed = AESGCM(key).decrypt(nonce, bytes(frame[88:]), bytes(frame[:88]))
    except InvalidTag:
        raise corrupt("F11", "the tag of a frame does not fit") from None
    return (decompress(packed, header.plain_size) if header.codec == 1 else packed), header.chunk_id


def decompress(packed, plain_size):
    """F12: exactly one zstd frame of this content size, no dictionary, a window up to 8 MiB."""
    try:
        if packed[:4] != b"\x28\xb5\x2f\xfd":         # a skippable frame has another magic
            raise ValueError
        parameters = zstandard.get_frame_parameters(packed)
        if (parameters.content_size != plain_size or parameters.dict_id != 0
                or parameters.window_size > MAX_WINDOW):
            raise ValueError
        # Into a buffer of the declared size; more output or anything after the frame is an error.
        plaintext = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompress(
            packed, allow_extra_data=False)
        if len(plaintext) != plain_size:
            raise ValueError
    except (zstandard.ZstdError, ValueError):
        raise corrupt("F12", "the compressed bytes of a frame are not one zstd frame of its size") \
            from None
    return plaintext


def check_id(plaintext, kind, claimed, id_key):
    """F13."""
    if not hmac.compare_digest(chunk_id(id_key, kind, plaintext), claimed):
        raise corrupt("F13", "the id of a plaintext is not its chunk id")


# ---- Volumes: volume.md ------------------------------------------------------------------------

FOOTER = struct.Struct(">8sIIQQIIIII64I172s32s")       # 512 bytes: volume.md section 4
BLOCK = 512


def padded(size):
    """Sizes in a tar are rounded up to blocks."""
    return size + -size % BLOCK


def tar_block(name, size):
    """The one header block that a member can have (volume.md section 2)."""
    block = bytearray(BLOCK)
    for at, value in ((0, name.encode("ascii")), (100, b"000644 \0"), (108, b"000000 \0"),
                      (116, b"000000 \0"), (124, b"%011o " % size), (136, b"00000000000 "),
                      (148, b" " * 8), (156, b"0"), (257, b"ustar\x0000"), (329, b"000000 \0"),
                      (337, b"000000 \0")):
        block[at:at + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def key_member(number):
    """The name of the protection-key member with this number, from 1."""
    return "protection-key.json" if number == 1 else "protection-key.%d.json" % number


Member = collections.namedtuple("Member", "name at size")     # at: offset of the header block


class Volume:
    """One file. `open` applies V1 to V12, `check_every_byte` V13, V6 and V8 for segments."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.fd = -1
        self.size = 0
        self.tail = 0
        self.members = {}          # name -> Member, without the segments
        self.keys_count = 0
        self.is_last = False       # it holds manifest, protection keys and snapshot
        self.sums = []             # SHA-256 of each member, in order
        self.segment_count = 0
        self.segments = None       # (offset of the content, size), when every byte was checked
        self.header = None
        self.snapshot = None
        self.added = {}            # member -> text: keys that were added to those it has
        self._lock = threading.Lock()

    @property
    def archive(self):
        """The archive id, hex."""
        return self.header["archive"].hex()

    @property
    def number(self):
        """The number of the volume in its archive, from 1."""
        return self.header["volume"]

    def open(self, signers):
        """V1 to V12 in their order; then S1 to S7, when it holds a snapshot."""
        with within(self.name):
            self._open_file()
            self._read_footer()
            sums, signer = self._read_sums(signers)
            digests, contents = self._read_members(sums)
            self._check_sums(sums["SHA256SUMS"], digests)
            with within(member="header.json"):
                self.header = parse_header(contents["header.json"])
                self._check_name()
                if self.header["signer"] != signer:
                    raise corrupt("V11", "header.json names another signer than the one whose "
                                  "signature fits")
                check_header_limits(self.header)
            if self.is_last:
                with within(member="snapshot"):
                    self.snapshot = read_snapshot(
                        contents["snapshot"], contents["snapshot.sig"], signers, self)

    def _open_file(self):
        """V1."""
        try:
            self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self.fd)
        except OSError as error:
            raise system_error(error, "cannot open %s" % self.path, NOT_FOUND) from None
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode) or self.size % BLOCK \
                or not MIN_VOLUME <= self.size <= MAX_VOLUME:
            raise corrupt("V1", "the file has not the size of a volume")

    def close(self):
        """Gives the file back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def read(self, at, size):
        """Exactly these bytes of the file."""
        parts = []
        while size > 0:
            try:
                part = os.pread(self.fd, size, at)
            except OSError as error:
                raise system_error(error, "cannot read %s" % self.path) from None
            if not part:
                raise corrupt("V1", "the file is shorter than when it was opened")
            parts.append(part)
            at, size = at + len(part), size - len(part)
        return b"".join(parts)

    def _read_footer(self):
        """V2 to V4 (volume.md section 4)."""
        with within(member="footer"):
            data = self.read(self.size - 3 * BLOCK, BLOCK)
            (magic, version, keys, length, self.tail, header_size, index_size, manifest_size,
             snapshot_size, sums_size, *key_sizes, reserved, digest) = FOOTER.unpack(data)
            if magic != b"SEALIFT\n" or hashlib.sha256(data[:480]).digest() != digest:
                raise corrupt("V2", "the file does not end with an undamaged footer")
            if version > FORMAT:
                raise unsupported("V3", "the volume has format %d" % version)
            with_snapshot = manifest_size > 0
            if (version != FORMAT or keys > MAX_KEY_MEMBERS or length != self.size
                    or header_size > MAX_HEADER or index_size > MAX_INDEX
                    or manifest_size > MAX_MANIFEST or snapshot_size > MAX_SNAPSHOT
                    or sums_size > MAX_SUMS or any(reserved) or any(key_sizes[keys:])
                    or not all(1 <= size <= MAX_KEY_MEMBER for size in key_sizes[:keys])
                    or with_snapshot != (snapshot_size > 0) or (keys and not with_snapshot)):
                raise corrupt("V4", "a field of the footer is out of its limits")
            self.keys_count, self.is_last = keys, with_snapshot
            sizes = [("index", index_size)]
            if with_snapshot:
                sizes.append(("manifest", manifest_size))
                sizes += [(key_member(n + 1), key_sizes[n]) for n in range(keys)]
                sizes += [("snapshot", snapshot_size), ("snapshot.sig", 64)]
            sizes += [("SHA256SUMS", sums_size), ("SHA256SUMS.sig", 64), ("footer", BLOCK)]
            self.members = {"header.json": Member("header.json", 0, header_size)}
            at = self.tail
            for name, size in sizes:
                self.members[name] = Member(name, at, size)
                at += BLOCK + padded(size)
            if at != self.size - 2 * BLOCK or self.tail < BLOCK + padded(header_size):
                raise corrupt("V4", "the members do not end where the footer begins")

    def _read_whole(self, name):
        """A member as it lies there: header block, content, padding."""
        member = self.members[name]
        return self.read(member.at, BLOCK + padded(member.size))

    def _content(self, name, whole):
        return whole[BLOCK:BLOCK + self.members[name].size]

    def _read_sums(self, signers):
        """V5: SHA256SUMS, its signature, and who made it. Nothing else is looked at before."""
        whole = {name: self._read_whole(name) for name in ("SHA256SUMS", "SHA256SUMS.sig")}
        text = self._content("SHA256SUMS", whole["SHA256SUMS"])
        signature = self._content("SHA256SUMS.sig", whole["SHA256SUMS.sig"])
        for signer, public_key in signers.items():
            if signature_fits(public_key, signature, text):
                return whole, signer
        raise Refusal(CORRUPT, "no trusted signer signed this volume", "V5", None, "SHA256SUMS.sig")

    def _read_members(self, sums):
        """V6 without segments; the SHA-256 of each member, and the contents of the small ones."""
        digests, contents = {}, {}
        for name, member in self.members.items():
            whole = sums.get(name) or self._read_whole(name)
            if whole[:BLOCK] != tar_block(name, member.size) or any(whole[BLOCK + member.size:]):
                raise Refusal(CORRUPT, "the header block or the padding of a member is not "
                              "as it must be", "V6", None, name)
            content = self._content(name, whole)
            digests[name] = hashlib.sha256(content).digest()
            if name in ("header.json", "snapshot", "snapshot.sig"):
                contents[name] = content
        if any(self.read(self.size - 2 * BLOCK, 2 * BLOCK)):
            raise corrupt("V6", "the volume does not end with 1,024 zero bytes")
        sums["SHA256SUMS"] = self._content("SHA256SUMS", sums["SHA256SUMS"])
        return digests, contents

    def _check_sums(self, text, digests):
        """V7: exactly the lines of the members, in order; V8 for what is no segment."""
        lines = text.split(b"\n")
        names = [n for n in self.members if n not in ("SHA256SUMS", "SHA256SUMS.sig", "footer")]
        count = len(lines) - 1 - len(names)
        if not 0 <= count <= MAX_SEGMENTS:
            raise Refusal(CORRUPT, "SHA256SUMS has too few or too many lines", "V7", None,
                          "SHA256SUMS")
        self.segment_count = count
        names[1:1] = [segment_name(n) for n in range(count)]
        for name, line in zip(names, lines):
            if not re.fullmatch(rb"[0-9a-f]{64}  [ -~]+", line) or line[66:] != name.encode():
                raise Refusal(CORRUPT, "SHA256SUMS has not the line of this member", "V7", None,
                              name)
        if lines[-1]:
            raise Refusal(CORRUPT, "SHA256SUMS does not end with a line feed", "V7", None,
                          "SHA256SUMS")
        self.sums = [bytes.fromhex(line[:64].decode()) for line in lines[:-1]]
        for name, expected in zip(names, self.sums):
            if name in digests and digests[name] != expected:
                raise bad_sum(name)

    def member_sum(self, name):
        """The SHA-256 that SHA256SUMS gives for a member that is no segment."""
        names = list(self.members)
        return self.sums[0 if name == "header.json" else self.segment_count + names.index(name)]

    def content(self, name):
        """A member's content. It was checked before, but it is parsed now: so V8 again."""
        member = self.members[name]
        data = self.read(member.at + BLOCK, member.size)
        if hashlib.sha256(data).digest() != self.member_sum(name):
            raise Refusal(CORRUPT, "a member changed while it was read", "V8", self.name, name)
        return data

    def key_members(self):
        """The names of the protection-key members, in their order."""
        return [key_member(n + 1) for n in range(self.keys_count)]

    def key_texts(self):
        """Name and text of each protection key, those that were added last."""
        yield from ((name, self.content(name)) for name in self.key_members())
        yield from self.added.items()

    def _check_name(self):
        """V10: the file's name is that of the archive and number in header.json; a file that is
        not named like a volume of a repository may have any name (portable.md)."""
        if self.number > MAX_VOLUMES:
            raise corrupt("V10", "the number of the volume is out of range")
        expected = volume_name(self.archive, self.number)
        if VOLUME_NAME.fullmatch(self.name) and self.name != expected:
            raise corrupt("V10", "the file should be named %s" % expected)

    def check_every_byte(self):
        """V6 and V8 for segments, V13: what `open` has not read yet. Once for each volume."""
        with self._lock:
            if self.segments is None:
                say("checking %s" % self.name)
                with within(self.name):
                    self.segments = self._check_segments()

    def _check_segments(self):
        segments = []
        at = BLOCK + padded(self.members["header.json"].size)
        for number in range(self.segment_count):
            with within(member=segment_name(number)):
                if at >= self.tail:
                    raise corrupt("V13", "the segments end before SHA256SUMS says")
                size = self._check_segment(number, at)
            segments.append((at + BLOCK, size))
            at += BLOCK + padded(size)
        if at != self.tail:
            raise corrupt("V13", "the segments do not end where the footer says")
        return segments

    def _check_segment(self, number, at):
        """V6, V8, V13 for one segment; its size. It is hashed piece by piece."""
        block = self.read(at, BLOCK)
        digits = re.fullmatch(rb"([0-7]{11}) ", block[124:136])
        if not digits or block != tar_block(segment_name(number), int(digits[1], 8)):
            raise corrupt("V6", "the header block of a member is not as it must be")
        size = int(digits[1], 8)
        if at + BLOCK + padded(size) > self.tail:
            raise corrupt("V13", "a segment ends behind the place that the footer says")
        sha256, done = hashlib.sha256(), 0
        while done < size:
            piece = self.read(at + BLOCK + done, min(MIB, size - done))
            sha256.update(piece)
            done += len(piece)
        if any(self.read(at + BLOCK + size, -size % BLOCK)):
            raise corrupt("V6", "the padding of a member is not zero")
        if sha256.digest() != self.sums[1 + number]:
            raise bad_sum(segment_name(number))
        if not 1 <= size <= MAX_SEGMENT:
            raise corrupt("V13", "the size of a segment is out of range")
        return size

    def member_at(self, at):
        """The name of the segment that this offset lies in, for an error."""
        number = bisect.bisect_right(self.segments, (at, MAX_VOLUME)) - 1
        if number >= 0 and at < sum(self.segments[number]):
            return segment_name(number)
        return "(offset %d)" % at

    def metadata_key(self):
        """The entry of `keys` that sealed index and manifest: this archive's metadata key."""
        return next(e for e in self.header["keys"]     # V12: there is one
                    if e["use"] == "metadata" and e["archive"] == self.header["archive"])


def segment_name(number):
    """The name of the segment with this number, from 0."""
    return "segments/%08d" % (number + 1)


def volume_name(archive, number):
    """volume.md section 1."""
    return "%s-%04d.tar" % (archive, number)


def bad_sum(name):
    """V8."""
    return Refusal(CORRUPT, "a member has another SHA-256 than SHA256SUMS says", "V8", None, name)


def signature_fits(public_key, signature, text):
    """Ed25519, raw."""
    try:
        public_key.verify(signature, text)
        return True
    except InvalidSignature:
        return False


def parse_header(data):
    """header.json, its hex decoded: V9 (volume.md section 3), E1 for its envelopes."""
    where = "header.json"
    try:
        value = parse_json(data)
    except ValueError as error:
        raise corrupt("V9", "header.json is not JSON as it must be: %s" % error) from None
    check_format("V9", where, value)
    added = value.pop("added_keys", []) if isinstance(value, dict) else []
    check_members("V9", where, value, {
        "format": UNSIGNED, "repository": TEXT, "archive": TEXT, "volume": UNSIGNED,
        "created": TEXT, "signer": TEXT, "content_key": TEXT, "envelopes": LIST, "keys": LIST,
        "metadata_envelopes": LIST})
    if not is_type(added, LIST):
        raise corrupt("V9", "member added_keys of header.json is no array")
    check_form("V9", where, value, ("format", "volume"), lambda number: number >= 1)
    check_form("V9", where, value, ("repository", "signer", "content_key"), HEX32.fullmatch)
    check_form("V9", where, value, ("archive",), HEX16.fullmatch)
    check_form("V9", where, value, ("created",), is_time)
    for entry in value["metadata_envelopes"]:
        check_members("V9", "a metadata envelope", entry, {"key": TEXT, "wrapped": TEXT})
        check_form("V9", "a metadata envelope", entry, ("key",), HEX32.fullmatch)
        check_form("V9", "a metadata envelope", entry, ("wrapped",),
                   re.compile(r"[0-9a-f]{80}").fullmatch)
    header = {name: bytes.fromhex(value[name])
              for name in ("repository", "archive", "signer", "content_key")}
    header["keys"] = [parse_key_entry(entry) for entry in value["keys"]]
    header["envelopes"] = [parse_envelope(envelope) for envelope in value["envelopes"]]
    header["volume"] = value["volume"]
    for key in added:
        check_members("V9", "an added key", key, {"of": TEXT, "recipient": TEXT, "text": TEXT})
        check_form("V9", "an added key", key, ("recipient",), HEX32.fullmatch)
    header["added_keys"] = added
    return header


def parse_key_entry(value):
    """An entry of `keys` in header.json. V9."""
    where = "an entry of keys"
    check_members("V9", where, value, {
        "id": TEXT, "use": TEXT, "archive": TEXT, "content_key": TEXT, "signer": TEXT})
    check_form("V9", where, value, ("id", "content_key", "signer"), HEX32.fullmatch)
    check_form("V9", where, value, ("archive",), HEX16.fullmatch)
    check_form("V9", where, value, ("use",), lambda use: use in ("data", "metadata"))
    entry = {name: bytes.fromhex(value[name]) for name in ("id", "archive", "content_key")}
    entry["use"] = value["use"]
    return entry


def check_format(rule, where, value):
    """README.md "Versions": a greater format is *unsupported*, whatever else it holds."""
    version = value.get("format") if isinstance(value, dict) else None
    if is_type(version, UNSIGNED) and version > FORMAT:
        raise unsupported(rule, "%s has format %d" % (where, version))


def check_header_limits(header):
    """V12."""
    keys = header["keys"]
    if len(keys) > MAX_KEYS or len(header["envelopes"]) > MAX_ENVELOPES:
        raise corrupt("V12", "header.json names too many keys or envelopes")
    if len({entry["id"] for entry in keys}) != len(keys):
        raise corrupt("V12", "a key id stands twice in header.json")
    own = [e for e in keys if e["use"] == "metadata" and e["archive"] == header["archive"]]
    if len(own) != 1 or own[0]["content_key"] != header["content_key"]:
        raise corrupt("V12", "header.json does not name one metadata key of its archive")
    if (len(header["added_keys"]) > MAX_KEY_MEMBERS
            or any(len(key["text"].encode()) > MAX_KEY_MEMBER for key in header["added_keys"])):
        raise corrupt("V12", "header.json holds too many added keys, or too long ones")


def add_keys(manifest, volume):
    """The keys that were added when the snapshot left its repository follow its own: V14."""
    entries = manifest["protection_keys"]
    own = {entry["member"]: entry for entry in entries}
    if len(entries) + len(volume.header["added_keys"]) > MAX_KEY_MEMBERS:
        raise corrupt("V12", "there are too many protection keys with those added")
    for key in volume.header["added_keys"]:
        if key["of"] not in own:
            raise corrupt("V14", "a key was added to one that the snapshot does not have")
        member = key_member(len(entries) + 1)
        entries.append({**own[key["of"]], "member": member, "recipient": key["recipient"]})
        volume.added[member] = key["text"].encode()


# ---- Snapshot texts: snapshot.md, record.md ----------------------------------------------------

def read_snapshot(text, signature, signers, volume):
    """S1 to S7. The volume's members have the SHA-256 of its SHA256SUMS (V8)."""
    snapshot = parse_snapshot(text)
    signer = snapshot["signer"]
    if signer not in signers:
        raise corrupt("S2", "the snapshot was taken by %s, who is not trusted" % signer.hex())
    if not signature_fits(signers[signer], signature, text):
        raise corrupt("S3", "the signature of the snapshot does not fit")
    if snapshot["repository"] != volume.header["repository"]:
        raise corrupt("S4", "the snapshot is of another repository than its volume")
    if snapshot["archive"] != volume.header["archive"]:
        raise corrupt("S4", "the snapshot is of another archive than its volume")
    if snapshot["volumes"] != str(volume.number):
        raise corrupt("S5", "the snapshot is not in the last volume of its archive")
    if snapshot["manifest"] != volume.member_sum("manifest"):
        raise corrupt("S6", "the manifest is not the one that was signed")
    there = [(name, volume.member_sum(name)) for name in volume.key_members()]
    if snapshot["protection_keys"] != there:
        raise corrupt("S7", "the protection keys are not those that were signed")
    return snapshot


def parse_snapshot(text):
    """S1: a record (R1 to R6 of record.md) of kind snapshot with exactly its fields."""
    def bad(why):
        return corrupt("S1", "the snapshot text is not as it must be: %s" % why)

    if len(text) > MAX_RECORD or not re.fullmatch(rb"(?:[ -~]+\n)+", text):
        raise bad("it is no text of printable lines (R1)")
    lines = text.decode("ascii").split("\n")[:-1]
    first = re.fullmatch(r"sealift ([a-z][a-z0-9-]{0,31}) ([1-9][0-9]*)", lines[0])
    if not first:
        raise bad("its first line (R2)")
    if first[2] != "1":
        raise unsupported("S1", "the snapshot text is of version %.20s (R2)" % first[2])
    if first[1] != "snapshot":
        raise bad("it is a record of kind %s" % first[1])
    forms = [("repository", "[0-9a-f]{64}"), ("signer", "[0-9a-f]{64}"),
             ("sequence", "[1-9][0-9]{0,7}"), ("previous", "[0-9a-f]{64}"), ("created", ".*"),
             ("archive", "[0-9a-f]{32}"), ("volumes", "[1-9][0-9]*"), ("manifest", "[0-9a-f]{64}")]
    values = {}
    for number, (name, form) in enumerate(forms, 1):
        line = lines[number] if number < len(lines) else ""
        match = re.fullmatch("%s (%s)" % (name, form), line)
        if not match or name == "created" and not is_time(match[1]):
            raise bad("line %d is not %s (R3, R5)" % (number + 1, name))
        values[name] = match[1]
    if (values["sequence"] == "1") != (values["previous"] == "0" * 64):
        raise bad("sequence and previous do not fit (R4)")
    keys = []
    for line in lines[1 + len(forms):]:
        match = re.fullmatch(r"protection-key ([!-~]+) ([0-9a-f]{64})", line)
        if not match:
            raise bad("a line that is no protection-key (R5)")
        keys.append((match[1], bytes.fromhex(match[2])))
    result = {n: bytes.fromhex(values[n]) for n in ("repository", "signer", "archive", "manifest")}
    result.update(volumes=values["volumes"], created=values["created"],
                  sequence=int(values["sequence"]), protection_keys=keys)
    return result


# ---- Manifests: manifest.md --------------------------------------------------------------------

MANIFEST_MEMBERS = {
    "format": UNSIGNED, "vm_name": TEXT, "vm_uuid": TEXT, "platform": TEXT, "cluster": TEXT,
    "host": TEXT, "created": TEXT, "kind": TEXT, "read": TEXT, "source_bytes": UNSIGNED,
    "changed_bytes": UNSIGNED, "stored_bytes": UNSIGNED, "chunk_size": UNSIGNED, "id_key": TEXT,
    "components": LIST, "protection_keys": LIST, "verdicts": LIST, "consistency": TEXT_MAP,
    "versions": TEXT_MAP}
COMPONENT_MEMBERS = {
    "kind": TEXT, "name": TEXT, "scope": TEXT, "size": UNSIGNED, "depth": UNSIGNED, "root": TEXT,
    "stored_bytes": UNSIGNED, "attributes": TEXT_MAP}
KEY_MEMBERS = {"member": TEXT, "recipient": TEXT, "key_name": TEXT, "usage": TEXT, "encoding": TEXT}
VERDICT_MEMBERS = {"component": TEXT, "state": TEXT, "reason": TEXT}
WORDS = {"platform": ("libvirt", "hyper-v"), "kind": ("full", "incremental", "state"),
         "read": ("all", "changed", "state")}
KINDS = ("config", "disk", "firmware-vars", "guest-state", "runtime-state")
STATES = ("complete", "incomplete", "absent")


def open_manifest(volume, ring):
    """The manifest of a last volume: the F rules, then M1 to M8 (manifest.md section 3)."""
    with within(volume.name, "manifest"):
        entry = volume.metadata_key()
        plaintext, claimed = unseal(volume.content("manifest"), MANIFEST,
                                    ring.sealing_key(entry), entry["id"])
        try:
            value = parse_json(plaintext)
        except ValueError as error:
            raise corrupt("M1", "the manifest is not JSON as it must be: %s" % error) from None
        id_key = value.get("id_key") if isinstance(value, dict) else None
        if not isinstance(id_key, str):
            raise corrupt("M1", "the manifest has no member id_key")
        if not HEX32.fullmatch(id_key):
            raise corrupt("M3", "member id_key of the manifest has another form")
        check_id(plaintext, MANIFEST, claimed, bytes.fromhex(id_key))
        check_format("M2", "the manifest", value)
        check_manifest_types(value)
        check_manifest_forms(value)
        check_manifest_sizes(value)
        names = [(c["kind"], c["name"]) for c in value["components"]]
        if len(set(names)) != len(names):
            raise corrupt("M5", "two components have one kind and name")
        check_manifest_limits(value)
        if [key["member"] for key in value["protection_keys"]] != volume.key_members():
            raise corrupt("M8", "the manifest names other protection keys than are there")
        check_export_paths(value)
        add_keys(value, volume)
        return value


def check_manifest_types(value):
    """M1."""
    check_members("M1", "the manifest", value, MANIFEST_MEMBERS)
    for name, members in (("components", COMPONENT_MEMBERS), ("protection_keys", KEY_MEMBERS),
                          ("verdicts", VERDICT_MEMBERS)):
        for entry in value[name]:
            check_members("M1", "an entry of %s" % name, entry, members)


def check_manifest_forms(value):
    """M3."""
    where = "the manifest"
    check_form("M3", where, value, ("format",), lambda number: number == FORMAT)
    check_form("M3", where, value, ("vm_name",), lambda name: name != "")
    check_form("M3", where, value, ("vm_uuid",), UUID.fullmatch)
    check_form("M3", where, value, ("created",), is_time)
    for name, words in WORDS.items():
        check_form("M3", where, value, (name,), words.__contains__)
    for component in value["components"]:
        where = "a component"
        check_form("M3", where, component, ("kind",), KINDS.__contains__)
        check_form("M3", where, component, ("name",), is_file_name)
        scope = "shared" if component["kind"] == "disk" else "private"
        check_form("M3", where, component, ("scope",), scope.__eq__)
        check_form("M3", where, component, ("root",), HEX32.fullmatch)
    for key in value["protection_keys"]:
        check_form("M3", "a protection key", key, ("recipient",), HEX32.fullmatch)
    for verdict in value["verdicts"]:
        check_form("M3", "a verdict", verdict, ("state",), STATES.__contains__)
    if not value["verdicts"] or value["verdicts"][0]["component"] != "":
        raise corrupt("M3", "the first verdict is not that of the whole snapshot")


def is_file_name(name):
    """`[A-Za-z0-9_.-]+`, not `.` or `..` (manifest.md section 2)."""
    return bool(FILE_NAME.fullmatch(name)) and name not in (".", "..")


def is_export_path(path):
    """`path` of section 2: where a Hyper-V VM's file lay in its export."""
    names = path.split("/")
    return len(names) <= 64 and all(
        0 < len(name.encode()) <= MAX_NAME and name not in (".", "..")
        and not any(c < " " or c in "\x7f\\" for c in name) for name in names)


def check_export_paths(value):
    """M9."""
    if value["platform"] != "hyper-v":
        return
    paths = [component["attributes"].get("path", "") for component in value["components"]]
    if not all(map(is_export_path, paths)):
        raise corrupt("M9", "a component has no path that its file can have")
    if len(set(paths)) != len(paths):
        raise corrupt("M9", "two components have one path")
    folders = {path[:n] for path in paths for n, c in enumerate(path) if c == "/"}
    if folders & set(paths):
        raise corrupt("M9", "a component's file would be a folder")


def tree_depth(size, chunk_size):
    """page.md section 3."""
    chunks, depth = -(-size // chunk_size), 0
    while PAGE_IDS ** depth < chunks:
        depth += 1
    return depth


def check_manifest_sizes(value):
    """M4."""
    chunk_size = value["chunk_size"]
    if not MIN_CHUNK <= chunk_size <= MAX_CHUNK or chunk_size & (chunk_size - 1):
        raise corrupt("M4", "the chunk size is out of range")
    for component in value["components"]:
        size = component["size"]
        if size > MAX_COMPONENT:
            raise corrupt("M4", "a component is too large")
        if component["depth"] != tree_depth(size, chunk_size):
            raise corrupt("M4", "a component has another depth than its size makes it")
        if size == 0 and component["root"] != "0" * 64:
            raise corrupt("M4", "an empty component has a root")


def check_manifest_limits(value):
    """M6: counts and lengths of limits.md."""
    def texts(entry):
        for name, item in entry.items():
            if isinstance(item, dict):
                if len(item) > MAX_MAP:
                    raise corrupt("M6", "there are too many names in %s" % name)
                yield from ((text, MAX_TEXT) for pair in item.items() for text in pair)
            elif isinstance(item, str):
                yield item, MAX_NAME if name in ("vm_name", "cluster", "host", "name") else MAX_TEXT

    if (len(value["components"]) > MAX_COMPONENTS or len(value["verdicts"]) > MAX_VERDICTS
            or len(value["protection_keys"]) > MAX_KEY_MEMBERS):
        raise corrupt("M6", "the manifest has too many entries")
    entries = value["components"] + value["protection_keys"] + value["verdicts"]
    for entry in [value] + entries:
        for text, limit in texts(entry):
            if len(text.encode()) > limit:
                raise corrupt("M6", "a text of the manifest is too long")


# ---- Where frames lie: index.md ----------------------------------------------------------------

ENTRY = struct.Struct(">32sIB3sQII")                   # 56 bytes: index.md section 2
PLACE = struct.Struct(">IQII")                         # number of the volume, offset, size, key
USES = {DATA: "data", PAGE: "metadata"}                # frame.md section 3


class Catalog:
    """Finds and opens the frames of all volumes. A place is a hint; what lies there is believed
    because its id fits (index.md section 1)."""

    def __init__(self, volumes, ring, id_key):
        self.volumes, self.ring, self.id_key = volumes, ring, id_key
        self.hints = {}            # kind || chunk id -> places that the indexes name
        self.walked = None         # the same of all volumes, by walking them; made when needed
        self.lock = threading.Lock()

    def load_index(self, number):
        """The index of a volume: E, K and F rules, then I1 to I6 (index.md section 3)."""
        volume = self.volumes[number]
        with within(volume.name, "index"):
            entry = volume.metadata_key()
            key = self.ring.sealing_key(entry)
            for other in volume.header["keys"]:
                if other["content_key"] == entry["content_key"]:
                    self.ring.sealing_key(other)       # K1 for the archive's own keys
            data, at, frames = volume.content("index"), 0, 0
            end_of_last = BLOCK + padded(volume.members["header.json"].size) + BLOCK
            while at < len(data) or frames == 0:
                size = index_frame_size(data, at)
                frames += 1
                if frames > MAX_INDEX_FRAMES:
                    raise corrupt("I1", "the index has too many frames")
                plaintext, claimed = unseal(data[at:at + size], INDEX, key, entry["id"])
                check_id(plaintext, INDEX, claimed, self.id_key)
                end_of_last = self._add_entries(number, plaintext, end_of_last)
                at += size

    def _add_entries(self, number, plaintext, end_of_last):
        """I2 to I6 for one index frame; where its last frame ends."""
        volume = self.volumes[number]
        keys = volume.header["keys"]
        for found, key, kind, offset, stored, size in index_entries(plaintext, volume):
            if kind not in (DATA, PAGE):
                raise corrupt("I3", "the index names a frame of kind %d" % kind)
            if key >= len(keys) or keys[key]["use"] != USES[kind]:
                raise corrupt("I4", "the index names a key that is not there or not for this kind")
            if not 1 <= size <= MAX_PLAIN or not FRAME_EXTRA < stored <= FRAME_EXTRA + size:
                raise corrupt("I5", "the index names a size that is out of range")
            if offset < end_of_last or offset + stored > volume.tail:
                raise corrupt("I6", "the index names a place outside the segments, or twice")
            end_of_last = offset + stored
            add_place(self.hints, kind, found, PLACE.pack(number, offset, stored, key))
        return end_of_last

    def places(self, kind, wanted):
        """What the indexes say; after `walk` also what lies anywhere else."""
        which = bytes([kind]) + wanted
        return list(PLACE.iter_unpack(self.hints.get(which, b"")))

    def walk(self):
        """Goes through all segments of all volumes, frame by frame, because hints failed."""
        with self.lock:
            if self.walked is None:
                say("the indexes do not find every chunk: reading through all volumes")
                walked = {}
                for number in range(len(self.volumes)):
                    self._walk_volume(number, walked)
                self.walked = walked

    def _walk_volume(self, number, walked):
        volume = self.volumes[number]
        volume.check_every_byte()
        positions = {entry["id"]: n for n, entry in enumerate(volume.header["keys"])}
        for start, size in volume.segments:
            data, at = volume.read(start, size), 0
            while True:
                header = frame_header(data, at)
                if header is None or not sizes_fit(header):
                    break                     # the rest of this segment cannot be told apart
                stored = FRAME_EXTRA + header.stored_size
                if at + stored > size:
                    break
                key = positions.get(header.key_id, NO_KEY)
                add_place(walked, header.kind, header.chunk_id,
                          PLACE.pack(number, start + at, stored, key))
                at += stored

    def open(self, kind, wanted, id_key, what, size=None):
        """The plaintext with this id, and the volume and member that held it.

        All places are tried, first the hints, before the first failure is reported."""
        tried, first = set(), None
        for search in (self.places, self._walked_places):
            for place in search(kind, wanted):
                if place in tried:
                    continue
                tried.add(place)
                # Every byte of a volume that is used; a volume that is damaged ends the reading.
                self.volumes[place[0]].check_every_byte()
                try:
                    return self._open_place(place, kind, wanted, id_key, size)
                except Refusal as refusal:
                    if refusal.rule in ("E5", "V1") or refusal.status == SYSTEM:
                        raise
                    first = first or refusal
        if first is not None:
            raise first
        raise missing_chunk(wanted, what)

    def _walked_places(self, kind, wanted):
        self.walk()
        return list(PLACE.iter_unpack(self.walked.get(bytes([kind]) + wanted, b"")))

    def _open_place(self, place, kind, wanted, id_key, size):
        """F1 to F13 for the frame at a place, under the key that `keys` names for it."""
        number, at, stored, position = place
        volume = self.volumes[number]
        member = volume.member_at(at)
        with within(volume.name, member):
            keys = volume.header["keys"]
            if position >= len(keys) or keys[position]["use"] != USES[kind]:
                raise corrupt("F10", "a frame is sealed under a key that header.json does not "
                              "name for it")
            entry = keys[position]
            key = self.ring.sealing_key(entry)
            plaintext, claimed = unseal(volume.read(at, stored), kind, key, entry["id"],
                                        wanted, size)
            check_id(plaintext, kind, claimed, id_key)
        return plaintext, (volume.name, member)

    def can_find(self, kind, wanted):
        """Whether there is any place for this id."""
        return bool(self.places(kind, wanted) or self._walked_places(kind, wanted))


def index_frame_size(data, at):
    """I1: the size of the index frame that begins here and must end inside the member."""
    if len(data) - at < FRAME_HEADER.size:
        raise corrupt("I1", "the index does not end with a frame")
    header = frame_header(data, at)
    if header is None or not sizes_fit(header):
        unseal(data[at:], INDEX, b"", b"")             # reports which of F1 to F6 it is
    size = FRAME_EXTRA + header.stored_size
    if at + size > len(data):
        raise corrupt("I1", "the index does not end with a frame")
    return size


def index_entries(plaintext, volume):
    """I2: the entries of an index frame."""
    count = int.from_bytes(plaintext[:4], "big")
    if (count > MAX_ENTRIES or len(plaintext) != 8 + ENTRY.size * count or any(plaintext[4:8])
            or count == 0 and volume.segment_count > 0):
        raise corrupt("I2", "an index frame has another size than its count says")
    for found, key, kind, reserved, offset, stored, size in ENTRY.iter_unpack(plaintext[8:]):
        if any(reserved):
            raise corrupt("I2", "a reserved field of the index is not zero")
        yield found, key, kind, offset, stored, size


def add_place(places, kind, found, place):
    """Remembers one more place for an id."""
    which = bytes([kind]) + found
    places[which] = places.get(which, b"") + place


def missing_chunk(wanted, what):
    """P4."""
    return Refusal(CORRUPT, "a chunk of %s (%s) is in none of the files" % (what, wanted.hex()),
                   rule="P4", todo="give the volumes of the older archives of this repository as well")


# ---- Components: page.md -----------------------------------------------------------------------

Chunk = collections.namedtuple("Chunk", "offset size id")


class Component:
    """One component of the snapshot, and the tree of its chunks."""

    def __init__(self, value, chunk_size, id_key, platform):
        self.kind, self.name, self.size = value["kind"], value["name"], value["size"]
        self.depth, self.root = value["depth"], bytes.fromhex(value["root"])
        self.chunk_size = chunk_size
        self.id_key = id_key               # of its data chunks: frame.md section 3
        self.title = "%s %s" % (self.kind, self.name)
        if platform == "hyper-v":
            self.file_name = value["attributes"]["path"]            # M9
        else:
            self.file_name = self.name + ".raw" if self.kind == "disk" else self.name
        self.chunk_count = -(-self.size // chunk_size)

    def chunks(self, catalog):
        """All chunks that are no holes, in order; pages are opened on the way."""
        if self.root == HOLE:
            return
        if self.depth == 0:
            yield self._chunk(0, self.root)
        else:
            yield from self._page(catalog, self.depth, 0, self.root)

    def _chunk(self, number, found):
        """Chunk k holds the bytes k x C up to min((k + 1) x C, size) (page.md section 3)."""
        offset = number * self.chunk_size
        return Chunk(offset, min(self.chunk_size, self.size - offset), found)

    def _page(self, catalog, level, number, wanted):
        """P1 to P3 for page `number` of this level, then what is below it."""
        plaintext, where = catalog.open(PAGE, wanted, catalog.id_key, self.title)
        with within(*where):
            span = PAGE_IDS ** level
            covered = min((number + 1) * span, self.chunk_count) - number * span
            count = -(-covered // PAGE_IDS ** (level - 1))
            if len(plaintext) != 1 + 32 * count:
                raise corrupt("P1", "a page of %s has another size than its place" % self.title)
            if plaintext[0] != level:
                raise corrupt("P2", "a page of %s is of another level" % self.title)
            if not any(plaintext[1:]):
                raise corrupt("P3", "a page of %s has only holes" % self.title)
        for i in range(count):
            below = plaintext[1 + 32 * i:33 + 32 * i]
            if below == HOLE:
                continue
            if level == 1:
                yield self._chunk(number * PAGE_IDS + i, below)
            else:
                yield from self._page(catalog, level - 1, number * PAGE_IDS + i, below)

    def open_chunk(self, catalog, chunk):
        """The plaintext of a chunk; F9 is checked with the size that it must have."""
        return catalog.open(DATA, chunk.id, self.id_key, self.title, chunk.size)[0]


# ---- Protection keys: key-json.md, swtpm-state.md ----------------------------------------------

WRAP_HASHES = {"RSA_AES_KEY_WRAP_256": hashes.SHA256, "CKM_RSA_AES_KEY_WRAP": hashes.SHA1,
               "RSA_AES_KEY_WRAP_384": hashes.SHA384}


def key_json_text(data):
    """J1: a byte order mark and UTF-16 are allowed (key-json.md section 4)."""
    if len(data) > MAX_KEY_JSON:
        raise ValueError("it is too long")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"),
                           (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark):].decode(encoding, "strict")
    return data.decode("utf-8", "strict")


def base64url(text):
    """J5: RFC 4648 section 5 with padding and zero bits under it; CR and LF are skipped."""
    text = text.replace("\r", "").replace("\n", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]*={0,2}", text):
        raise corrupt("J5", "a member of a key JSON is not base64url")
    try:
        data = base64.urlsafe_b64decode(text)
    except binascii.Error:
        data = None
    if data is None or base64.urlsafe_b64encode(data).decode() != text:
        raise corrupt("J5", "a member of a key JSON is not base64url")
    return data


def unwrap_key_json(data, identity):
    """The protection key in a key JSON, and the hash that opened it: J1 to J7."""
    try:
        value = parse_json(key_json_text(data))
    except ValueError as error:
        raise corrupt("J1", "a key JSON is not JSON as it must be: %s" % error) from None
    info = value.get("private-key-wrapping-info") if isinstance(value, dict) else None
    if not isinstance(info, dict) or not isinstance(info.get("enc"), str):
        raise corrupt("J2", "a key JSON has no wrapping info with a text enc")
    enc = info["enc"]
    if enc == "NO_KEY_WRAP":
        raise Refusal(REFUSED, "the protection key lies in the archive in plain text: it is "
                      "exposed", "J3", todo="treat this key as known to everybody")
    if enc not in WRAP_HASHES:
        raise unsupported("J4", "a key JSON has the unknown enc %.80s" % enc)
    members = [value.get("private-key"), value.get("public-key"), info.get("public-key"),
               info.get("key-name")]
    if not all(isinstance(member, str) for member in members):
        raise corrupt("J5", "a member of a key JSON is missing or no text")
    private, public, _ = [base64url(member) for member in members[:3]]
    wrapped = private or public
    if not wrapped:
        raise corrupt("J6", "a key JSON holds no key")
    return unwrap_protection_key(wrapped, enc, identity)


def unwrap_protection_key(wrapped, enc, identity):
    """J7: the hash that enc implies first, then the others (key-json.md section 3)."""
    envelope, rest = wrapped[:identity.modulus_size], wrapped[identity.modulus_size:]
    order = [WRAP_HASHES[enc]] + [h for h in (hashes.SHA1, hashes.SHA256, hashes.SHA384)
                                  if h is not WRAP_HASHES[enc]]
    for hash_class in order if len(envelope) == identity.modulus_size else ():
        ephemeral = identity.open_oaep(envelope, hash_class)
        if ephemeral is None or len(ephemeral) != 32:
            continue
        try:
            return keywrap.aes_key_unwrap_with_padding(ephemeral, rest), hash_class.name
        except (keywrap.InvalidUnwrap, ValueError):
            continue
    raise wrong_key("J7", "the recovery key does not open the protection key")


def is_encrypted_swtpm(data):
    """Whether this is a swtpm state file at all (W1) and encrypted (swtpm-state.md section 2)."""
    return (len(data) >= 10 and data[0] >= 2 and data[2:4] == b"\x00\x0a"
            and data[5] & 0x01 == 0x01)


def prove_protection_key(state, key):
    """W2 to W12 for an encrypted swtpm state (W1: `is_encrypted_swtpm`)."""
    _, min_version, _, flags, total = struct.unpack_from(">BBHHI", state)
    if min_version > 2:
        raise unsupported("W2", "the vTPM state needs a newer reader")
    if total != len(state):
        raise corrupt("W3", "the vTPM state has another size than it says")
    if flags & ~0x1F:
        raise unsupported("W4", "the vTPM state has unknown flags")
    if flags & 0x16:
        raise corrupt("W5", "the vTPM state is a blob of a migration")
    parts = swtpm_parts(state)
    ciphertext, tag, vector = parts.get(2, b""), parts.get(3, b""), parts.get(6)
    if not ciphertext:
        raise corrupt("W8", "the vTPM state holds no state")
    if len(ciphertext) % 16:
        raise corrupt("W9", "the vTPM state is not made of whole blocks")
    if len(tag) != 32:
        raise corrupt("W10", "the HMAC of the vTPM state is missing or of another size")
    if vector is not None and len(vector) < 16:
        raise corrupt("W11", "the initialisation vector of the vTPM state is too short")
    derived = hashlib.pbkdf2_hmac("sha512", key, b"swtpm", 1000, 32 if flags & 0x08 else 16)
    if not hmac.compare_digest(hmac.digest(derived, ciphertext + (vector or b""), "sha256"), tag):
        raise wrong_key("W12", "the protection key does not open the vTPM state")


def swtpm_parts(state):
    """The TLVs of a swtpm state file: W6, W7."""
    parts, at = {}, 10
    while at < len(state):
        if at + 6 > len(state):
            raise corrupt("W6", "a part of the vTPM state does not end inside it")
        tag, size = struct.unpack_from(">HI", state, at)
        if at + 6 + size > len(state):
            raise corrupt("W6", "a part of the vTPM state does not end inside it")
        if tag in parts:
            raise corrupt("W7", "a part of the vTPM state stands twice")
        parts[tag] = state[at + 6:at + 6 + size]
        at += 6 + size
    return parts


def find_protection_key(restore, reveal):
    """The protection key for this recovery key, proved against every encrypted swtpm state.

    None when there is nothing to prove and it is not wanted."""
    states = restore.encrypted_guest_states()
    ours = [key["member"] for key in restore.manifest["protection_keys"]
            if bytes.fromhex(key["recipient"]) == restore.ring.identity.recipient]
    if not reveal and not (states and ours):
        return None
    if not ours:
        others = [key["recipient"] for key in restore.manifest["protection_keys"]]
        raise Refusal(WRONG_KEY, "no protection key is wrapped to this recovery key but to: %s"
                      % (", ".join(others) or "nobody"), volume=restore.last.name)
    first = None
    for member in ours:
        try:
            return open_protection_key(restore, member, states)
        except Refusal as refusal:
            first = first or refusal
    raise first


def open_protection_key(restore, member, states):
    """One protection-key member: the J rules, then the W rules for every state."""
    with within(restore.last.name, member):
        text = dict(restore.last.key_texts())[member]
        key, hash_name = unwrap_key_json(text, restore.ring.identity)
        say("note: %s was opened with %s" % (member, hash_name))
    for title, state in states:
        with within(restore.last.name, title):
            prove_protection_key(state, key)
        say("note: the protection key opens %s" % title)
    return key


# ---- Which snapshot ----------------------------------------------------------------------------

def check_volumes_agree(volumes):
    """No file is given twice; all name one repository (V10)."""
    seen = {}
    for volume in volumes:
        first = seen.setdefault((volume.archive, volume.number), volume)
        if first is not volume:
            raise Refusal(CORRUPT, "a volume is given twice: %s and %s"
                          % (first.path, volume.path), volume=volume.name,
                          todo="give each volume once")
        if volume.header["repository"] != volumes[0].header["repository"]:
            raise Refusal(CORRUPT, "the file is of another repository (%s) than %s (%s)" % (
                volume.header["repository"].hex(), volumes[0].name,
                volumes[0].header["repository"].hex()), "V10", volume.name, "header.json")


def choose_snapshot(volumes, ring, wanted):
    """The last volume of the snapshot to restore, and its manifest."""
    if wanted is not None:
        volume = named_snapshot(volumes, wanted)
        return volume, open_manifest(volume, ring)
    last = [volume for volume in volumes if volume.is_last]
    if not last:
        raise no_last_volume({volume.archive for volume in volumes})
    found = [(volume, open_manifest(volume, ring)) for volume in last]
    if len({manifest["vm_uuid"] for _, manifest in found}) > 1:
        raise Refusal(USAGE, "the files hold snapshots of several VMs: " + "; ".join(
            "%s is %s (%s) of %s" % (v.archive, m["vm_name"], m["vm_uuid"], m["created"])
            for v, m in found), todo="choose one of them with --snapshot")
    found.sort(key=lambda pair: (pair[1]["created"], pair[0].snapshot["created"],
                                 pair[0].snapshot["sequence"]))
    for volume, manifest in found[:-1]:
        say("note: passed over snapshot %s of %s" % (volume.archive, manifest["created"]))
    return found[-1]


def named_snapshot(volumes, wanted):
    """--snapshot: an archive id or a unique beginning of one."""
    archives = sorted({v.archive for v in volumes if v.archive.startswith(wanted)})
    if not archives or len(archives) > 1:
        known = archives or sorted({v.archive for v in volumes if v.is_last})
        raise Refusal(USAGE, "%s snapshot begins with %s; there are: %s" % (
            "more than one" if archives else "no", wanted, ", ".join(known) or "none"),
            todo="give the whole id with --snapshot")
    last = [v for v in volumes if v.archive == archives[0] and v.is_last]
    if not last:
        raise no_last_volume(archives)
    return max(last, key=lambda volume: volume.number)


def no_last_volume(archives):
    """Without the last volume nobody knows what the archive holds."""
    return Refusal(CORRUPT, "there is no snapshot: the last volume is missing of archive %s"
                   % ", ".join(sorted(archives)),
                   todo="give the last volume of the archive as well")


def check_last(volumes, last):
    """Of the volumes of the snapshot's archive only the last is a last one (S5)."""
    for volume in volumes:
        if volume.archive == last.archive and (
                volume.number > last.number or volume.is_last and volume is not last):
            raise Refusal(CORRUPT, "the archive has two last volumes, or one behind its last (%d)"
                          % last.number, "S5", volume.name, "snapshot" if volume.is_last else None)


def explain_missing(refusal, volumes, last):
    """A chunk that is nowhere (P4) lies in a volume that was not given, if there is one. That
    volumes are missing is no fault by itself: in a portable archive the last one has it all."""
    numbers = {v.number for v in volumes if v.archive == last.archive}
    missing = [volume_name(last.archive, n) for n in range(1, last.number) if n not in numbers]
    if refusal.rule != "P4" or not missing:
        return refusal
    return Refusal(CORRUPT, "%s; a volume of the archive is missing: %s" % (
        refusal.what, ", ".join(missing[:20])), "P4", missing[0], todo="give this file as well")


# ---- Restoring ---------------------------------------------------------------------------------

THREADS = min(4, os.cpu_count() or 1)


class Restore:
    """One snapshot, checked, and then written."""

    def __init__(self, volumes, last, manifest, ring):
        own = [v for v in volumes if v.archive == last.archive]
        others = [v for v in volumes if v.archive != last.archive]
        self.volumes = own + others          # the own ones first: their places are tried first
        self.own_count = len(own)
        self.last, self.manifest, self.ring = last, manifest, ring
        id_key = bytes.fromhex(manifest["id_key"])
        private = ring.child(last.header["content_key"], last.header["archive"], b"private id key")
        self.catalog = Catalog(self.volumes, ring, id_key)
        self.components = [
            Component(value, manifest["chunk_size"],
                      private if value["scope"] == "private" else id_key, manifest["platform"])
            for value in manifest["components"]]

    def check_names(self):
        """Names become files: plain ones, all distinct. "A reader takes no name as a path"."""
        names = [c.file_name for c in self.components]
        names += self.last.key_members() + list(self.last.added)
        seen = set()
        is_name = is_export_path if self.manifest["platform"] == "hyper-v" else is_file_name
        for name in names:
            if not is_name(name) or name in seen:
                raise Refusal(CORRUPT, "two files would have the name %s" % name,
                              volume=self.last.name, member="manifest",
                              todo="this snapshot can only be restored with Sealift")
            seen.add(name)

    def check_own_volumes(self, pool):
        """Every byte of the archive, then its indexes; indexes of other archives as far as keys
        for them are there."""
        for _ in pool.map(Volume.check_every_byte, self.volumes[:self.own_count]):
            pass
        for number, volume in enumerate(self.volumes):
            try:
                self.catalog.load_index(number)
            except Refusal as refusal:
                if number < self.own_count or refusal.status not in (WRONG_KEY, UNSUPPORTED):
                    raise
                say("note: the index of %s cannot be opened (%s)" % (volume.name, refusal.rule))

    def check_trees(self, pool):
        """Opens every page, and makes sure that every chunk is somewhere; then checks every byte
        of all volumes that will be used. (Further places of a chunk are used only when the first
        one fails; `Catalog.open` checks their volumes then.)"""
        used = set()
        for component in self.components:
            say("looking for the chunks of %s" % component.title)
            for chunk in component.chunks(self.catalog):
                if not self.catalog.can_find(DATA, chunk.id):
                    raise missing_chunk(chunk.id, component.title)
                used.update(place[0] for place in self.catalog.places(DATA, chunk.id)[:1])
        for _ in pool.map(Volume.check_every_byte, [self.volumes[n] for n in sorted(used)]):
            pass
        unneeded = [volume for volume in self.volumes if volume.segments is None]
        if len(unneeded) == 1:
            say("note: %s is not needed" % unneeded[0].name)
        elif unneeded:
            say("note: %d other volumes are not needed" % len(unneeded))

    def encrypted_guest_states(self):
        """The contents of guest-state components that are encrypted swtpm state files."""
        states = []
        for component in self.components:
            if component.kind != "guest-state" or self.manifest["platform"] != "libvirt" \
                    or component.size > MAX_GUEST_STATE:
                continue
            state = bytearray(component.size)
            for chunk in component.chunks(self.catalog):
                state[chunk.offset:chunk.offset + chunk.size] = component.open_chunk(
                    self.catalog, chunk)
            if is_encrypted_swtpm(state):
                states.append((component.title, bytes(state)))
            else:
                say("note: %s is no encrypted swtpm state; no key is proved against it"
                    % component.title)
        return states

    def plaintexts(self, component, pool):
        """Offset and plaintext of every chunk, in order; some are opened ahead in threads."""
        pending = collections.deque()
        try:
            for chunk in component.chunks(self.catalog):
                pending.append((chunk.offset,
                                pool.submit(component.open_chunk, self.catalog, chunk)))
                if len(pending) > 2 * THREADS:
                    offset, future = pending.popleft()
                    yield offset, future.result()
            while pending:
                offset, future = pending.popleft()
                yield offset, future.result()
        finally:
            for _, future in pending:
                future.cancel()

    def write(self, output, pool):
        """All files; what was written, as lines for standard output."""
        lines = []
        for component in self.components:
            say("writing %s" % component.file_name)
            output.write_sparse(component.file_name, component.size,
                                self.plaintexts(component, pool))
            lines.append("%s  %d bytes" % (component.file_name, component.size))
        for member, data in self.last.key_texts():
            output.write_sparse(member, len(data), [(0, data)])
            lines.append("%s  %d bytes" % (member, len(data)))
        return lines


class Output:
    """The folder that is written to. `remove` leaves everything as it was before."""

    def __init__(self, path):
        self.path = path
        self.fd = -1
        self.is_new = False
        self.old_mode = None
        self.created = []                  # names in the folder
        self.folders = []                  # and folders, each after the one it lies in
        self.revealed = None

    def check(self):
        """The folder must be new or empty."""
        try:
            if os.listdir(self.path):
                raise Refusal(REFUSED, "the folder %s is not empty" % self.path,
                              todo="name a new folder with --out")
        except FileNotFoundError:
            if os.path.islink(self.path):
                raise Refusal(REFUSED, "%s is a link to nothing" % self.path) from None
            check_parent(self.path)
        except NotADirectoryError:
            raise Refusal(REFUSED, "%s is no folder" % self.path,
                          todo="name a new folder with --out") from None
        except OSError as error:
            raise system_error(error, "cannot read the folder %s" % self.path) from None

    def create(self):
        """Makes the folder, 0700, or takes the empty one."""
        self.check()
        try:
            os.mkdir(self.path, 0o700)
            self.is_new = True
        except FileExistsError:
            pass
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.old_mode = stat.S_IMODE(os.fstat(self.fd).st_mode)
        os.fchmod(self.fd, 0o700)

    def write_sparse(self, name, size, pieces):
        """A new file of exactly this size; pieces of zeros only stay holes."""
        zeros = bytes(MAX_CHUNK)
        self.make_folders(name)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                     0o600, dir_fd=self.fd)
        self.created.append(name)
        try:
            os.fchmod(fd, 0o600)
            os.ftruncate(fd, size)
            for offset, piece in pieces:
                if piece != zeros[:len(piece)]:
                    write_all(fd, piece, offset)
            os.fsync(fd)
        finally:
            os.close(fd)

    def make_folders(self, name):
        """Those that a Hyper-V VM's file lies in, below the folder."""
        parts = name.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            folder = "/".join(parts[:count])
            if folder not in self.folders:
                os.mkdir(folder, 0o700, dir_fd=self.fd)
                self.folders.append(folder)

    def reveal(self, path, key):
        """The protection key, to a file that is not there yet."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                     0o600)
        self.revealed = path
        try:
            os.fchmod(fd, 0o600)
            write_all(fd, key, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_folder(os.path.dirname(os.path.abspath(path)))

    def sync(self):
        """The names are durable, too."""
        for folder in self.folders:
            sync_folder(os.path.join(self.path, folder))
        os.fsync(self.fd)
        if self.is_new:
            sync_folder(os.path.dirname(os.path.abspath(self.path)))

    def remove(self):
        """Removes everything that was created."""
        if self.revealed is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.revealed)
        for name in self.created:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self.fd)
        for folder in reversed(self.folders):
            with contextlib.suppress(OSError):
                os.rmdir(folder, dir_fd=self.fd)
        with contextlib.suppress(OSError):
            if self.is_new:
                os.rmdir(self.path)
            elif self.old_mode is not None:
                os.fchmod(self.fd, self.old_mode)


def write_all(fd, data, offset):
    """All of the data at this offset."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def sync_folder(path):
    """Makes the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def check_reveal(path, out):
    """Nothing is overwritten with the protection key; its folder is there, or is --out."""
    if path is None:
        return
    if os.path.lexists(path):
        raise Refusal(REFUSED, "the file %s exists" % path,
                      todo="name a new file with --reveal-protection-key")
    if os.path.dirname(os.path.abspath(path)) != os.path.abspath(out):
        check_parent(path)


def check_parent(path):
    """Says now, and not after hours, that something cannot be created."""
    parent = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        raise Refusal(SYSTEM, "cannot create %s: its folder is not there or read-only" % path)


# ---- Command line ------------------------------------------------------------------------------

class Parser(argparse.ArgumentParser):
    """Errors in the form of all others."""

    def error(self, message):
        raise Refusal(USAGE, "the command line is wrong: %s" % message)


def parse_arguments(arguments):
    """The command line."""
    parser = Parser(prog="emergency-restore.py", description=__doc__, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identity", required=True, metavar="K")
    parser.add_argument("--passphrase-file", metavar="F")
    parser.add_argument("--signer", required=True, action="append", metavar="S")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--snapshot", metavar="ID")
    parser.add_argument("--reveal-protection-key", metavar="FILE")
    parser.add_argument("files", nargs="+", metavar="FILE.tar")
    options = parser.parse_args(arguments)
    if options.snapshot is not None and not re.fullmatch("[0-9a-f]{1,32}", options.snapshot):
        raise Refusal(USAGE, "--snapshot %s is no beginning of an archive id" % options.snapshot)
    return options


def read_small(path, what):
    """A key or passphrase file."""
    try:
        with open(path, "rb") as file:
            return file.read(MIB)
    except OSError as error:
        raise system_error(error, "cannot read the %s %s" % (what, path), NOT_FOUND) from None


def read_passphrase(path):
    """The first line of the file, or what the operator types; None when there is neither."""
    if path is not None:
        return read_small(path, "passphrase file").split(b"\n")[0].rstrip(b"\r")
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass("Passphrase of the recovery key: ").encode("utf-8")
    return None


def load_identity(path, passphrase_file):
    """The recovery key: an RSA private key in PEM, perhaps with a passphrase."""
    data = read_small(path, "recovery key")
    try:
        try:
            key = serialization.load_pem_private_key(data, None)
        except TypeError:                              # it is encrypted
            passphrase = read_passphrase(passphrase_file)
            if passphrase is None:
                raise Refusal(WRONG_KEY, "the recovery key %s has a passphrase, and none is given"
                              % path, todo="give it with --passphrase-file") from None
            key = serialization.load_pem_private_key(data, passphrase)
    except Refusal:
        raise
    except Exception:                   # ValueError, UnsupportedAlgorithm, an OpenSSL error, ...
        raise Refusal(WRONG_KEY, "the recovery key %s cannot be read: it is no PEM private key, "
                      "or the passphrase is wrong" % path) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Refusal(WRONG_KEY, "the recovery key %s is no RSA key" % path)
    return Identity(key)


def load_signers(paths):
    """Signer id (SHA-256 of the SubjectPublicKeyInfo DER: record.md section 2) -> public key."""
    signers = {}
    for path in paths:
        data = read_small(path, "signer")
        try:
            key = serialization.load_pem_public_key(data)
        except Exception:               # see load_identity
            key = None
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise Refusal(USAGE, "--signer %s is no Ed25519 public key in PEM" % path)
        der = key.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)
        signers[hashlib.sha256(der).digest()] = key
    return signers


def run(options):
    """The whole work; the lines for standard output."""
    signers = load_signers(options.signer)
    ring = KeyRing(load_identity(options.identity, options.passphrase_file))
    output = Output(options.out)
    output.check()
    check_reveal(options.reveal_protection_key, options.out)
    volumes = [Volume(path) for path in options.files]
    try:
        for volume in volumes:
            volume.open(signers)
            ring.add_envelopes(volume.header["envelopes"])
        check_volumes_agree(volumes)
        last, manifest = choose_snapshot(volumes, ring, options.snapshot)
        say("note: taken is snapshot %s of %s (%s), %s" % (
            last.archive, manifest["vm_name"], manifest["vm_uuid"], manifest["created"]))
        for verdict in manifest["verdicts"]:
            if verdict["state"] != "complete":
                say("note: %s is %s: %s" % (verdict["component"] or "the snapshot",
                                            verdict["state"], verdict["reason"]))
        check_last(volumes, last)
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            try:
                return restore_snapshot(Restore(volumes, last, manifest, ring), output, pool,
                                        options.reveal_protection_key)
            except Refusal as refusal:
                raise explain_missing(refusal, volumes, last)
    finally:
        for volume in volumes:
            volume.close()


def restore_snapshot(restore, output, pool, reveal):
    """Checks everything, and only then writes."""
    restore.check_names()
    restore.check_own_volumes(pool)
    restore.check_trees(pool)
    key = find_protection_key(restore, reveal is not None)
    try:
        output.create()
        lines = restore.write(output, pool)
        output.sync()
        if reveal is not None:
            output.reveal(reveal, key)
            lines.append("%s  %d bytes" % (reveal, len(key)))
        return lines
    except BaseException:
        ignore_signals()
        output.remove()
        raise


def ignore_signals():
    """Nothing interrupts the removal."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):          # not the main thread
            signal.signal(number, signal.SIG_IGN)


def stop(number, _):
    """A signal: what was created is removed on the way out."""
    raise Stopped(number)


def prepare_process():
    """No core dumps with keys in them; as many open files as there may be volumes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def print_results(lines):
    """One line for each file on standard output. That nobody reads them undoes nothing."""
    try:
        for line in lines:
            print(plain(line), flush=True)
    except OSError as error:
        with contextlib.suppress(OSError):             # else the interpreter tries it again
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise Refusal(SYSTEM, "everything was restored, but the list of files cannot be written: "
                      "%s" % error.strerror, todo="look into the folder") from None


def main(arguments):
    """Runs, and reports; the exit status."""
    try:
        prepare_process()
        print_results(run(parse_arguments(arguments)))
        return DONE
    except Refusal as refusal:
        refusal.report()
        return refusal.status
    except FileExistsError as error:
        refusal = Refusal(REFUSED, "the file %s exists" % error.filename)
    except OSError as error:
        refusal = system_error(error, "the operating system refused to work with %s"
                               % (error.filename or "the output"))
    except MemoryError:
        refusal = Refusal(SYSTEM, "there is not enough memory")
    except Stopped as stopped:
        refusal = Refusal(128 + stopped.number, "stopped by a signal; nothing was restored",
                          todo="run the command again")
    except Exception as error:            # without its text and trace: a key might stand in them
        refusal = Refusal(DEFECT, "defect of the program: %s" % type(error).__name__,
                          todo="report the command line and this error")
    refusal.report()
    return refusal.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
