#!/usr/bin/env bash
# A snapshot that is called complete holds the whole VM. Whatever a running VM has and its stored definition has not is
# in it; whatever is gone is refused, or named when that was asked for, and never taken for a VM that is new.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
images=$BED/A/lib/images
swtpm=$BED/A/lib/swtpm
stored() { find "$REPOSITORY" -type f | sort; }
gone() { rm "$BED/A/lib/qemu/nvram/$1_VARS.fd"; }

# --- never started, and lost ---
bed_guest A fresh --idle
gone fresh
sealift A backup tl-fresh
exits 0 'a VM that was never started is backed up'
sealift A list tl-fresh --json
is 'and is complete' complete "$(json 'd[0]["verdict"]')"

bed_guest A lost --idle
sealift A backup tl-lost
exits 0 'a VM whose NVRAM was made beforehand is backed up before its first start'
says 'with a warning' 'its NVRAM is there and its vTPM state is not'
bed_start A lost
bed_wait_console A lost 'No bootable option' > /dev/null
vsh A destroy "$(bed_uuid lost)" > /dev/null
sealift A backup tl-lost --json
exits 0 'once it was started, it is backed up'
whole=$(json 'd["id"]')
mv "$swtpm/$(bed_uuid lost)" "$WORK/state"
before=$(stored)
sealift A backup tl-lost
exits 5 'the vTPM state is gone: refused'
says 'because QEMU had it' '^error: the VM has a vTPM and its state is missing$'
gone lost
rm "$BED/A/log/qemu/tl-lost.log"
sealift A backup tl-lost
exits 5 'and so are NVRAM and log: refused'
error_is 'the VM has a vTPM and its state is missing' \
  "vm tl-lost, component guest-state, folder /var/lib/libvirt/swtpm/$(bed_uuid lost)/tpm2" \
  'restore the VM from that snapshot, or bring it back from there' \
  'back up what is there with --allow-incomplete; it will not be a whole VM'
says 'and the snapshot that holds it is named' "cause: snapshot $whole of "
is 'nothing is stored' "$before" "$(stored)"
sealift A backup tl-lost --allow-incomplete
exits 4 'asked for, what is there is backed up'
sealift A backup tl-lost
exits 5 'and after that it is still not taken for a new VM'
says 'and the snapshot that holds its state is named again' "cause: snapshot $whole of "
sealift A list tl-lost --json
is 'the new snapshot is incomplete' 'incomplete complete complete' "$(json '" ".join(s["verdict"] for s in d)')"
sealift A show tl-lost@latest --json
is 'and the newest complete one is the one before' "$whole" "$(json 'd["id"]')"

# --- a file that is gone ---
bed_guest A part --idle --fill 1
bed_start A part
bed_wait_console A part 'No bootable option' > /dev/null
mv "$images/part-data.qcow2" "$WORK/"
gone part
sealift A backup tl-part
exits 5 'a disk of a running VM is gone: refused'
says 'and what to do' "^  next:  put the file back, or take the disk out of the VM's definition$"
says 'or to do without it' '^  next:  back up what is there with --allow-incomplete; it will not be a whole VM$'
sealift A backup tl-part --allow-incomplete --json
part=$(json 'd["id"]')
exits 4 'asked for, the rest is backed up'
says 'and the disk is named' 'incomplete: disk vdb: .*part-data.qcow2'
says 'and so is the NVRAM' 'incomplete: firmware-vars: a file of the VM is missing'
sealift A show "$part" --json
is 'the snapshot says so too' 'disk vdb,firmware-vars' \
  "$(json '",".join(sorted(v["component"] for v in d["verdicts"] if v["state"] == "incomplete" and v["component"]))')"
vsh A destroy "$(bed_uuid part)" > /dev/null

# --- what the running VM has and its definition has not ---
disk_xml() {
  echo "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$BED_IMAGES/$1.img'/>
    <target dev='$2' bus='virtio'/>${3:-}</disk>"
}
for name in shared live waiting; do head -c 3M /dev/urandom > "$images/$name.img"; done
bed_guest A odd --idle --fill 1 --extra "$(disk_xml shared vdc '<shareable/>')
  <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$BED_IMAGES/odd-thin.qcow2'/>
    <target dev='vdf' bus='virtio'/></disk>
  $(printf "<controller type='pci' index='%d' model='pcie-root-port'/>" 1 2 3 4 5 6 7 8 9)"
in_cluster A qemu-img create -q -f qcow2 "$BED_IMAGES/odd-thin.qcow2" 40G
in_cluster A qemu-io -f qcow2 -c 'write -q -P 0x5a 4k 70k' -c 'write -q -P 0xa5 39G 1M' "$BED_IMAGES/odd-thin.qcow2"
bed_start A odd
disk_xml live vdd > "$BED/A/live.xml"
disk_xml waiting vde > "$BED/A/waiting.xml"
vsh A attach-device "$(bed_uuid odd)" "$BED/A/live.xml" --live > /dev/null
vsh A attach-device "$(bed_uuid odd)" "$BED/A/waiting.xml" --config > /dev/null
vsh A detach-disk "$(bed_uuid odd)" vdb --config > /dev/null
sealift A backup tl-odd
exits 0 'a VM with disks that its definition has not is backed up'
says 'the disk that was attached live is named' 'disk vdd: attached to the running VM only'
says 'the disk that was taken from the definition is named' 'disk vdb: attached to the running VM only'
says 'the disk that waits for the next start is named' 'disk vde: in the stored definition only'
vsh A destroy "$(bed_uuid odd)" > /dev/null
sums=$(sha256sum < "$images/shared.img"; sha256sum < "$images/live.img"; bed_disk_sha A "$BED_IMAGES/odd-data.qcow2")

# --- saved memory, under a name that no component may have ---
bed_guest A saved --idle --name 'Web 01 é'
bed_start A saved
bed_wait_console A saved 'No bootable option' > /dev/null
vsh A managedsave "$(bed_uuid saved)" > /dev/null
sealift A backup 'Web 01 é'
exits 0 'a VM with saved memory and a name with blank and accent is backed up'
mv "$swtpm/$(bed_uuid saved)" "$WORK/saved-state"
rm "$BED/A/log/qemu/Web 01 é.log"
sealift A backup 'Web 01 é'
exits 5 'saved memory without vTPM state is no new VM'
mv "$WORK/saved-state" "$swtpm/$(bed_uuid saved)"
disk_xml waiting vdg > "$BED/A/waiting.xml"
vsh A attach-device "$(bed_uuid saved)" "$BED/A/waiting.xml" --config > /dev/null
sealift A backup 'Web 01 é'
exits 5 'saved memory with other disks than the definition'
says 'and the disk is named' 'where: .*disk vdg'
sealift A verify 'Web 01 é' --json
exits 0 'and verifies'

# --- all of it comes back, or says why not ---
bed_wipe A
given_on_b one
sealift B restore tl-fresh --identity /mnt/recovery.pem
exits 0 'the VM that was never started is restored'
is 'with its secret' "$(xxd -p -c 64 "$(bed_secret_value fresh)")" \
  "$(vsh B secret-get-value "$(bed_secret_uuid fresh)" | base64 -d | xxd -p -c 64)"
sealift B restore "$part" --identity /mnt/recovery.pem
exits 5 'a VM of which a disk is missing is not'
says 'and the disk is named' 'next: .*disk vdb is incomplete|devices/disk\[vdb\]: the snapshot does not hold this disk'
sealift B restore tl-odd --identity /mnt/recovery.pem --start
exits 0 'the VM with the odd disks is restored and starts'
vsh B destroy "$(bed_uuid odd)" > /dev/null
is 'with every disk that it ran with' 'vda vdb vdc vdd vdf' "$(vsh B domblklist "$(bed_uuid odd)" | awk '{print $1}' | sort | xargs)"
is 'and their content' "$(cut -d' ' -f1 <<< "$sums")" "$(for target in vdc vdd vdb; do
  bed_disk_sha B "$(vsh B domblklist "$(bed_uuid odd)" | awk -v t=$target '$1 == t {print $2}')"
done)"
ok 'and of a thin disk what lies 39 GiB apart' in_cluster B qemu-io -r -f qcow2 -c 'read -q -P 0x5a 4k 70k' \
  -c 'read -q -P 0xa5 39G 1M' -c 'read -q -P 0 20G 1M' "$(vsh B domblklist "$(bed_uuid odd)" | awk '$1 == "vdf" {print $2}')"
sealift B restore 'Web 01 é' --identity /mnt/recovery.pem
exits 0 'the VM with saved memory is restored'
finish
