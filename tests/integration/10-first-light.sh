#!/usr/bin/env bash
# The main job: a running Trusted Launch VM is backed up, its cluster is lost, and it comes back on another from the
# repository, one recovery key and the repository id.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one two
bed_guest A first --name web-01
bed_boot A first
sealed=$(bed_wait_console A first 'TL SEAL-CREATED' | awk '{print $3}')
bed_wait_console A first 'TL TICK 6 ' > /dev/null
before=$(bed_console_lines A first | awk '/TL TICK/ {tick = $3} END {print tick}')

# --- back up ---
touch "$WORK/clean-since"
bed_watch_pauses A first "$WORK/events"
sealift A backup web-01 --json
exits 0 'the running VM is backed up'
OUT=$(tail -n 1 <<< "$OUT")
is 'backup --json ends with an object for the VM' 'web-01 full all complete' \
  "$(json '" ".join(d[k] for k in ("vm", "kind", "read", "verdict"))' 2>&1)"
told=$(json 'd["pause_milliseconds"]')
sleep 1
kill "$BED_WATCH"
mapfile -t pauses < <(bed_pauses "$WORK/events")
is 'QEMU reports one pause' 1 ${#pauses[@]}
at_most 'the guest stood still for less than half a second (ms)' 499 "${pauses[0]}"
at_least 'it did stand still (ms)' 1 "${pauses[0]}"
at_least 'the program tells the same length, less 50 ms at most (ms)' $((pauses[0] - 50)) "$told"
at_most 'and no more than 50 ms longer (ms)' $((pauses[0] + 50)) "$told"
a_is_clean first 'after the backup'
ok 'the guest goes on writing' bed_wait_console A first 'TL TICK' 30 "$(bed_mark A first)"
bed_wait_console A first 'TL UNSEAL-OK' 60 "$(bed_mark A first)" > /dev/null

# --- what A says of it, without a key ---
sealift A list --json
exits 0 'list'
is 'one snapshot' 1 "$(json 'len(d)')"
is 'it is complete, of this VM' "web-01 $(bed_uuid first) full complete" \
  "$(json '" ".join(d[0][k] for k in ("vm", "vm_uuid", "kind", "verdict"))')"
snapshot=$(json 'd[0]["id"]')
sealift A show web-01@latest
exits 0 'show'
for component in config 'disk.*vda' 'disk.*vdb' firmware-vars guest-state protection-key; do
  like "show has a verdict on $component" "$component.*(complete|ok)" "$OUT"
done
sealift A verify "$snapshot"
exits 0 'verify without a recovery key'
like 'reaches level 1' 'level 1 of 3' "$OUT"
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
sealift A verify "$snapshot" --identity /mnt/recovery.pem
exits 0 'verify with a recovery key'
like 'reaches level 3' 'level 3 of 3' "$OUT"
bed_unmount A /mnt/recovery.pem
not_ok 'no plaintext of the guest lies in the repository' grep -rqa -e 'tick 1' -e "$sealed" -e TLSEAL1 "$REPOSITORY"
not_ok 'nor the protection key' grep -rqaF -f "$(bed_secret_value first)" "$REPOSITORY" "$BED/A/sealift-etc" "$BED/A/sealift-lib"

# --- lose A ---
vsh A destroy "$(bed_uuid first)" > /dev/null
last=$(bed_console_lines A first | awk '/TL TICK/ {tick = $3} END {print tick}')
bed_wipe A
is 'A is gone: domain, disks, NVRAM, vTPM state, secret, key vault, catalog' '' "$(bed_leftovers A)"
is 'B has nothing' '' "$(bed_leftovers B)"

# --- each of the two recovery keys alone brings it back ---
given_on_b two
not_ok 'B cannot write to the repository' in_cluster B touch /mnt/backup/x
sealift B restore web-01 --identity /mnt/recovery.pem --connect qemu:///system --dry-run
exits 0 'the plan'
on_b_nothing_but_a_catalog '--dry-run creates nothing'
sealift B restore web-01 --identity /mnt/recovery.pem --connect qemu:///system
exits 0 'the second recovery key restores the VM'
is 'it is defined and off' 'shut off' "$(vsh B domstate "$(bed_uuid first)")"
is 'no key vault was made on the way' '' "$(find "$BED/B/sealift-etc" -mindepth 1)"
disks_of_two=$(for target in vda vdb; do
  bed_disk_sha B "$(vsh B domblklist "$(bed_uuid first)" | awk -v t=$target '$1 == t {print $2}')"
done)
is 'its disks are qcow2 and sound' 'qcow2 qcow2' "$(for target in vda vdb; do
  in_cluster B qemu-img info --output json "$(vsh B domblklist "$(bed_uuid first)" | awk -v t=$target '$1 == t {print $2}')" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["format"])'
done | paste -sd ' ')"
bed_wipe B

given_on_b one
in_cluster B mkdir -p /var/lib/sealift
sealift B restore web-01 --identity /mnt/recovery.pem --to-directory /var/lib/sealift/files
exits 0 'the first recovery key restores its files to a folder'
is 'both keys give the same disks' "$disks_of_two" \
  "$(sha256sum "$BED/B/sealift-lib/files/vda.raw" "$BED/B/sealift-lib/files/vdb.raw" | awk '{print $1}')"
bed_wipe B
sealift B restore web-01 --identity /mnt/recovery.pem --connect qemu:///system --start
exits 0 'the first recovery key restores the VM and starts it'
is 'it runs' running "$(vsh B domstate "$(bed_uuid first)")"
is 'it is defined, not only running' yes "$(vsh B dominfo "$(bed_uuid first)" | awk '$1 == "Persistent:" {print $2}')"
is 'the secret on B has the value that A had' "$(sha256sum < "$(bed_secret_value first)")" \
  "$(vsh B secret-get-value "$(bed_secret_uuid first)" --plain | sha256sum)"

# --- the guest's word ---
bed_wait_console B first 'TL READY' 240 > /dev/null
said=$(bed_console_lines B first)
like 'the guest boots for the second time, with secure boot and its vTPM' 'TL BOOT 2 secureboot=1 tpm=tpm0' "$said"
like 'its vTPM unseals what was sealed on A' "TL UNSEAL-OK $sealed boot=2" "$said"
unlike 'and never fails to' 'TL UNSEAL-FAIL' "$said"
found=$(sed -n 's/^TL TICKS-FOUND //p' <<< "$said")
at_least 'what it wrote before the backup is there (ticks)' "$before" "$found"
at_most 'and nothing that it never wrote' "$last" "$found"

# --- asked twice, it is refused: the VM is here ---
sealift B restore web-01 --identity /mnt/recovery.pem --connect qemu:///system
exits 5 'a second restore is refused'
is 'and did not touch the running VM' running "$(vsh B domstate "$(bed_uuid first)")"
finish
