#!/usr/bin/python3
"""shared_clusters.py FILE GIB: a qcow2 image of GIB, a quarter of it data, that takes less than 400 MiB on disk.

Every 64 KiB of its data are distinct: they are pairs of 4,096 clusters of 32 KiB, each of which holds 64 random bytes,
repeated. Clusters that a qcow2 image uses more than once are what internal snapshots make (QEMU, docs/interop/qcow2.txt);
QEMU copies one before it writes to it. Of every 512 MiB the first 128 MiB are data.
"""
import os
import struct
import sys

CLUSTER = 32768
DISTINCT = 4096
PER_TABLE = CLUSTER // 8
SHARED = 1 << 40  # a reference count that no number of writes brings down to zero


def main():
    path, gib = sys.argv[1], int(sys.argv[2])
    size = gib << 30
    slots = size // (PER_TABLE * CLUSTER)
    tables = slots // 4
    l1_clusters = -(-slots * 8 // CLUSTER)
    fixed = 2 + l1_clusters  # the header, the table of reference counts, the L1 table
    total = fixed + DISTINCT + tables
    blocks = -(-total // PER_TABLE)
    total += blocks
    blocks = -(-total // PER_TABLE)
    first_block, first_data = fixed, fixed + blocks
    first_table = first_data + DISTINCT
    with open(path, "wb") as image:
        # Version 3, 72 bytes of version 2, then features (none), 64-bit reference counts, the header's length.
        header = struct.pack(
            ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, CLUSTER.bit_length() - 1, size, 0, slots, 2 * CLUSTER, CLUSTER, 1, 0, 0
        ) + struct.pack(">QQQII", 0, 0, 0, 6, 104)
        image.write(header)
        image.seek(CLUSTER)
        image.write(b"".join(struct.pack(">Q", (first_block + n) * CLUSTER) for n in range(blocks)))
        image.seek(2 * CLUSTER)
        l1 = [0] * slots
        for table in range(tables):
            l1[table * 4] = (first_table + table) * CLUSTER | 1 << 63
        image.write(struct.pack(f">{slots}Q", *l1))
        image.seek(first_block * CLUSTER)
        counts = [1] * first_data + [SHARED] * DISTINCT + [1] * tables
        image.write(struct.pack(f">{len(counts)}Q", *counts))
        image.seek(first_data * CLUSTER)
        for _ in range(DISTINCT):
            image.write(os.urandom(64) * (CLUSTER // 64))
        entries = [struct.pack(">Q", (first_data + n) * CLUSTER) for n in range(DISTINCT)]
        for table in range(tables):
            pairs = range(table * PER_TABLE // 2, (table + 1) * PER_TABLE // 2)
            image.write(b"".join(entries[n % DISTINCT] + entries[n // DISTINCT] for n in pairs))


if __name__ == "__main__":
    main()
