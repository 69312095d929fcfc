#!/usr/bin/env bash
# Any disk: block devices and RBD images, of running VMs and of such that are off, are backed up and come back as files on
# a cluster that has neither the device nor Ceph. A disk that cannot be read is refused by its name, and nothing is done.
# The block devices are loop devices: where the machine has no device mapper, LVM itself cannot be set up; to libvirt,
# QEMU and Sealift a logical volume is a block device like these.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"
# shellcheck source=tests/integration/bed/ceph.sh
. "$HERE/bed/ceph.sh"

loops=()
clean_up() {
  local loop
  for loop in "${loops[@]}"; do
    for tag in running still; do vsh A destroy "$(bed_uuid $tag)" > /dev/null 2>&1 || :; done
    chown root:disk "$loop"
    losetup -d "$loop"
  done
  ceph_down
}
trap clean_up EXIT

given_repository one
ceph_up
ceph_pool vms
ceph_user guests vms > "$WORK/key"

# content MIB: a file with so much random data at its start, then a hole, data, and a hole.
content() {
  head -c "$1M" /dev/urandom > "$WORK/content"
  truncate -s 48M "$WORK/content"
  head -c 100000 /dev/urandom | dd of="$WORK/content" bs=4096 seek=9000 conv=notrunc status=none
}
# device NAME: a block device of such content; sets DEVICE, and its sum in SUMS.
declare -A SUMS
device() {
  content 6
  SUMS[$1]=$(sha256sum < "$WORK/content" | cut -d' ' -f1)
  mv "$WORK/content" "$BED/outside/$1.device"
  DEVICE=$(losetup --find --show "$BED/outside/$1.device")
  loops+=("$DEVICE")
}
# image NAME: an RBD image of such content in the pool.
image() {
  content 6
  SUMS[$1]=$(sha256sum < "$WORK/content" | cut -d' ' -f1)
  rbd create "vms/$1" --size 48M
  qemu-img convert -n -f raw -O raw "$WORK/content" "$(ceph_rbd "vms/$1")"
  rm "$WORK/content"
}
block_xml() {
  echo "<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none' io='native' ${3:-}/><source dev='$1'/><target dev='$2' bus='virtio'/></disk>"
}
secret=$(bed_uuid_from 'ceph secret')
rbd_xml() {
  echo "<disk type='network' device='disk'><driver name='qemu' type='raw' cache='writeback'/>
    <source protocol='rbd' name='vms/$1'><host name='127.0.0.1' port='$CEPH_PORT'/>
    <auth username='guests'><secret type='ceph' uuid='$secret'/></auth></source><target dev='$2' bus='virtio'/></disk>"
}
cat > "$BED/A/ceph-secret.xml" <<XML
<secret ephemeral='no' private='no'><uuid>$secret</uuid><usage type='ceph'><name>client.guests secret</name></usage></secret>
XML
vsh A secret-define "$BED/A/ceph-secret.xml" > /dev/null
install -m 600 "$WORK/key" "$BED/A/ceph-key"
vsh A secret-set-value "$secret" --file "$BED/A/ceph-key" > /dev/null
rm "$BED/A/ceph-key"

device running-c
running_xml=$(block_xml "$DEVICE" vdc)
device running-e
fast=$DEVICE
running_xml+=$(block_xml "$DEVICE" vde "iothread='1'")
image running-d
running_xml+=$(rbd_xml running-d vdd)
device still-c
still_xml=$(block_xml "$DEVICE" vdc)
image still-d
still_xml+=$(rbd_xml still-d vdd)

bed_guest A running --idle --fill 2 --iothread --extra "$running_xml"
bed_guest A still --idle --fill 2 --extra "$still_xml"
for tag in running still; do
  bed_start A $tag
  bed_wait_console A $tag 'No bootable option' > /dev/null
done
vsh A destroy "$(bed_uuid still)" > /dev/null
touch "$WORK/clean-since"
disks() { vsh A domblklist "$(bed_uuid "$1")" --details; }
before=$(disks running)

# --- backed up ---
sealift A backup tl-running
exits 0 'a running VM with block devices, one with an iothread, and an RBD image is backed up'
a_is_clean running 'after the backup'
is 'its disks lie where they lay' "$before" "$(disks running)"
is 'no file more' '' "$(find "$BED/A/lib/images" -name '*.sealift-*')"

# The Ceph key reaches QEMU's tools in memory: watched while they run.
key=$(cat "$WORK/key")
nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" "$SEALIFT" backup tl-still --read-limit 8 \
  > "$WORK/out" 2> "$WORK/err" < /dev/null &
PID=$!
seen=0 leaked=0
while kill -0 $PID 2> /dev/null; do
  for process in $(pgrep -P $PID qemu-nbd || :); do
    words=$(tr '\0' ' ' < "/proc/$process/cmdline" 2> /dev/null; tr '\0' ' ' < "/proc/$process/environ" 2> /dev/null) || :
    case $words in *still-d*) seen=$((seen + 1)) ;; esac
    case $words in *"$key"*) leaked=$((leaked + 1)) ;; esac
  done
  sleep 0.1
done
wait $PID || STATUS=$?
COMMAND='sealift backup tl-still' OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
exits 0 'a VM that is off, with a block device and an RBD image, is backed up'
at_least 'qemu-nbd was seen reading the RBD image' 1 "$seen"
is "and the key was in nobody's arguments or environment" 0 "$leaked"
is 'and it stays off' 'shut off' "$(vsh A domstate "$(bed_uuid still)")"

# --- killed while a device lies under an overlay ---
nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" "$SEALIFT" backup tl-running --read-limit 8 \
  > "$WORK/out" 2> "$WORK/err" < /dev/null &
PID=$!
for ((i = 0; i < 200; i++)); do
  if disks running | grep -q 'vde.*sealift'; then break; fi
  sleep 0.05
done
kill -KILL "$(pgrep -P $PID -f -- --sealift-capture-guard)" $PID
wait $PID 2> /dev/null || :
like 'killed with its guard, it leaves an overlay' 'file +disk +vde +.*sealift' "$(disks running)"
vsh A destroy "$(bed_uuid running)" > /dev/null
sealift A backup tl-running
exits 0 'and the VM dead by now: the next backup works'
says 'and says that it merged the overlay back' 'interrupted: the overlay of disk vde was merged back'
is 'the VM has its block device again' "$before" "$(disks running)"
is 'and no file is left' '' "$(find "$BED/A/lib/images" -name '*.sealift-*')"
like 'as a raw one' "<driver name='qemu' type='raw' cache='none' io='native' iothread='1'/>" "$(vsh A dumpxml "$(bed_uuid running)" --inactive)"
bed_start A running
sealift A backup tl-running
exits 0 'it starts, and is backed up'

# --- a disk that cannot be read ---
# refused TAG WHAT WHERE-REGEX: it is refused, with VM and disk, and nothing happens.
volumes() { find "$REPOSITORY" -type f | sort; }
refused() {
  local volumes
  volumes=$(volumes)
  sealift A backup "tl-$1"
  exits 5 "$2: refused"
  says "$2: naming VM and disk" "^  where: vm tl-$1, (disk vd[a-z]|element devices/disk\\[vd[a-z]\\])"
  says "$2: and what it is" "$3"
  is "$2: nothing is stored" "$volumes" "$(volumes)"
}
images=$BED/A/lib/images
bed_guest A broken --idle --fill 2
mv "$images/broken-data.qcow2" "$images/aside"
refused broken 'a missing image' 'where: .*disk vdb, file .*broken-data.qcow2'
head -c 1M /dev/zero > "$images/broken-data.qcow2"
refused broken 'an image that is none' "cause: .*not in qcow2 format"
head -c 60 "$images/aside" > "$images/broken-data.qcow2"
refused broken 'an image that was cut off' 'where: .*disk vdb, file .*broken-data.qcow2'
rm "$images/broken-data.qcow2"
mkdir "$images/broken-data.qcow2"
refused broken 'a folder in place of an image' 'where: .*disk vdb, file .*broken-data.qcow2'
rmdir "$images/broken-data.qcow2"
# It measures this processor for the key derivation, and gives up now and then ("Unable to get accurate CPU usage").
for ((i = 0; i < 10; i++)); do
  if in_cluster A qemu-img create -q -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s --object secret,id=s,data=x \
    "$BED_IMAGES/broken-data.qcow2" 4M; then break; fi
done
refused broken 'an image encrypted by QEMU' 'LUKS'
rm "$images/broken-data.qcow2"
in_cluster A qemu-img create -q -f qcow2 -b /nowhere/base.qcow2 -F qcow2 "$BED_IMAGES/broken-data.qcow2" 4M -u
refused broken 'an image whose base is missing' 'where: .*disk vdb.*/nowhere/base.qcow2'
rm "$images/broken-data.qcow2"
# A table that leads astray is found out only where the data is read.
in_cluster A qemu-img create -q -f qcow2 "$BED_IMAGES/broken-data.qcow2" 4M
in_cluster A qemu-io -f qcow2 -c 'write -q 0 1M' "$BED_IMAGES/broken-data.qcow2" > /dev/null
printf '\x80\x00\x00\x00\x00\x05\x02\x00' | dd of="$images/broken-data.qcow2" bs=1 seek=$((4 * 65536)) conv=notrunc status=none
refused broken 'an image that is damaged inside' 'where: .*disk vdb, file .*broken-data.qcow2'
mv "$images/aside" "$images/broken-data.qcow2"
sealift A backup tl-broken
exits 0 'with its image back, it is backed up'
# A disk with a bad place, 5 MB from its start: to the kernel, and to QEMU, like a worn one.
head -c 8M /dev/urandom > "$images/worn.content"
in_cluster A mkdir -p /mnt/worn
# shellcheck disable=SC2016
in_cluster A setsid nbdfuse -o allow_other /mnt/worn/disk.raw --command nbdkit -s eval get_size='echo 8M' \
  pread='if [ $(($3 + $4)) -gt 5000000 ]; then echo EIO worn >&2; exit 1; fi
    dd if='"$BED_IMAGES/worn.content"' iflag=skip_bytes,count_bytes skip=$4 count=$3 status=none' \
  pwrite='dd of='"$BED_IMAGES/worn.content"' oflag=seek_bytes conv=notrunc seek=$4 status=none' > "$WORK/nbdfuse" 2>&1 &
echo /mnt/worn >> "$BED/A/mounts"
for ((i = 0; i < 100; i++)); do
  if in_cluster A test -s /mnt/worn/disk.raw; then break; fi
  sleep 0.1
done
bed_guest A worn --idle --extra "<disk type='file' device='disk'><driver name='qemu' type='raw'/>
  <source file='/mnt/worn/disk.raw'><seclabel model='dac' relabel='no'/></source><target dev='vdc' bus='virtio'/></disk>"
refused worn 'a bad place on a disk' 'where: .*disk vdc, file /mnt/worn/disk.raw|where: .*file /mnt/worn/disk.raw, disk vdc'
says 'with the offset' 'offset [4-7][0-9]{6}$'
bed_start A worn
bed_wait_console A worn 'No bootable option' > /dev/null
refused worn 'a bad place on the disk of a running VM' 'cannot read the disk'
says 'with the offset' 'offset [4-7][0-9]{6}$'
a_is_clean worn 'after the refusal'
is 'and the VM runs' running "$(vsh A domstate "$(bed_uuid worn)")"
vsh A destroy "$(bed_uuid worn)" > /dev/null
bed_guest A nodevice --idle --extra "$(block_xml /dev/sealift-no-such-device vdc)"
refused nodevice 'a missing block device' 'where: .*disk vdc, file /dev/sealift-no-such-device'
bed_guest A noimage --idle --extra "$(rbd_xml no-such-image vdc)"
refused noimage 'a missing RBD image' 'where: .*disk vdc, file rbd:vms/no-such-image'
bed_guest A iscsi --idle --extra "<disk type='network' device='disk'><driver name='qemu' type='raw'/>
  <source protocol='iscsi' name='iqn.2013-07.com.example:iscsi-nopool/1'><host name='127.0.0.1' port='3260'/></source>
  <target dev='vdc' bus='virtio'/></disk>"
refused iscsi 'a disk over iSCSI' "element devices/disk\[vdc\]/source\[@protocol='iscsi'\]"
vsh A undefine "$(bed_uuid iscsi)" --nvram > /dev/null
mv "$images/running-data.qcow2" "$images/aside"
refused running 'an image missing under a running VM' 'where: .*disk vdb, file .*running-data.qcow2'
mv "$images/aside" "$images/running-data.qcow2"
a_is_clean running 'after the refusal'
if [ "${SEALIFT_FULL:-0}" = 1 ]; then
  mapfile -t pids < "$BED/ceph/pids"
  kill -STOP "${pids[@]}"
  refused still 'a Ceph cluster out of reach' 'a disk image cannot be opened in 30 s'
  kill -CONT "${pids[@]}"
fi
vsh A secret-undefine "$secret" > /dev/null
refused still 'a Ceph user without a key' "secret $secret"

# --- they come back where there is neither ---
vsh A destroy "$(bed_uuid running)" > /dev/null
bed_wipe A
bed_unmount_all A
ceph_down
for loop in "${loops[@]}"; do
  chown root:disk "$loop"
  losetup -d "$loop"
done
loops=()
given_on_b one
sealift B restore tl-running --identity /mnt/recovery.pem --dry-run
exits 0 'the plan of a restore on B'
like 'says that a block device becomes a file' "disk vdc: was a block device, becomes the file $BED_IMAGES/" "$OUT"
like 'and so does an RBD image' "disk vdd: was network storage, becomes the file $BED_IMAGES/running-d.qcow2" "$OUT"
restored() { bed_disk_sha B "$(vsh B domblklist "$(bed_uuid "$1")" | awk -v t="$2" '$1 == t {print $2}')"; }
for tag in running still; do
  sealift B restore "tl-$tag" --identity /mnt/recovery.pem
  exits 0 "$tag: restored on B"
  is "$tag: the block device, byte for byte" "${SUMS[$tag-c]}" "$(restored $tag vdc)"
  is "$tag: the RBD image, byte for byte" "${SUMS[$tag-d]}" "$(restored $tag vdd)"
done
is 'running: the block device with an iothread, byte for byte' "${SUMS[running-e]}" "$(restored running vde)"
unlike 'their definitions name no device and no cluster' "block|network.*rbd|protocol=|$secret|/dev/loop" \
  "$(for tag in running still; do vsh B dumpxml "$(bed_uuid $tag)" --inactive; done | grep -A3 '<disk')"
vsh B start "$(bed_uuid running)" > /dev/null
is 'and libvirt starts it' running "$(vsh B domstate "$(bed_uuid running)")"
echo "# $fast had the iothread"
finish
