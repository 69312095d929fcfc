#!/usr/bin/env bash
# docs/states.md, row by row: a VM in each state is backed up on A and comes back on B, where it boots, and its vTPM gives
# the secret back that was sealed on A. The rows marked * always; all of them with SEALIFT_FULL=1. A row ends in a line of
# the matrix that is printed at the end; one without proof fails.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
uuid=$(bed_uuid one)
rows=()
declare -A SNAPSHOT=() SECONDS_OF=() GUEST=()

# wanted NAME: whether the row is one of this run; its name ends in * if it is marked.
wanted() { [[ ${SEALIFT_FULL:-0} = 1 || $1 = *'*' ]]; }
# back_up ROW TAG: the guest as it is now.
back_up() {
  if ! wanted "$1"; then return 0; fi
  local begin=$SECONDS
  sealift A backup "tl-$2" --json
  exits 0 "$1: backed up"
  rows+=("$1")
  GUEST[$1]=$2
  SNAPSHOT[$1]=$(json 'd["id"]' 2> /dev/null || :)
  SECONDS_OF[$1]=$((SECONDS - begin))
}
# image_of TARGET: the file of the guest's disk.
image_of() { vsh A domblklist "$uuid" | awk -v t="$1" '$1 == t {print $2}'; }
# redefine SED...: the guest, which is off, with its definition changed; it runs then, and has not come to its first
# instruction, so that nothing changes.
redefine() {
  local script
  vsh A dumpxml "$uuid" --inactive --security-info > "$WORK/one.xml"
  for script in "$@"; do sed -i "$script" "$WORK/one.xml"; done
  bed_define A "$WORK/one.xml"
  vsh A start "$uuid" --paused > /dev/null
}
off() { vsh A destroy "$uuid" > /dev/null; }

# --- what a VM does ---
bed_guest A one
bed_boot A one
sealed=$(bed_wait_console A one 'TL SEAL-CREATED' | awk '{print $3}')
back_up 'running' one
vsh A suspend "$uuid" > /dev/null
back_up 'paused' one
vsh A resume "$uuid" > /dev/null
vsh A managedsave "$uuid" > /dev/null
back_up 'managed-save *' one
vsh A start "$uuid" > /dev/null
vsh A shutdown "$uuid" > /dev/null
for ((i = 0; i < 300; i++)); do
  if [ "$(vsh A domstate "$uuid")" = 'shut off' ]; then break; fi
  sleep 0.1
done
back_up 'shut off' one

# --- where its disks lie ---
vsh A start "$uuid" --paused > /dev/null
for name in first second third; do
  vsh A snapshot-create-as "$uuid" $name --disk-only --atomic > /dev/null
done
is 'external snapshots: the guest runs from the third' third "$(image_of vdb | sed 's/.*\.//')"
back_up 'external snapshots, three deep *' one
off
back_up 'external snapshots, shut off' one
for name in third second first; do vsh A snapshot-delete "$uuid" $name --metadata > /dev/null; done

for target in vda vdb; do
  in_cluster A qemu-img convert -O qcow2 -o compat=0.10 "$(image_of $target)" $BED_IMAGES/old-$target.qcow2
  in_cluster A qemu-img convert -O raw "$(image_of $target)" $BED_IMAGES/raw-$target.img
done
redefine "s|<source file='[^']*/one-boot[^']*'[^>]*|<source file='$BED_IMAGES/old-vda.qcow2'/|" \
  "s|<source file='[^']*/one-data[^']*'[^>]*|<source file='$BED_IMAGES/old-vdb.qcow2'/|" '/<backingStore/,/<target/{/<target/!d}'
is 'qcow2 of version 2: the guest runs from it' old-vdb.qcow2 "$(basename "$(image_of vdb)")"
back_up 'qcow2, version 2 *' one
off
redefine "s|old-\(vd.\).qcow2|raw-\1.img|; s|type='qcow2'|type='raw'|"
back_up 'raw' one
off
vsh A pool-define-as images dir --target $BED_IMAGES > /dev/null
vsh A pool-start images > /dev/null
redefine "s|<disk type='file'|<disk type='volume'|; s|<source file='$BED_IMAGES/|<source pool='images' volume='|"
like 'volumes of a pool: the guest runs from them' "volume='raw-vdb.img'" "$(vsh A dumpxml "$uuid")"
back_up 'volumes of a storage pool' one
off

# more_disk NAME TARGET BUS [MORE]
more_disk() {
  in_cluster A qemu-img create -q -f qcow2 "$BED_IMAGES/$1.qcow2" 8M
  in_cluster A qemu-io -f qcow2 -c "write -q -P $(($(printf '%d' "'$2") + ${#1})) 1M 2M" "$BED_IMAGES/$1.qcow2" > /dev/null
  printf '%s' "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$BED_IMAGES/$1.qcow2'/><target dev='$2' bus='$3'/>${4:-}</disk>"
}
more=$(more_disk on-scsi sda scsi)$(more_disk on-sata sdb sata)$(more_disk on-usb sdc usb)
more+=$(more_disk read-only vdc virtio '<readonly/>')
more+="<disk type='file' device='cdrom'><target dev='sdd' bus='sata'/><readonly/></disk>"
more+="<controller type='scsi' index='0' model='virtio-scsi'/><controller type='usb' index='0' model='qemu-xhci'/>"
redefine "s|<controller type='usb'[^>]*/>||; s|</devices>|$more</devices>|"
back_up 'disks on virtio, SCSI, SATA and USB, one read-only, an empty CD-ROM *' one
off
more_before=$(for name in on-scsi on-sata on-usb read-only; do bed_disk_sha A "$BED_IMAGES/$name.qcow2"; done)

# --- what its vTPM is ---
redefine "s|<backend type='emulator' version='2.0'>|<backend type='emulator' version='2.0' persistent_state='yes'>|"
like "persistent_state: libvirt has it" "persistent_state='yes'" "$(vsh A dumpxml "$uuid")"
back_up "vTPM with persistent_state *" one
off
declare -A OTHER_SEALED=()
bed_guest A plain --vtpm plain
bed_boot A plain
OTHER_SEALED[plain]=$(bed_wait_console A plain 'TL SEAL-CREATED' | awk '{print $3}')
back_up 'vTPM that is not encrypted *' plain
if wanted 'no TPM'; then
  bed_guest A none --vtpm none
  bed_boot A none
  back_up 'no TPM' none
fi

# --- what is not carried ---
refused() {
  vsh A dumpxml "$uuid" --inactive --security-info > "$WORK/one.xml"
  sed -i "$2" "$WORK/one.xml"
  bed_define A "$WORK/one.xml"
  sealift A backup tl-one
  exits 5 "$1: refused"
  says "$1: and says why" "$3"
}
vsh A dumpxml "$uuid" --inactive --security-info > "$WORK/good.xml"
refused 'TPM 1.2' "s|version='2.0'|version='1.2'|; s|tpm-crb|tpm-tis|" '^error: the VM.s TPM is not a TPM 2.0'
bed_define A "$WORK/good.xml"
refused 'a TPM of the host' \
  "/<tpm /,/<\/tpm>/c <tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>" \
  '^error: the VM.s TPM is not an emulated one'
bed_define A "$WORK/good.xml"
printf '%s' "<secret ephemeral='no'><uuid>11111111-2222-3333-4444-555555555555</uuid><usage type='volume'><volume>luks</volume></usage></secret>" > "$BED/A/luks.xml"
vsh A secret-define "$BED/A/luks.xml" > /dev/null
refused 'LUKS inside qcow2' "0,/<target dev='vdb'/s|<target dev='vdb'|<encryption format='luks'><secret type='passphrase' uuid='11111111-2222-3333-4444-555555555555'/></encryption><target dev='vdb'|" \
  '^error: a disk is encrypted by QEMU \(LUKS\)'
bed_define A "$WORK/good.xml"

# --- all of them come back ---
bed_wipe A
given_on_b one
matrix=()
for row in "${rows[@]}"; do
  tag=${GUEST[$row]} begin=$SECONDS
  if [ -z "${SNAPSHOT[$row]}" ]; then
    matrix+=("$(printf '| %-68s | - | | |' "$row")")
    continue
  fi
  sealift B restore "${SNAPSHOT[$row]}" --identity /mnt/recovery.pem --start
  exits 0 "$row: restored"
  proof='TL UNSEAL-OK '$sealed
  if [ "$tag" = plain ]; then proof='TL UNSEAL-OK '${OTHER_SEALED[plain]}; fi
  if [ "$tag" = none ]; then proof='TL READY boot=2'; fi
  line=$(bed_wait_console B "$tag" "$proof" 240 || :)
  is "$row: the guest proves itself" yes "$(if [ -n "$line" ]; then echo yes; else echo no; fi)"
  vsh B destroy "$(bed_uuid "$tag")" > /dev/null
  case $row in
    'disks on'*)
      is "$row: all are there" "$more_before" "$(for target in sda sdb sdc vdc; do
        bed_disk_sha B "$(vsh B domblklist "$uuid" | awk -v t=$target '$1 == t {print $2}')"
      done)"
      definition=$(vsh B dumpxml "$uuid")
      is "$row: one is read-only, and so is the empty CD-ROM" 2 "$(grep -c '<readonly/>' <<< "$definition")"
      like "$row: the drive is there" "target dev='sdd' bus='sata'" "$definition"
      ;;
    *persistent_state*)
      like "$row: it still has it" "persistent_state='yes'" "$(vsh B dumpxml "$uuid")"
      ;;
  esac
  matrix+=("$(printf '| %-68s | %3d s | %3d s | %s |' "$row" "${SECONDS_OF[$row]}" $((SECONDS - begin)) "${line:0:60}")")
  bed_wipe B
  given_on_b one
done
echo '# | state | backed up in | back and proven in | the guest on B |'
printf '# %s\n' "${matrix[@]}"
finish
