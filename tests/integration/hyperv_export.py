#!/usr/bin/python3
"""Makes what Hyper-V and Azure Local would export, from the pages in docs/format alone.

hyperv_export.py vm FOLDER --id ID --name NAME [--disk NAME]... [--iso NAME] [--state plain|gsp-key|gsp-by-id|empty]
                 [--bios GUID] [--merge-pending]       Virtual Machines/ID.vmcx, .VMRS and .vmgs
hyperv_export.py child PARENT CHILD [--seed N]         a differencing disk, one MiB of it referred to by nothing
hyperv_export.py key HEX RECIPIENT.pem OUT [--enc E] [--hash H]   as Export-MocKey wraps it
hyperv_export.py finish FOLDER --cluster NAME [--vm ID:NAME:yes|no]...   sealift-export.json, as the script writes it
hyperv_export.py data FILE                             SHA-256 of what a .vhdx's structures refer to, and of nothing else
"""
import argparse
import base64
import hashlib
import importlib.util
import json
import pathlib
import struct
import uuid

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
KIB, MIB = 1 << 10, 1 << 20
BAT, METADATA = "2dc27766-f623-4200-9d64-115e9bfd4a08", "8b7ca206-4790-4b9a-b8fe-575f050f886e"
PARAMETERS, DISK_SIZE = "caa16737-fa36-4d43-b3b6-33f0aa44e76b", "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
SECTOR, PHYSICAL = "8141bf1d-a96f-4709-ba47-f233a8faab5f", "cda348c7-445d-4471-9cc9-e9885251c556"
PAGE_83, LOCATOR = "beca12ab-b2e6-4523-93ef-c309e000c746", "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
LOCATOR_TYPE = "b04aefb7-d19e-4a81-b789-25b8e9445913"


def vectors(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), VECTORS / name / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- A VM: hyperv-storage.md, vmgs.md -----------------------------------------------------------

def make_vm(options):
    make = vectors("hyperv-storage")
    folder = options.folder / "Virtual Machines"
    folder.mkdir(parents=True, exist_ok=True)
    name = options.id.upper()
    storage = make.Storage()
    top = storage.add((0, 0), "configuration", make.NODE)
    properties = storage.add(top, "properties", make.NODE)
    for key, content in (("global_id", name), ("name", options.name)):
        storage.add(properties, key, make.TEXT, content)
    storage.add(properties, "version", make.SIGNED, 12 * 256)
    storage.add(properties, "subtype", make.SIGNED, 1)
    settings = storage.add(storage.add(top, "settings", make.NODE), "global", make.NODE)
    storage.add(settings, "logical_id", make.TEXT, name)
    state = storage.add(top, make.STATE, make.NODE)
    storage.add(state, "StateFilePath", make.TEXT, f"C:\\ClusterStorage\\vms\\{name}.vmgs")
    firmware = storage.add(top, make.FIRMWARE, make.NODE)
    storage.add(firmware, "bios_guid", make.TEXT, "{" + options.bios + "}")
    storage.add(firmware, "secure_boot_enabled", make.BOOL, 1)
    controller = storage.add(storage.add(top, make.SCSI, make.NODE), "controller0", make.NODE)
    drives = [("VHD", disk) for disk in options.disk] + [("ISO", iso) for iso in options.iso]
    for number, (kind, file) in enumerate(drives):
        drive = storage.add(controller, f"drive{number}", make.NODE)
        storage.add(drive, "pathname", make.TEXT, f"C:\\ClusterStorage\\disks\\{file}")
        storage.add(drive, "type", make.TEXT, kind)
    shared = storage.add(top, "global_settings", make.NODE)
    storage.add(shared, "disk_merge_pending", make.BOOL, int(options.merge_pending))
    storage.write(folder.resolve() / f"{name}.vmcx")
    saved = make.Storage()
    saved.add(saved.add((0, 0), "metrics", make.NODE), "VmVersion", make.SIGNED, 12 * 256)
    saved.write(folder.resolve() / f"{name}.VMRS")
    (folder / f"{name}.vmgs").write_bytes((VECTORS / "vmgs" / f"{options.state}.vmgs").read_bytes())


# ---- A differencing disk: vhdx.md ---------------------------------------------------------------

def crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


CRC32C = crc32c_table()


def with_crc(data):
    """CRC-32C at 4, of the whole with the field zero."""
    data = bytearray(data)
    data[4:8] = bytes(4)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    struct.pack_into("<I", data, 4, crc ^ 0xFFFFFFFF)
    return bytes(data)


def guid(text):
    return uuid.UUID(text).bytes_le


class Vhdx:
    """What is needed of one that is there."""

    def __init__(self, path):
        self.data = path.read_bytes()
        headers = [self.data[at:at + 4096] for at in (64 * KIB, 128 * KIB)]
        header = max((h for h in headers if h[:4] == b"head"), key=lambda h: struct.unpack_from("<Q", h, 8))
        self.data_write_id = uuid.UUID(bytes_le=header[32:48])
        self.log = struct.unpack_from("<IQ", header, 68)
        self.bat, self.metadata = self.region(BAT), self.region(METADATA)
        self.block_size, self.flags = struct.unpack("<II", self.item(PARAMETERS))
        self.size, = struct.unpack("<Q", self.item(DISK_SIZE))
        self.sector, = struct.unpack("<I", self.item(SECTOR))
        self.ratio = (1 << 23) * self.sector // self.block_size

    def region(self, wanted):
        for n in range(struct.unpack_from("<I", self.data, 192 * KIB + 8)[0]):
            at = 192 * KIB + 16 + n * 32
            if self.data[at:at + 16] == guid(wanted):
                return struct.unpack_from("<QI", self.data, at + 16)
        raise SystemExit("no such region")

    def item(self, wanted):
        table = self.metadata[0]
        for n in range(struct.unpack_from("<H", self.data, table + 10)[0]):
            at = table + 32 + n * 32
            if self.data[at:at + 16] == guid(wanted):
                place, length = struct.unpack_from("<II", self.data, at + 16)
                return self.data[table + place:table + place + length]
        raise SystemExit("no such item")

    def referenced(self):
        """Whole MiB, each once."""
        runs = [(0, MIB), (self.log[1], self.log[0]), self.bat, self.metadata]
        for n in range(self.bat[1] // 8):
            entry, = struct.unpack_from("<Q", self.data, self.bat[0] + n * 8)
            if entry & 7 in (6, 7):
                is_bitmap = n % (self.ratio + 1) == self.ratio
                runs.append((entry >> 20 << 20, MIB if is_bitmap else self.block_size))
        return sorted({at // MIB for first, size in runs for at in range(first, first + size, MIB)})


def locator(parent):
    values = [("parent_linkage", "{%s}" % parent.data_write_id), ("relative_path", ".\\base.vhdx"),
              ("absolute_win32_path", "C:\\ClusterStorage\\disks\\base.vhdx")]
    head = guid(LOCATOR_TYPE) + struct.pack("<HH", 0, len(values))
    text, entries, at = b"", b"", len(head) + 12 * len(values)
    for pair in values:
        key, value = (part.encode("utf-16-le") for part in pair)
        entries += struct.pack("<IIHH", at + len(text), at + len(text) + len(key), len(key), len(value))
        text += key + value
    return head + entries + text


def make_child(options):
    parent = Vhdx(options.parent)
    blocks = -(-parent.size // parent.block_size)
    noise = hashlib.shake_256(b"%d" % options.seed)
    own_id = uuid.UUID(bytes=hashlib.sha256(b"child %d" % options.seed).digest()[:16])
    groups = -(-blocks // parent.ratio)
    bat = bytearray(-(-groups * (parent.ratio + 1) * 8 // MIB) * MIB)
    first = 3 * MIB + len(bat)            # What nothing refers to; then a whole block, a bitmap, a part of a block.
    whole, bitmap = first + MIB, first + MIB + parent.block_size
    part = bitmap + MIB
    struct.pack_into("<Q", bat, 0, whole | 6)
    struct.pack_into("<Q", bat, 8, part | 7)
    struct.pack_into("<Q", bat, parent.ratio * 8, bitmap | 6)
    items = [(PARAMETERS, struct.pack("<II", parent.block_size, 2), 4), (DISK_SIZE, struct.pack("<Q", parent.size), 6),
             (SECTOR, struct.pack("<I", parent.sector), 6), (PHYSICAL, struct.pack("<I", 4096), 6),
             (PAGE_83, own_id.bytes_le, 6), (LOCATOR, locator(parent), 4)]
    metadata = bytearray(MIB)
    metadata[0:12] = b"metadata" + struct.pack("<HH", 0, len(items))
    at = 64 * KIB
    for n, (name, content, flags) in enumerate(items):
        metadata[32 + n * 32:64 + n * 32] = guid(name) + struct.pack("<IIII", at, len(content), flags, 0)
        metadata[at:at + len(content)] = content
        at += len(content)
    regions = b"regi" + bytes(4) + struct.pack("<II", 2, 0)
    regions += guid(BAT) + struct.pack("<QII", 3 * MIB, len(bat), 1)
    regions += guid(METADATA) + struct.pack("<QII", 2 * MIB, MIB, 1)
    image = bytearray(part + parent.block_size)
    image[0:8] = b"vhdxfile"
    for n, place in enumerate((64 * KIB, 128 * KIB)):
        head = b"head" + struct.pack("<IQ", 0, n + 1) + own_id.bytes_le * 2 + bytes(16)
        head += struct.pack("<HHIQ", 0, 1, MIB, MIB)
        image[place:place + 4096] = with_crc(head.ljust(4096, b"\0"))
    for place in (192 * KIB, 256 * KIB):
        image[place:place + 64 * KIB] = with_crc(regions.ljust(64 * KIB, b"\0"))
    image[2 * MIB:3 * MIB] = metadata
    image[3 * MIB:first] = bat
    image[first:whole] = b"stale" * (MIB // 5) + b"!"
    image[whole:bitmap] = noise.digest(parent.block_size)
    image[bitmap:bitmap + 4096] = b"\x0f" * 4096
    image[part:] = noise.digest(2 * parent.block_size)[parent.block_size:]
    options.child.write_bytes(bytes(image))


def print_data(options):
    disk = Vhdx(options.file)
    digest = hashlib.sha256(b"%d" % len(disk.data))
    for number in disk.referenced():
        digest.update(b"%d" % number + disk.data[number * MIB:(number + 1) * MIB])
    print(digest.hexdigest())


# ---- Keys: key-json.md --------------------------------------------------------------------------

def wrap_key(options):
    text = options.recipient.read_bytes()
    public = serialization.load_pem_public_key(text)
    chosen = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384}[options.hash]()
    ephemeral = hashlib.sha256(options.hex.encode()).digest()
    blob = public.encrypt(ephemeral, padding.OAEP(padding.MGF1(chosen), chosen, None))
    blob += keywrap.aes_key_wrap_with_padding(ephemeral, bytes.fromhex(options.hex))
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    value = {"public-key": "", "private-key": base64.urlsafe_b64encode(blob).decode(), "private-key-wrapping-info": {
        "key-name": "", "public-key": base64.urlsafe_b64encode(der).decode(), "enc": options.enc}}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(value, separators=(",", ":")), encoding="ascii")


# ---- What Export-SealiftVM.ps1 writes last ------------------------------------------------------

def finish(options):
    inventory = []
    for text in options.vm:
        number, name, has_key = text.split(":")
        inventory.append({"id": number, "name": name, "guest_state_isolation_type": "TrustedLaunch",
                          "has_key": has_key == "yes"})
    files = [{"path": path.relative_to(options.folder).as_posix(), "size": path.stat().st_size,
              "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
             for path in sorted(options.folder.rglob("*")) if path.is_file() and not path.name.startswith("sealift-")]
    names = {pathlib.PurePosixPath(file["path"]).name.lower() for file in files}
    vms = [{"id": vm["id"], "name": vm["name"], "guest_state_isolation_type": "TrustedLaunch",
            "protection_key": vm["id"].lower() + "_256.json" in names}
           for vm in inventory if vm["id"].lower() + ".vmcx" in names]
    value = {"format": 1, "written_by": "Export-SealiftVM.ps1 1.0", "cluster": options.cluster, "host": "NODE-1",
             "host_build": "10.0.26100.32230", "created": "2026-11-27T20:15:07Z",
             "vms": vms, "inventory": inventory, "files": files}
    (options.folder / "sealift-export.json").write_text(json.dumps(value), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    path = pathlib.Path
    command = commands.add_parser("vm")
    command.add_argument("folder", type=path)
    for name in ("--id", "--name"):
        command.add_argument(name, required=True)
    command.add_argument("--disk", action="append", default=[])
    command.add_argument("--iso", action="append", default=[])
    command.add_argument("--state", default="gsp-key")
    command.add_argument("--bios", default="5d9e4f0a-1c7b-4b7e-9a55-0a3c6f2d8e11")
    command.add_argument("--merge-pending", action="store_true")
    command.set_defaults(run=make_vm)
    command = commands.add_parser("child")
    command.add_argument("parent", type=path)
    command.add_argument("child", type=path)
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=make_child)
    command = commands.add_parser("key")
    command.add_argument("hex")
    command.add_argument("recipient", type=path)
    command.add_argument("out", type=path)
    command.add_argument("--enc", default="CKM_RSA_AES_KEY_WRAP")
    command.add_argument("--hash", default="sha1")
    command.set_defaults(run=wrap_key)
    command = commands.add_parser("finish")
    command.add_argument("folder", type=path)
    command.add_argument("--cluster", required=True)
    command.add_argument("--vm", action="append", default=[])
    command.set_defaults(run=finish)
    command = commands.add_parser("data")
    command.add_argument("file", type=path)
    command.set_defaults(run=print_data)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
