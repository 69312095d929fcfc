#!/usr/bin/python3
"""Writes the vectors of docs/format/hyperv-storage.md beside itself: a second implementation, from that page.

vm.vmcx is a VM's configuration, saved.VMRS a runtime state with memory in it. What a reader must refuse, the test makes
of them by changing bytes.
"""
import pathlib
import struct
import zlib

FOLDER = pathlib.Path(__file__).parent
PAGE = 4096
VM_ID = "0F3C2A64-9C1B-4E61-8D0A-5B1E7C0D9A42"
STATE = "_917bd8cb-3bb6-4124-9383-b7d21ac07f79_"
FIRMWARE = "_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_"
SCSI = "_d422512d-2bf2-4752-809d-7b82b5fcb1b4_"
SIGNED, DOUBLE, TEXT, BYTES, BOOL, NODE = 3, 5, 6, 7, 8, 9


def with_crc(data, at):
    data = bytearray(data)
    data[at : at + 4] = bytes(4)
    struct.pack_into("<I", data, at, zlib.crc32(data))
    return bytes(data)


def header(sequence, log_at):
    data = struct.pack("<IIHIIIIQQI", 0x01282014, 0, sequence, 0x0400, 0, 0, PAGE, log_at, 3 * PAGE, PAGE)
    return with_crc(data, 4)


def value(kind, content):
    if kind == SIGNED:
        return struct.pack("<q", content)
    if kind == DOUBLE:
        return struct.pack("<d", content)
    if kind == BOOL:
        return struct.pack("<I", content)
    if kind == TEXT:
        encoded = content.encode("utf-16-le")
        return struct.pack("<I", len(encoded)) + encoded
    if kind == BYTES:
        return struct.pack("<I", len(content)) + content
    return bytes(12)


class Storage:
    """Entries in tables of one page; a table that is full is ended with a free entry."""

    def __init__(self):
        self.tables = [bytearray(10)]
        self.children = {}

    def add(self, parent, name, kind, content=None, flags=0):
        stored = struct.pack("<IQ", *content) if flags & 1 else value(kind, content)
        encoded = name.encode() + b"\0"
        size = 21 + len(encoded) + len(stored) + 3  # Three bytes that belong to nothing.
        if len(self.tables[-1]) + size + 21 > PAGE:
            self.fill()
            self.tables.append(bytearray(10))
        self.children[parent] = self.children.get(parent, 0) + 1
        head = struct.pack("<BBIHIII", kind, flags, size, *parent, 0, self.children[parent])
        entry = with_crc(head + bytes([len(encoded)]) + encoded + stored, 12)
        place = (len(self.tables), len(self.tables[-1]))
        self.tables[-1] += entry + b"\xaa\xaa\xaa"
        return place

    def fill(self):
        rest = PAGE - len(self.tables[-1])
        self.tables[-1] += struct.pack("<BBIHIIIB", 1, 0, rest, 0, 0, 0, 0, 0).ljust(rest, b"\0")

    def write(self, name):
        self.fill()
        first_table = 4 * PAGE
        older_at = first_table + len(self.tables) * PAGE
        log_at = older_at + PAGE
        second_objects = 3 * PAGE
        objects = [(1, second_objects, PAGE)]
        keys = [(2, first_table + n * PAGE, PAGE) for n in range(len(self.tables))]
        keys.append((2, older_at, PAGE))  # An older copy of the first table, which does not count.
        image = bytearray(log_at + 34)
        image[0:46] = header(65535, log_at)
        image[PAGE : PAGE + 46] = header(0, log_at)  # 0 follows 65535.

        def put_objects(at, entries):
            struct.pack_into("<II", image, at, 0x01110001, 20)
            for n, (kind, place, size) in enumerate(entries):
                entry = with_crc(struct.pack("<BIQIB", kind, 0, place, size, 1), 1)
                image[at + 8 + n * 18 : at + 26 + n * 18] = entry

        put_objects(2 * PAGE, objects)
        put_objects(second_objects, keys)
        for n, table in enumerate(self.tables):
            table[0:10] = with_crc(struct.pack("<HHHI", 2, n + 1, 7, 0), 6)
            image[first_table + n * PAGE : first_table + (n + 1) * PAGE] = table
        older = with_crc(struct.pack("<HHHI", 2, 1, 6, 0), 6)
        image[older_at : older_at + 10] = older
        log = struct.pack("<IIIBIBQII", 0x01110003, 0, 0, 0, 145, 0, 0, 0, 0)
        image[log_at:] = with_crc(log, 4)
        (FOLDER / name).write_bytes(bytes(image))


def vmcx():
    storage = Storage()
    top = storage.add((0, 0), "configuration", NODE)
    properties = storage.add(top, "properties", NODE)
    storage.add(properties, "global_id", TEXT, VM_ID)
    storage.add(properties, "name", TEXT, "büro-01")
    storage.add(properties, "version", SIGNED, 12 * 256)
    storage.add(properties, "subtype", SIGNED, 1)
    storage.add(properties, "creation_time", BYTES, b"12345678")
    settings = storage.add(storage.add(top, "settings", NODE), "global", NODE)
    storage.add(settings, "logical_id", TEXT, VM_ID)
    storage.add(settings, "weight", DOUBLE, 0.5)
    state = storage.add(top, STATE, NODE)
    storage.add(state, "StateFilePath", TEXT, f"C:\\ClusterStorage\\Virtual Machines\\{VM_ID}.vmgs")
    firmware = storage.add(top, FIRMWARE, NODE)
    storage.add(firmware, "bios_guid", TEXT, "{5d9e4f0a-1c7b-4b7e-9a55-0a3c6f2d8e11}")
    storage.add(firmware, "secure_boot_enabled", BOOL, 1)
    controller = storage.add(storage.add(top, SCSI, NODE), "controller0", NODE)
    for n, (kind, path) in enumerate([("VHD", "C:\\disks\\system.vhdx"), ("VHD", "D:\\data.avhdx"), ("NONE", "")]):
        drive = storage.add(controller, f"drive{n}", NODE)
        storage.add(drive, "pathname", TEXT, path)
        storage.add(drive, "type", TEXT, kind)
    shared = storage.add(top, "global_settings", NODE)
    snapshots = storage.add(storage.add(shared, "snapshots", NODE), "list", NODE)
    storage.add(snapshots, "size", SIGNED, 2)
    storage.add(shared, "disk_merge_pending", BOOL, 0)
    manifest = storage.add(top, "manifest", NODE)
    for n in range(40):  # Enough for a second table.
        device = storage.add(manifest, "vdev", NODE)
        storage.add(device, "name", TEXT, f"device {n}")
    storage.write("vm.vmcx")


def vmrs():
    storage = Storage()
    state = storage.add((0, 0), "savedstate", NODE)
    storage.add(state, "VmVersion", SIGNED, 12 * 256)
    storage.add(state, "RamMemoryBlock0", BYTES, bytes(48))
    storage.add(state, "RamBlock0", BYTES, (1048576, 0x100000), flags=1)
    storage.write("saved.VMRS")


if __name__ == "__main__":
    vmcx()
    vmrs()
