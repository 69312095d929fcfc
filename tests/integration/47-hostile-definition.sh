#!/usr/bin/env bash
# A snapshot from a host that may write and was broken into: its definition asks for more than a guest needs, or leads
# elsewhere. Each such element is a blocker that the plan names, and the target is as it was.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"
forge() { "$HERE/forge.py" "$@"; }
vault=$BED/A/sealift-etc/keyvault

given_repository one
given_on_b one
# Every path that leads elsewhere has this in its name, so that whoever follows it leaves a trace.
canary=sealift-canary
# untouched WHAT: nothing on B but a catalog, and nothing where the paths lead.
untouched() {
  on_b_nothing_but_a_catalog "$1: nothing is restored"
  is "$1: nothing lies where its paths lead" '' \
    "$(in_cluster B find /etc /run /tmp /root /srv /home /var /mnt -xdev -name "*$canary*" ! -path '/var/tmp/*' -print)"
}

# --- what libvirt on A takes, and sealift backs up ---
bed_guest A hostile --idle
in_cluster A mkdir /mnt/evil
in_cluster A bash -c 'printf "#!/bin/sh\nexec /usr/bin/qemu-system-x86_64 \"\$@\"\n" > /mnt/evil/qemu; chmod 755 /mnt/evil/qemu'
python3 - "$(bed_guest_xml hostile)" "$WORK/hostile.xml" <<'PYTHON'
import sys
xml = open(sys.argv[1]).read()
def replaced(old, new):
    global xml
    assert old in xml, old
    xml = xml.replace(old, new)
replaced("<domain type='qemu'", "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'")
replaced("<emulator>/usr/bin/qemu-system-x86_64</emulator>", "<emulator>/mnt/evil/qemu</emulator>")
replaced("<controller type='usb' model='none'/>", "<controller type='usb' model='qemu-xhci'/>")
replaced("</devices>", """
<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='0' slot='2' function='0'/></source></hostdev>
<filesystem type='mount'><source dir='/'/><target dir='root'/></filesystem>
<serial type='file'><source path='/etc/sealift-canary'/></serial>
<serial type='file'><source path='/var/log/libvirt/../../../etc/sealift-canary'/></serial>
<channel type='unix'><source mode='bind' path='/run/sealift-canary.sock'/><target type='virtio' name='canary'/></channel>
<rng model='virtio'><backend model='random'>/dev/mem</backend></rng>
<interface type='ethernet'><script path='/mnt/evil/qemu'/><mac address='52:54:00:aa:aa:aa'/></interface>
<shmem name='canary'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>
</devices>
<seclabel type='none'/>
<qemu:commandline><qemu:arg value='-D'/><qemu:arg value='/etc/sealift-canary'/></qemu:commandline>
""")
open(sys.argv[2], "w").write(xml)
PYTHON
bed_define A "$WORK/hostile.xml"
sealift A backup tl-hostile
exits 0 'a host that was broken into backs up what its libvirt took'
blockers() { python3 -c '
import json, sys
print("\n".join(c["detail"].split(": ")[0] for c in json.loads(sys.argv[1])["checks"] if c["state"] == "block"))' "$OUT"; }
sealift B restore tl-hostile --identity /mnt/recovery.pem --dry-run --json
exits 5 'the plan of a restore is blocked'
is 'by each of its elements, by name' 'devices/channel[1]/source
devices/emulator
devices/filesystem[1]
devices/hostdev[1]
devices/hostdev[2]
devices/interface[2]
devices/interface[2]/script
devices/rng[2]/backend
devices/serial[2]/source
devices/serial[3]/source
devices/shmem[1]
qemu:commandline
seclabel' "$(blockers | sort)"
sealift B restore tl-hostile --identity /mnt/recovery.pem --start
exits 5 'and the restore is refused'
says 'the error names them too' 'next: +definition: qemu:commandline'
untouched 'with a hostile definition'

# --- what libvirt would not take, written by a hostile hand ---
head -c 1000000 /dev/urandom > "$WORK/disk"
forged() {  # forged NAME FORGE...: sets FORGED; the VM's name in the definition is NAME, too
  cat > "$WORK/forged.xml" <<XML
<domain type='qemu'><name>$1</name><uuid>$(bed_uuid forged)</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/etc/$canary'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>
XML
  FORGED=$(forge archive "$REPOSITORY" "$vault" --vm "$1" --uuid "$(bed_uuid forged)" --domain "$WORK/forged.xml" \
    --disk "$WORK/disk" "${@:2}")
}
forged "../$canary"
sealift B restore "$FORGED" --identity /mnt/recovery.pem --dry-run --json
exits 5 'a VM named ../x'
is 'the name is the blocker' name "$(blockers)"
sealift B restore "$FORGED" --identity /mnt/recovery.pem --start
exits 5 'and is refused'
untouched 'with a name that leads elsewhere'

for path in "../../../../etc/$canary" '/..'; do
  in_cluster B mkdir -p /mnt/chosen
  forged tl-forged --disk-path "$path"
  sealift B restore "$FORGED" --identity /mnt/recovery.pem --storage-dir /mnt/chosen
  exits 0 "a disk that was at $path"
  is 'goes to the chosen folder' 1 "$(in_cluster B find /mnt/chosen -type f -name '*.qcow2' | wc -l)"
  bed_wipe B
  in_cluster B rm -r /mnt/chosen
  untouched "a disk that was at $path"
done

# --- a raw disk that begins like a qcow2 image with a backing file ---
bed_guest A disguised --idle --data raw
printf 'what only the host may read' > "$WORK/secret"
truncate -s 1M "$WORK/secret"
for c in A B; do bed_mount $c "$WORK/secret" /mnt/secret ro; done
in_cluster A qemu-img create -q -f qcow2 -F raw -b /mnt/secret /mnt/disguise 64M
in_cluster A dd if=/mnt/disguise of="$BED_IMAGES/disguised-data.img" conv=notrunc status=none
like 'whoever probes it is taken in' 'backing file: /mnt/secret' "$(in_cluster A qemu-img info "$BED_IMAGES/disguised-data.img")"
raw=$(in_cluster A sha256sum "$BED_IMAGES/disguised-data.img" | cut -d' ' -f1)
for state in running stopped; do
  if [ $state = running ]; then bed_start A disguised; fi
  sealift A backup tl-disguised
  exits 0 "it is backed up, $state"
  if [ $state = running ]; then vsh A destroy tl-disguised > /dev/null; fi
  sealift B restore tl-disguised --identity /mnt/recovery.pem --to-directory /mnt/files
  exits 0 'its files are restored'
  is 'the raw bytes, as they were' "$raw" "$(in_cluster B sha256sum /mnt/files/vdb.raw | cut -d' ' -f1)"
  in_cluster B rm -r /mnt/files
  sealift B restore tl-disguised --identity /mnt/recovery.pem --start
  exits 0 'it is restored and started'
  unlike 'QEMU has not opened what the raw bytes name' /mnt/secret \
    "$(vsh B qemu-monitor-command tl-disguised '{"execute": "query-named-block-nodes"}')"
  vsh B destroy tl-disguised > /dev/null
  is 'the guest sees the raw bytes' "$raw" "$(bed_disk_sha B "$BED_IMAGES/disguised-data.qcow2")"
  bed_wipe B
done

# --- a component whose name leads elsewhere ---
forged tl-forged --component "../../../../etc/$canary"
for how in '' '--to-directory /mnt/files'; do
  # shellcheck disable=SC2086  # Words.
  sealift B restore "$FORGED" --identity /mnt/recovery.pem $how
  exits 3 "a component named ../x $how"
  says 'by the rule' 'rule M3'
  untouched 'with a component that leads elsewhere'
  not_ok 'and no folder is made' in_cluster B test -e /mnt/files
done
finish
