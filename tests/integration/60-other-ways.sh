#!/usr/bin/env bash
# VMs that cannot be read from QEMU's NBD server: one that is off, and one whose disk has an iothread, where Debian 12's
# QEMU would abort when a reader disconnects. Both are backed up whole, and nothing about them is changed.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
bed_guest A off --idle --fill 5 --boot raw --data overlay
bed_start A off
bed_wait_console A off 'No bootable option' > /dev/null
vsh A destroy "$(bed_uuid off)" > /dev/null
bed_guest A never --idle --fill 1
bed_guest A fast --idle --fill 40 --iothread
bed_start A fast
fast=$(bed_uuid fast)
qemu() { cat "$BED/A/run/qemu/$(bed_name fast).pid"; }
disks() { vsh A domblklist "$1"; }
files() { find "$BED/A/lib/images" -type f | sort; }
pid=$(qemu)
disks_before=$(disks "$fast")
touch "$WORK/clean-since"

# --- off ---
off=$(for disk in boot.img data.qcow2; do bed_disk_sha A "$BED_IMAGES/off-$disk"; done)
sealift A backup tl-off
exits 0 'a VM that is off is backed up'
is 'and stays off' 'shut off' "$(vsh A domstate "$(bed_uuid off)")"
is 'its disks are as they were' "$off" "$(for disk in boot.img data.qcow2; do bed_disk_sha A "$BED_IMAGES/off-$disk"; done)"
sealift A backup tl-never
is 'a VM that never ran, so that its vTPM does not exist yet, is refused or complete' yes \
  "$(if [ "$STATUS" = 0 ] || [ "$STATUS" = 5 ]; then echo yes; else echo "status $STATUS: $ERR"; fi)"

# --- another VM with the same content, in an image of another format: stored once ---
bed_guest A twin --idle --data raw
in_cluster A qemu-img convert -O raw "$BED_IMAGES/off-data.qcow2" "$BED_IMAGES/twin-data.img"
vsh A start "$(bed_uuid twin)" > /dev/null
vsh A destroy "$(bed_uuid twin)" > /dev/null
sealift A backup tl-twin --json
exits 0 'a VM whose disk another VM had is backed up'
at_least 'all of its disk was read' $((5 * 1024 * 1024)) "$(json 'd["changed_bytes"]')"
at_most 'and nothing of it stored again' $((768 * 1024)) "$(json 'd["stored_bytes"]')"

# --- an iothread ---
files_before=$(files)
sealift A backup tl-fast
exits 0 'a VM whose disk has an iothread is backed up'
a_is_clean fast 'after the backup'
is 'its QEMU is the same process' "$pid" "$(qemu)"
is 'its disks lie where they lay' "$disks_before" "$(disks "$fast")"
is 'and no file more' "$files_before" "$(files)"

begin() {
  nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" "$SEALIFT" backup tl-fast --full --read-limit 4 \
    > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PID=$!
}
for delay in 0.3 1 3; do
  begin
  sleep $delay
  kill -KILL "$PID"
  wait "$PID" 2> /dev/null || :
  sleep 1
  is "killed after $delay s: the guest runs" running "$(vsh A domstate "$fast")"
  is "killed after $delay s: its QEMU is the same process" "$pid" "$(qemu)"
done
sealift A backup tl-fast
exits 0 'after a kill, the next backup works'
a_is_clean fast 'after the next backup'
is 'the disks lie where they lay again' "$disks_before" "$(disks "$fast")"
is 'and what the killed one left is gone' "$files_before" "$(files)"

# --- what this host can do ---
repository_before=$(find "$REPOSITORY" | sort)
sealift A benchmark --json
exits 0 'the benchmark'
is 'it says what a backup and a restore will wait for' True \
  "$(json 'all(d[k]["limit"] and d[k]["bytes_per_second"] > 0 for k in ("backup", "restore"))')"
is 'the limits are words of their own' False "$(json 'any("," in d[k]["limit"] for k in ("backup", "restore"))')"
is 'it measured the storage too' True "$(json 'd["storage"]["write_bytes_per_second"] > 0')"
sealift A benchmark
like 'for people it ends with the limits' '^backup +[a-z].* is the limit of what was measured: about [0-9]+ MiB/s, .* for 1 TiB of data$' "$OUT"
like 'and says what was not measured' '^disks +not measured: one that is slower is the limit itself' "$OUT"
is 'the repository is as it was' "$repository_before" "$(find "$REPOSITORY" | sort)"

# --- both come back ---
vsh A destroy "$fast" > /dev/null
fast_data=$(bed_disk_sha A "$BED_IMAGES/fast-data.qcow2")
bed_wipe A
given_on_b one
sealift B restore tl-off --identity /mnt/recovery.pem
exits 0 'the VM that was off is restored'
is 'with its content' "$off" "$(for target in vda vdb; do
  bed_disk_sha B "$(vsh B domblklist "$(bed_uuid off)" | awk -v t=$target '$1 == t {print $2}')"
done)"
sealift B restore tl-fast --identity /mnt/recovery.pem --start
exits 0 'the VM with the iothread is restored and starts'
vsh B destroy "$fast" > /dev/null
is 'with its content' "$fast_data" "$(bed_disk_sha B "$(vsh B domblklist "$fast" | awk '$1 == "vdb" {print $2}')")"
finish
