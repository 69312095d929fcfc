#!/usr/bin/env bash
# Disks, NVRAM and vTPM of a snapshot belong to one instant. The guest raises a counter in its vTPM, writes it to its
# disk and into a UEFI variable, over and over; whenever it is backed up, the three that come back are at most one step
# apart. Five backups; twenty with SEALIFT_FULL=1.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
bed_guest A counting --mode counters
bed_boot A counting
bed_wait_console A counting 'TL COUNT ' 60 > /dev/null
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
touch "$WORK/clean-since"

# What the vTPM itself says, started offline on a restored state: 8 bytes, big-endian.
tpm_count() {
  local state=$1 pid i
  swtpm socket --tpm2 --tpmstate "dir=$state" --key "pwdfile=$(bed_secret_value counting),mode=aes-256-cbc" \
    --server "type=unixio,path=$state/tpm" --ctrl "type=unixio,path=$state/tpm.ctrl" --flags startup-clear > "$WORK/swtpm" 2>&1 &
  pid=$!
  for ((i = 0; i < 50; i++)); do if [ -S "$state/tpm" ]; then break; fi; sleep 0.1; done
  echo $((0x$(TPM2TOOLS_TCTI=swtpm:path=$state/tpm tpm2_nvread -C o -s 8 0x1500001 | xxd -p)))
  kill "$pid" 2> /dev/null || :
  wait "$pid" || :
}
# The newest valid value in OVMF's authenticated variable store (MdePkg, VariableFormat.h): a header of 60 bytes with
# start id 55AA and state 3F (added), or 3E (added, being replaced) if there is none, the name, four bytes of
# attributes less, and the data.
efi_count() {
  python3 - "$1" <<'PYTHON'
import struct, sys
store = open(sys.argv[1], "rb").read()
name = "TlCount\0".encode("utf-16-le")
found = {}
at = store.find(name)
while at >= 0:
    start, state = struct.unpack_from("<HB", store, at - 60)
    name_size, data_size = struct.unpack_from("<II", store, at - 24)
    if start == 0x55AA and name_size == len(name) and data_size == 8:
        found[state] = int(store[at + len(name):at + len(name) + 8])
    at = store.find(name, at + 1)
print(found.get(0x3F, found.get(0x3E)))
PYTHON
}
disk_count() { dd if="$1" bs=512 skip=8192 count=1 status=none | awk '{print $2}'; }

backups=5
if [ "${SEALIFT_FULL:-0}" = 1 ]; then backups=20; fi
apart=()
for ((i = 1; i <= backups; i++)); do
  sleep "$(printf "0.%03d" $((RANDOM % 1000)))"
  bed_watch_pauses A counting "$WORK/events"
  sealift A backup tl-counting
  exits 0 "backup $i"
  kill "$BED_WATCH"
  at_most "backup $i: the guest stood still for less than half a second (ms)" 499 "$(bed_pauses "$WORK/events")"
  files=$BED/A/sealift-lib/files-$i
  sealift A restore tl-counting@latest --identity /mnt/recovery.pem --to-directory "/var/lib/sealift/files-$i"
  exits 0 "backup $i: its files come back"
  disk=$(disk_count "$files/vdb.raw")
  efi=$(efi_count "$(find "$files" -name '*VARS.fd')")
  state=$(dirname "$(find "$files" -name tpm2-00.permall)")
  tpm=$(tpm_count "$state")
  at_least "backup $i: the vTPM is not behind the disk ($tpm, $disk)" 0 $((tpm - disk))
  at_least "backup $i: the disk is not behind the UEFI variable ($disk, $efi)" 0 $((disk - efi))
  at_most "backup $i: all three are one step apart at most ($tpm, $disk, $efi)" 1 $((tpm - efi))
  apart+=($((tpm - efi)))
  rm -rf "$files"
done
a_is_clean counting 'after all of them'
echo "# steps between vTPM and UEFI variable: ${apart[*]}"
is 'the guest counted on between the backups' yes "$(if [ "$tpm" -gt "$backups" ]; then echo yes; else echo "$tpm"; fi)"
unlike 'and never failed to' 'TL COUNT-FAILED' "$(bed_console_lines A counting)"
finish
