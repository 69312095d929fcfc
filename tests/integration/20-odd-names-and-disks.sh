#!/usr/bin/env bash
# Names with spaces, accents and markup, raw disks, overlays on backing files, an NVRAM in an odd place, a protection
# key that holds NUL and newline bytes: all come back the same.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
odd='Büro & "Söhne" <1>'
printf 'a\0b\nc\xff\n\0' > "$WORK/value"

bed_guest A odd --name "$odd" --boot overlay --data raw --folder '/var/lib/libvirt/images/zwei Wörter' \
  --file "d'été 1" --nvram '/var/lib/libvirt/images/odd pläce/nv & ram.fd' --secret "$WORK/value"
bed_guest A still --name 'still & quiet' --idle --boot raw --data overlay --fill 5
still=$(for disk in boot.img data.qcow2; do bed_disk_sha A "$BED_IMAGES/still-$disk"; done)
bed_boot A odd
sealed=$(bed_wait_console A odd 'TL SEAL-CREATED' | awk '{print $3}')
bed_wait_console A odd 'TL TICK 4 ' > /dev/null
before=$(bed_console_lines A odd | awk '/TL TICK/ {tick = $3} END {print tick}')
bed_start A still paused

touch "$WORK/clean-since"
sealift A backup "$odd" 'still & quiet'
exits 0 'both VMs are backed up, by name'
a_is_clean odd 'after the backup'
is 'a VM that was paused stays paused' paused "$(vsh A domstate "$(bed_uuid still)")"
sealift A list --json
is 'list gives the names as they are' "$odd|still & quiet" "$(json '"|".join(sorted(s["vm"] for s in d))')"
sealift A show "$odd@latest"
exits 0 'show takes the name'
sealift A verify --all
exits 0 'verify --all'
not_ok 'no file in the repository is named after a VM or its disks' \
  bash -c "find '$REPOSITORY' | grep -iE 'b.{1,2}ro|still|quiet|vda|vdb'"

nvram=$(in_cluster A sha256sum "$(bed_nvram still)" | cut -d' ' -f1)
state=$(in_cluster A sha256sum "/var/lib/libvirt/swtpm/$(bed_uuid still)/tpm2/tpm2-00.permall" | cut -d' ' -f1)
bed_wipe A

given_on_b one
sealift B restore "$odd" --identity /mnt/recovery.pem --start
exits 0 'the VM with the odd name is restored and started'
is 'under its name' "$odd" "$(vsh B domname "$(bed_uuid odd)")"
is 'the secret is the same, NUL and newline bytes included' "$(sha256sum < "$WORK/value")" \
  "$(vsh B secret-get-value "$(bed_secret_uuid odd)" --plain | sha256sum)"
bed_wait_console B odd 'TL READY' 240 > /dev/null
said=$(bed_console_lines B odd)
like 'its vTPM unseals' "TL UNSEAL-OK $sealed boot=2" "$said"
at_least 'its ticks are there' "$before" "$(sed -n 's/^TL TICKS-FOUND //p' <<< "$said")"

sealift B restore "$(bed_uuid still)" --identity /mnt/recovery.pem
exits 0 'the other VM is restored by its UUID'
is 'raw disk and overlay have the same content' "$still" "$(for target in vda vdb; do
  bed_disk_sha B "$(vsh B domblklist "$(bed_uuid still)" | awk -v t=$target '$1 == t {print $2}')"
done)"
path=$(vsh B dumpxml "$(bed_uuid still)" | sed -n 's/.*<nvram[^>]*>\(.*\)<\/nvram>.*/\1/p')
is 'its NVRAM is the same, byte for byte' "$nvram" "$(in_cluster B sha256sum "$path" | cut -d' ' -f1)"
is 'and its vTPM state' "$state" \
  "$(in_cluster B sha256sum "/var/lib/libvirt/swtpm/$(bed_uuid still)/tpm2/tpm2-00.permall" | cut -d' ' -f1)"
finish
