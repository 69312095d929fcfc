#!/usr/bin/python3
"""Writes the vectors of docs/format/hyperv-storage.md beside itself: a second implementation, from that page.

vm.vmcx is a VM's configuration, saved.VMRS a runtime state with memory in it, logged.vmcx a configuration with changes
that wait in its replay log. What a reader must refuse, the test makes of them by changing bytes.
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
OBJECTS = 3 * PAGE  # The object table that names the key tables.
SIGNED, DOUBLE, TEXT, BYTES, BOOL, NODE = 3, 5, 6, 7, 8, 9


def with_crc(data, at):
    data = bytearray(data)
    data[at : at + 4] = bytes(4)
    struct.pack_into("<I", data, at, zlib.crc32(data))
    return bytes(data)


def header(sequence, log_at, log_size):
    data = struct.pack("<IIHIIIIQQI", 0x01282014, 0, sequence, 0x0400, 0, 0, PAGE, log_at, log_size, PAGE)
    return with_crc(data, 4)


def objects(entries):
    data = bytearray(PAGE)
    struct.pack_into("<II", data, 0, 0x01110001, 20)
    for n, (kind, place, size) in enumerate(entries):
        data[8 + n * 18 : 26 + n * 18] = with_crc(struct.pack("<BIQIB", kind, 0, place, size, 1), 1)
    return bytes(data)


def log_header(count):
    return with_crc(struct.pack("<IIIBIBQII", 0x01110003, 0, count, 0, 145, 0, 0, 0, 0), 4)


def log(changes):
    """Of (place, data), in the order in which they are given; data lie from the second page on."""
    head, data = log_header(len(changes)), b""
    for place, written in changes:
        head += with_crc(struct.pack("<QIQII", place, len(written), PAGE + len(data), 0, zlib.crc32(written)), 20)
        data += written
    return head.ljust(PAGE, b"\0") + data


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

    def table(self, n, sequence=7):
        return with_crc(struct.pack("<HHHI", 2, n + 1, sequence, 0), 6) + self.tables[n][10:]

    def write(self, name, log_size=3 * PAGE, changes=None):
        """`changes` gives the bytes of the log, from the places of the key tables and of the log."""
        self.fill()
        first_table = 4 * PAGE
        places = [first_table + n * PAGE for n in range(len(self.tables))]
        older_at = first_table + len(self.tables) * PAGE  # A copy of the first table, which does not count.
        log_at = older_at + PAGE
        self.keys = [(2, place, PAGE) for place in places + [older_at]]
        image = bytearray(log_at)
        image[0:46] = header(65535, log_at, log_size)
        image[PAGE : PAGE + 46] = header(0, log_at, log_size)  # 0 follows 65535.
        image[2 * PAGE : 3 * PAGE] = objects([(1, OBJECTS, PAGE)])
        image[OBJECTS : OBJECTS + PAGE] = objects(self.keys)
        for n, place in enumerate(places):
            image[place : place + PAGE] = self.table(n)
        image[older_at : older_at + 10] = with_crc(struct.pack("<HHHI", 2, 1, 6, 0), 6)
        image += changes(places, log_at) if changes else log_header(0)
        (FOLDER / name).write_bytes(bytes(image))


def vmcx(vm_name):
    storage = Storage()
    top = storage.add((0, 0), "configuration", NODE)
    properties = storage.add(top, "properties", NODE)
    storage.add(properties, "global_id", TEXT, VM_ID)
    storage.add(properties, "name", TEXT, vm_name)
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
    return storage, properties


def logged():
    """The VM gets another name, and its first note: in a new key table, behind the end of file and log."""
    before, _ = vmcx("büro-00")
    after, properties = vmcx("büro-01")
    after.fill()
    after.tables.append(bytearray(10))
    after.add(properties, "notes", TEXT, "written last")
    after.fill()
    log_size = 6 * PAGE

    def changes(places, log_at):
        new_at = log_at + log_size
        return log([
            (new_at, after.table(2)),
            (places[0], after.table(0, sequence=8)),
            (OBJECTS, objects(before.keys + [(2, new_at, PAGE)])),
        ])

    before.write("logged.vmcx", log_size, changes)


def vmrs():
    storage = Storage()
    state = storage.add((0, 0), "savedstate", NODE)
    storage.add(state, "VmVersion", SIGNED, 12 * 256)
    storage.add(state, "RamMemoryBlock0", BYTES, bytes(48))
    storage.add(state, "RamBlock0", BYTES, (1048576, 0x100000), flags=1)
    storage.write("saved.VMRS")


if __name__ == "__main__":
    vmcx("büro-01")[0].write("vm.vmcx")
    vmrs()
    logged()
