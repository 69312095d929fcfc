# shellcheck shell=bash
# What the benches share: one cluster with a key vault, a folder for repositories, and what measures. To be sourced.
#
#   SEALIFT   the program (default: build/release/cli/sealift)
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=$(dirname "$(dirname "$here")")
# shellcheck source=tests/integration/bed/lib.sh
. "$top/tests/integration/bed/lib.sh"
SEALIFT=$(readlink -f "${SEALIFT:-$top/build/release/cli/sealift}")

# bench_up RESULTS: starts it. Sets results (a file; RESULTS may be empty), images, and IN_A, the words before a command
# that runs in cluster A.
bench_up() {
  "$top/scripts/setup" build run bed bench
  trap bed_down EXIT
  bed_up
  results=${1:-$BED/results}
  : > "$results"
  images=$BED/A/lib/images
  mkdir "$BED/outside/safe" "$BED/outside/repositories" "$BED/outside/public"
  chmod 700 "$BED/outside/safe"
  bed_mount A "$BED/outside/repositories" /mnt/repositories rw
  "$SEALIFT" keyvault new-recovery-key --out "$BED/outside/safe/one.pem" > /dev/null 2>&1
  cp "$BED/outside/safe/one.pub.pem" "$BED/outside/public/"
  bed_mount A "$BED/outside/public" /mnt/public ro
  bed_mount A "$BED/outside/safe/one.pem" /mnt/one.pem ro
  in_cluster A "$SEALIFT" keyvault init > /dev/null
  # shellcheck disable=SC2034 # For who sources this.
  mapfile -t IN_A < <(printf '%s\n' nsenter --mount --target "$(bed_holder A)" --)
}

measure() { "$here/measure.py" "$results" "$@"; }

# new_repository NAME [OPTION...]: a new one; sets repository, and stored, which is its folder outside the cluster.
new_repository() {
  repository=/mnt/repositories/$1
  stored=$BED/outside/repositories/$1
  rm -rf "$stored"
  in_cluster A "$SEALIFT" repo init --repo "$repository" --recipient /mnt/public/one.pub.pem "${@:2}" > /dev/null 2>&1
}

disk_xml() {
  echo "<disk type='file' device='disk'><driver name='qemu' type='$2' cache='none' discard='unmap'/>
    <source file='$BED_IMAGES/$1'/><target dev='vdc' bus='virtio'/></disk>"
}

# make_first_image: $BED/A/first.img, 8 GiB of ext4 with a copy of /usr.
make_first_image() {
  echo "# the image: ext4 with a copy of /usr" >&2
  truncate -s 8G "$BED/A/first.img"
  mkfs.ext4 -q -d /usr "$BED/A/first.img" > /dev/null 2>&1
}

# change_raw IMAGE SEED: random content in 1 % of its blocks of 64 KiB.
change_raw() {
  python3 - "$1" "$2" <<'PY'
import os, random, sys
random.seed(int(sys.argv[2]))
blocks = os.path.getsize(sys.argv[1]) // 65536
with open(sys.argv[1], "r+b") as image:
    for block in random.sample(range(blocks), blocks // 100):
        image.seek(block * 65536)
        image.write(os.urandom(65536))
PY
}

# change_live TAG SEED [BLOCKS GIB]: the same on a running VM's disk, through its QEMU, over one connection to libvirt; or
# BLOCKS such blocks on a disk of GIB.
change_live() {
  local alias
  alias=$(vsh A dumpxml "$(bed_uuid "$1")" | python3 -c '
import sys, xml.etree.ElementTree as tree
for disk in tree.parse(sys.stdin).iter("disk"):
    if disk.find("target").get("dev") == "vdc": print(disk.find("alias").get("name"))')
  rm -rf "$images/noise"
  mkdir "$images/noise"
  python3 - "$(bed_uuid "$1")" "$alias" "$2" "$images/noise" "$BED_IMAGES/noise" "${3:-1310}" "${4:-8}" \
    > "$BED/A/commands" <<'PY'
import json, os, random, sys
vm, alias, seed, here, there, count, gib = sys.argv[1:]
random.seed(int(seed))
for n, block in enumerate(random.sample(range((int(gib) << 30) // 65536), int(count))):
    with open(f"{here}/{n}", "wb") as file:
        file.write(os.urandom(65536))
    line = f'qemu-io -d /machine/peripheral/{alias}/virtio-backend "write -q -s {there}/{n} {block * 64}k 64k"'
    print(f"qemu-monitor-command {vm} '" + json.dumps(
        {"execute": "human-monitor-command", "arguments": {"command-line": line}}) + "'")
PY
  in_cluster A virsh -q -c qemu:///system < "$BED/A/commands" > "$BED/A/answers" 2>&1
  if [ "$(grep -c '"return":""' "$BED/A/answers")" != "$(wc -l < "$BED/A/commands")" ]; then
    bed_fail "QEMU did not take all the writes: $(grep return "$BED/A/answers" | sort | uniq -c | head -n 3)"
  fi
  rm -rf "$images/noise"
}

# idle TAG: waits until the VM, which has nothing to boot, stands still.
idle() { bed_wait_console A "$1" 'No bootable option' > /dev/null; }
