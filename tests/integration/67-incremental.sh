#!/usr/bin/env bash
# What changed is enough: after a first snapshot only changed blocks are read, and the snapshot is whole all the same.
# Each cause that breaks the chain is made to happen; then everything is read, the reason is said and kept, and what was
# in the way is gone. After every one the snapshot is compared with a full read of the same standing guest, to the byte.
#
# The guests boot nothing. What "the guest writes" goes through the block layer of its QEMU, like the guest's own writes.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
given_on_b one
images=$BED/A/lib/images

# writes TAG TARGET COMMAND...: qemu-io commands on the disk as the guest's device sees it. The guest stands still
# meanwhile: QEMU 7.2 dies of them on a disk whose iothread works.
writes() {
  local tag=$1 target=$2 alias command said
  shift 2
  vsh A suspend "$(bed_uuid "$tag")" > /dev/null
  alias=$(vsh A dumpxml "$(bed_uuid "$tag")" | python3 -c '
import sys, xml.etree.ElementTree as tree
for disk in tree.parse(sys.stdin).iter("disk"):
    if disk.find("target").get("dev") == sys.argv[1]: print(disk.find("alias").get("name"))' "$target")
  for command in "$@"; do
    said=$(vsh A qemu-monitor-command "$(bed_uuid "$tag")" --hmp "qemu-io -d /machine/peripheral/$alias/virtio-backend \"$command\"")
    case $said in *[Ee]rror* | *failed*) echo "writes: $command: $said" >&2; return 1 ;; esac
  done
  vsh A resume "$(bed_uuid "$tag")" > /dev/null
}
bitmaps() { qemu-img info -U --output=json "$1" | python3 -c '
import json, sys
data = json.load(sys.stdin)["format-specific"]["data"]
print(" ".join(sorted(b["name"] for b in data.get("bitmaps", []))))'; }
# shows ID TARGET: why the disk was read as it was.
shows() {
  sealift A show "$1" --json
  json "d['consistency']['read_$2']"
}
# backed_up TAG READ WHAT [OPTION...]: a backup that reads "changed" or "all"; sets ID.
backed_up() {
  local tag=$1 read=$2 what=$3
  shift 3
  sealift A backup "tl-$tag" --json "$@"
  exits 0 "$what"
  is "$what: it reads" "$read" "$(json 'd["read"]')"
  ID=$(json 'd["id"]')
  SAID_LAST=$ERR
  is "$what: its checkpoint is the only one of ours" "$(checkpoint_name "$ID")" "$(checkpoints "$tag" | grep "^sealift-${REPOSITORY_ID:0:16}" || :)"
}
# same_as_full TAG READ WHAT: with the guest standing still, a backup and one that reads everything hold the same disks.
same_as_full() {
  local tag=$1 read=$2 what=$3 first disk
  vsh A suspend "$(bed_uuid "$tag")" > /dev/null
  backed_up "$tag" "$read" "$what"
  first=$ID
  SAID=$SAID_LAST
  sealift A backup "tl-$tag" --json --full
  exits 0 "$what: and one that reads everything"
  is "$what: which it does" all "$(json 'd["read"]')"
  ID=$(json 'd["id"]')
  vsh A resume "$(bed_uuid "$tag")" > /dev/null
  rm -rf "$BED/B/lib/whole"
  mkdir "$BED/B/lib/whole"
  for id in "$first" "$ID"; do
    sealift B restore "$id" --identity /mnt/recovery.pem --to-directory "/var/lib/libvirt/whole/$id"
    exits 0 "$what: ${id:0:8} is restored to a folder"
  done
  for disk in "$BED/B/lib/whole/$first"/vd?.raw; do
    ok "$what: $(basename "$disk") is the same" cmp "$disk" "$BED/B/lib/whole/$ID/$(basename "$disk")"
  done
  FIRST=$first
}
# goes_on TAG WHAT: the next backup reads no disk whole that it knows the changes of, and is the same as a full one.
goes_on() {
  same_as_full "$1" changed "$2"
  unlike "$2: no disk is read whole for a reason" ': all of it (is|was) read' "$SAID"
  like "$2: of the disk with data only what changed is read" '^what changed since snapshot ' "$(shows "$FIRST" vdb)"
}
# broken TAG TARGET REASON WHAT [READ]: the next backup reads the disk whole (and says that it READ all, or of other disks
# only what changed), says why, keeps why, and is the same as a full one.
broken() {
  local tag=$1 target=$2 reason=$3 what=$4
  same_as_full "$tag" "${5:-all}" "$what"
  like "$what: the reason is said" "^warning: tl-$tag: disk $target: all of it is read: .*$reason" "$SAID"
  like "$what: the reason is kept" "^all: .*$reason" "$(shows "$FIRST" "$target")"
}

# --- the chain ---
bed_guest A web --idle --fill 24
bed_start A web
bed_wait_console A web 'No bootable option' > /dev/null
web=$(bed_uuid web)
backed_up web all 'the first snapshot'
sealift A backup tl-web --estimate --json
exits 0 'an estimate of the next one'
is 'says: nothing changed' '0 changed' "$(json 'str(d["bytes"]) + " " + d["disks"][1]["read"]')"
is 'and takes no snapshot' 1 "$(sealift A list --json; json 'len(d)')"
backed_up web changed 'nothing changed'
at_most 'nothing is read but NVRAM, vTPM state and definitions, and the sample' 600000 "$(json 'd["changed_bytes"]')"
like 'show has its size' '^(6[4-9]|[7-9][0-9]|[1-9][0-9]{2,}) blocks called unchanged are what they were$' \
  "$(sealift A show "$ID" --json; json 'd["consistency"]["sample_vdb"]')"
writes web vdb 'write -P 0x42 1M 64k' 'write -P 0x43 5000k 4k' 'write -z 8M 1M' 'discard 12M 2M' 'write -P 0x44 20M 100k'
sealift A backup tl-web --estimate --json
at_least 'the estimate knows what changed' 3211264 "$(json 'd["disks"][1]["bytes"]')"
goes_on web 'writes, zeros and a discard'
at_most 'few bytes were read' 4194304 "$(sealift A show "$FIRST" --json; json 'd["changed_bytes"]')"
# Ten pieces of 64 KiB, each in a chunk of 256 KiB that held data.
for at in 0 1 2 3 4 5 6 7 8 9; do writes web vdb "write -P 0x4${at} $((at * 2 + 1))M 4k"; done
sealift A backup tl-web --estimate
like 'an estimate says what is read at most' '^tl-web: at most .* to read$' "$OUT"
like 'and the sample' '^  vdb .* noted; with a sample of [0-9.]+ [KM]iB of what did not$' "$OUT"
sealift A backup tl-web --estimate --json
noted=$(json 'd["bytes"]')
most=$(json 'd["disks"][1]["at_most_bytes"]')
sample=$(json 'd["disks"][1]["sample_bytes"]')
backed_up web changed 'what the estimate was of'
sealift A show "$ID" --json
read=$(json 'd["changed_bytes"] - sum(c["size"] for c in d["components"] if c["kind"] != "disk")')
sampled=$(json 'int(d["consistency"]["sample_vdb"].split()[0]) * 262144')
at_least 'more is read than QEMU noted' $((noted * 3)) "$read"
at_most 'and with the sample no more than the estimate said' "$most" $((read + sampled))
at_most 'nor a larger sample' "$sample" "$sampled"
is 'kind and read say so' 'incremental changed' "$(sealift A show "$FIRST" --json; json 'd["kind"] + " " + d["read"]')"
sealift B verify "$FIRST" --identity /mnt/recovery.pem
exits 0 'it verifies as any other'

# --- what the chain survives ---
sealift A backup tl-web "$web" --json
exits 0 'a VM that is named twice'
is 'is backed up once' 1 "$(wc -l <<< "$OUT")"
vsh A destroy "$web" > /dev/null
sealift A backup tl-web --json
exits 0 'a VM that is off is backed up'
is 'whole' all "$(json 'd["read"]')"
bed_start A web
writes web vdb 'write -P 0x45 2M 64k'
goes_on web 'after the VM was off'

vsh A snapshot-create-as "$web" keep --disk-only --no-metadata --atomic \
  --diskspec vda,snapshot=no --diskspec "vdb,file=$BED_IMAGES/over.qcow2" > /dev/null
writes web vdb 'write -P 0x46 3M 64k'
vsh A blockcommit "$web" vdb --active --pivot --wait > /dev/null
writes web vdb 'write -P 0x47 4M 64k'
goes_on web 'an external snapshot that was merged back'

cat > "$BED/A/other.xml" <<XML
<domaincheckpoint><name>another-tool</name><disks><disk name='vda' checkpoint='no'/>
<disk name='vdb' checkpoint='bitmap'/></disks></domaincheckpoint>
XML
vsh A checkpoint-create "$web" "$BED/A/other.xml" > /dev/null
writes web vdb 'write -P 0x48 6M 64k'
goes_on web "another tool's checkpoint after ours"
is 'and it is left alone' another-tool "$(checkpoints web | grep -v '^sealift-')"
vsh A checkpoint-delete "$web" another-tool > /dev/null
writes web vdb 'write -P 0x49 7M 64k'
goes_on web 'and once it is deleted'

long=/mnt/$(printf 'long%.0s' {1..30})
in_cluster A mkdir -p "$long"
sealift A backup tl-web --scratch-dir "$long"
exits 5 'a backup that fails'
says 'because its socket would have too long a path' 'name a folder with a shorter path with --scratch-dir'
is 'leaves the checkpoint there was' "$(checkpoint_name "$ID")" "$(checkpoints web)"
writes web vdb 'write -P 0x4a 9M 64k'
goes_on web 'after a backup that failed'

# begun TAG MIB/S [OPTION]: a slow backup in the background; its pid in PID.
begun() {
  local i tag=$1 limit=$2
  shift 2
  # Not in_cluster: that would be a shell with the program as its child.
  nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" "$SEALIFT" backup "tl-$tag" --read-limit "$limit" "$@" > /dev/null 2>&1 < /dev/null &
  PID=$!
  for ((i = 0; i < 100; i++)); do
    if vsh A domjobinfo "$(bed_uuid "$tag")" | grep -q Unbounded; then break; fi
    sleep 0.1
  done
  sleep 1
}
begun web 24 --full
writes web vdb 'write -P 0x41 10M 64k' 'write -P 0x41 30M 64k'
wait $PID
goes_on web 'after writes in the middle of a backup'

# Whoever pauses the VM while its disks are read has his reasons.
begun web 24 --full
vsh A suspend "$web" > /dev/null
wait $PID
is 'a VM that was paused meanwhile stays paused' paused "$(vsh A domstate "$web")"
vsh A resume "$web" > /dev/null

# Two repositories, in turns: each has its own chain.
second=$BED/outside/second
mkdir "$second"
bed_mount A "$second" /mnt/second rw
sealift A repo init --repo /mnt/second --recipient /mnt/public/one.pub.pem
done_or_stop
sealift A backup tl-web --repo /mnt/second --json
is 'the first backup into a second repository' all "$(json 'd["read"]')"
writes web vdb 'write -P 0x4a 9500k 64k'
goes_on web 'into the first one, after that'
sealift A backup tl-web --repo /mnt/second --json
is 'and into the second' changed "$(json 'd["read"]')"
other=$(json 'd["id"]')
sealift A show "$other" --repo /mnt/second --json
at_least 'with what was written since the last one there' 600000 "$(json 'd["changed_bytes"]')"
like 'each left one checkpoint' '^2$' "$(checkpoints web | wc -l)"
vsh A checkpoint-delete "$web" "$(checkpoints web | grep -v "${REPOSITORY_ID:0:16}")" > /dev/null

sealift A catalog rebuild
exits 0 'the catalog is made anew'
broken_quietly() { same_as_full "$1" all "$2"; like "$2: the reason is kept" "$3" "$(shows "$FIRST" vdb)"; }
broken_quietly web 'everything is read once' '^all: the catalog is newer than the earlier snapshot'

begun web 2 --full
writes web vdb 'write -P 0x4b 10M 64k'
kill -KILL $PID
wait $PID 2> /dev/null || :
writes web vdb 'write -P 0x4c 10500k 64k'
goes_on web 'after a backup that was killed'

begun web 2 --full
writes web vdb 'write -P 0x4d 11M 64k'
vsh A destroy "$web" > /dev/null
wait $PID 2> /dev/null || :
bed_start A web
writes web vdb 'write -P 0x4e 11500k 64k'
goes_on web 'after the VM was destroyed in the middle of a backup'

# An incremental of its own that is killed while it reads, and one that the guest writes to meanwhile.
incremental_killed() {
  local tag=$1
  writes "$tag" vdb 'write -P 0x71 16M 12M'
  begun "$tag" 2
  writes "$tag" vdb 'write -P 0x72 17M 64k' 'write -P 0x72 45M 64k'
  kill -KILL $PID
  wait $PID 2> /dev/null || :
  for ((i = 0; i < 150; i++)); do
    if [ -z "$(strange_checkpoints "$tag")" ] && ! vsh A domblklist "$(bed_uuid "$tag")" | grep -q sealift; then break; fi
    sleep 0.1
  done
  is "$tag: an incremental is killed while it reads: the guest runs" running "$(vsh A domstate "$(bed_uuid "$tag")")"
  goes_on "$tag" "$tag: after an incremental that was killed"
  writes "$tag" vdb 'write -P 0x73 16M 12M'
  begun "$tag" 12
  writes "$tag" vdb 'write -P 0x74 17M 64k' 'write -P 0x74 45M 64k'
  wait $PID
  goes_on "$tag" "$tag: after an incremental that was written to meanwhile"
}
incremental_killed web

# --- what breaks it ---
vsh A checkpoint-delete "$web" "$(checkpoint_name "$ID")" > /dev/null
writes web vdb 'write -P 0x50 1M 64k'
broken web vdb 'the checkpoint of the earlier snapshot is gone' 'another tool deleted our checkpoint'

orphan=$(checkpoint_name "$ID")
vsh A checkpoint-delete "$web" "$orphan" --metadata > /dev/null
writes web vdb 'write -P 0x51 1M 64k'
broken web vdb 'the checkpoint of the earlier snapshot is gone' 'only the bitmap is left of our checkpoint'
vsh A destroy "$web" > /dev/null
is 'which is not known before QEMU closes the image' "$(printf '%s\n' "$orphan" "$(checkpoint_name "$ID")" | sort | tr '\n' ' ' | sed 's/ $//')" \
  "$(bitmaps "$images/web-data.qcow2")"
bed_start A web
writes web vdb 'write -P 0x58 15M 64k'
goes_on web 'beside a forgotten bitmap'

# QEMU can lose its notes after it was asked for them: the backup is held up there.
gcc -shared -fPIC -O1 -o "$WORK/hold.so" "$HERE/evidence/hold_at_folder.c" -ldl
# forget_notes TAG BITMAP: QEMU forgets it, and libvirt does not know.
forget_notes() {
  local node
  node=$(vsh A qemu-monitor-command "$(bed_uuid "$1")" '{"execute": "query-named-block-nodes"}' | python3 -c '
import json, sys
for node in json.load(sys.stdin)["return"]:
    if "web-data" in node["file"] and any(b["name"] == sys.argv[1] for b in node.get("dirty-bitmaps", [])):
        print(node["node-name"])' "$2")
  vsh A qemu-monitor-command "$(bed_uuid "$1")" '{"execute": "block-dirty-bitmap-remove",
    "arguments": {"node": "'"$node"'", "name": "'"$2"'"}}' > /dev/null
}
writes web vdb 'write -P 0x5b 1M 64k'
nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" LD_PRELOAD="$WORK/hold.so" HELD="$WORK/held" \
  "$SEALIFT" backup tl-web --json > "$WORK/out" 2> "$WORK/err" < /dev/null &
PID=$!
until [ -e "$WORK/held" ] || ! kill -0 $PID 2> /dev/null; do sleep 0.05; done
ok 'a backup is about to begin its job' test -e "$WORK/held"
forget_notes web "$(checkpoint_name "$ID")"
rm -f "$WORK/held"
STATUS=0
wait $PID || STATUS=$?
OUT=$(cat "$WORK/out")
ERR=$(cat "$WORK/err")
COMMAND='sealift backup tl-web --json'
exits 0 'QEMU refuses at the start of the job what it promised before'
says 'it is said' '^warning: tl-web: disk vdb: all of it is read: libvirt refuses to say what changed: '
is 'and all is read' all "$(json 'd["read"]')"
ID=$(json 'd["id"]')
like 'the reason is kept' '^all: libvirt refuses to say what changed: ' "$(shows "$ID" vdb)"
is 'the guest runs' running "$(vsh A domstate "$web")"
writes web vdb 'write -P 0x5c 1M 64k'
goes_on web 'after that'

vsh A blockresize "$web" vdb 40M > /dev/null
writes web vdb 'write -P 0x52 38M 64k'
broken web vdb 'it was resized from' 'a disk was resized' changed

# Smaller and larger again: its size is what it was, and nobody noted it. The guest has written its last data anew, and
# what is drawn of a disk that is nearly all holes hardly meets the one piece that was lost. It goes with this QEMU.
in_cluster A qemu-img create -q -f qcow2 "$BED_IMAGES/web-wide.qcow2" 16G
vsh A attach-disk "$web" "$BED_IMAGES/web-wide.qcow2" vdd --driver qemu --subdriver qcow2 --live > /dev/null
writes web vdd 'write -P 0x5d 12G 64k' 'write -P 0x5d 15G 64k'
backed_up web changed 'a wide disk'
vsh A blockresize "$web" vdd 8G > /dev/null
vsh A blockresize "$web" vdd 16G > /dev/null
writes web vdd 'write -P 0x5e 15G 64k'
backed_up web changed 'it was made smaller and larger again'
like 'which is noticed' "^warning: tl-web: disk vdd: at offset $((12 << 30)) it has changed, .*smaller and larger" "$SAID_LAST"
like 'and all of it is read' "^all: at offset $((12 << 30)) it has changed" "$(shows "$ID" vdd)"

pid=$(cat "$BED/A/run/qemu/tl-web.pid")
writes web vdb 'write -P 0x53 10M 64k'
kill -9 "$pid"
until [ "$(vsh A domstate "$web")" = 'shut off' ]; do sleep 0.2; done
bed_start A web
writes web vdb 'write -P 0x54 11M 64k'
broken web vdb 'what was noted of its changes is lost' 'QEMU crashed'
writes web vdb 'write -P 0x55 12M 64k'
goes_on web 'after a broken chain the next one stands'

vsh A destroy "$web" > /dev/null
is 'no bitmap lies in the image but the last' "$(checkpoint_name "$ID")" "$(bitmaps "$images/web-data.qcow2")"
qemu-img convert -O qcow2 "$images/web-data.qcow2" "$images/other.qcow2"
mv "$images/other.qcow2" "$images/web-data.qcow2"
bed_start A web
writes web vdb 'write -P 0x56 13M 64k'
broken web vdb 'what was noted of its changes is lost' 'a disk was replaced' changed

# Two disks of one size, each with its notes, change places: to libvirt both are as they were.
vsh A destroy "$web" > /dev/null
cp --sparse=always "$images/web-data.qcow2" "$images/web-more.qcow2"
qemu-img bitmap --remove -f qcow2 "$images/web-more.qcow2" "$(checkpoint_name "$ID")"
vsh A attach-disk "$web" "$BED_IMAGES/web-more.qcow2" vdc --driver qemu --subdriver qcow2 --config > /dev/null
bed_start A web
backed_up web changed 'a new disk'
like 'which is read whole' '^all: the earlier snapshot does not hold it' "$(shows "$ID" vdc)"
writes web vdc 'write -P 0x59 5M 64k'
goes_on web 'the next time it is not'
like 'it is not' '^what changed since' "$(shows "$FIRST" vdc)"
vsh A destroy "$web" > /dev/null
vsh A dumpxml "$web" --inactive --security-info | sed -e 's/web-data/web-XX/; s/web-more/web-data/; s/web-XX/web-more/' > "$BED/A/swapped.xml"
vsh A define "$BED/A/swapped.xml" > /dev/null
bed_start A web
broken web vdb 'its image was another' 'two disks changed places in the definition' changed
like 'the other one too' '^all: its image was another' "$(shows "$FIRST" vdc)"
vsh A destroy "$web" > /dev/null
mv "$images/web-data.qcow2" "$images/web-XX"
mv "$images/web-more.qcow2" "$images/web-data.qcow2"
mv "$images/web-XX" "$images/web-more.qcow2"
bed_start A web
broken web vdb 'another file has its image.s name now' 'two images changed names' changed

vsh A destroy "$web" > /dev/null
is 'no stale bitmap lies in the image' "$(checkpoint_name "$ID")" "$(bitmaps "$images/web-data.qcow2")"
vsh A undefine "$web" --nvram --tpm --checkpoints-metadata > /dev/null
find "$images" -name 'web-*' -delete
vsh A secret-undefine "$(bed_secret_uuid web)" > /dev/null
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
sealift A restore tl-web --identity /mnt/recovery.pem --start
exits 0 'the VM is restored where it was'
writes web vdb 'write -P 0x57 14M 64k'
broken web vdb 'the checkpoint of the earlier snapshot is gone' 'the VM was restored'
vsh A destroy "$web" > /dev/null

# --- trust is good ---
bed_guest A back --idle --data overlay --fill 8
bed_start A back
bed_wait_console A back 'No bootable option' > /dev/null
backed_up back all 'a VM whose disk lies on another image'
base=$images/back-data-base.qcow2
writes back vdb 'write -P 0x60 1M 64k'
goes_on back 'its changes alone'
# A byte of every chunk that the image below holds: what is drawn of the disk cannot miss them all.
qemu-img map -U --output=json "$base" | python3 -c '
import json, sys
with open(sys.argv[1], "r+b") as image:
    for extent in json.load(sys.stdin):
        for at in range(0, extent["length"], 65536) if extent["data"] else ():
            image.seek(extent["offset"] + at)
            byte = image.read(1)[0]
            image.seek(extent["offset"] + at)
            image.write(bytes([byte ^ 0x55]))' "$base"
sealift A backup tl-back --json
exits 0 'something else wrote to the image below'
says 'and is noticed' '^warning: tl-back: disk vdb: at offset [0-9]+ it has changed, and QEMU does not know: .*; all of it was read'
ID=$(json 'd["id"]')
like 'all of the disk is read' '^all: at offset [0-9]+ it has changed, and QEMU does not know:' "$(shows "$ID" vdb)"
like 'the other disk is not' '^what changed since' "$(shows "$ID" vda)"
goes_on back 'and the next one stands'
vsh A destroy "$(bed_uuid back)" > /dev/null

# --- a disk with an iothread, which QEMU 7.2 must not serve: read under an overlay, its notes from its image ---
bed_guest A fast --idle --iothread --fill 24
bed_start A fast
bed_wait_console A fast 'No bootable option' > /dev/null
backed_up fast all 'a VM with an iothread'
writes fast vdb 'write -P 0x62 1M 64k' 'write -z 8M 1M' 'discard 12M 2M'
goes_on fast 'its changes alone'

# The bitmap goes on in two images; of the frozen one only the upper one's can be had.
writes fast vdb 'write -P 0x71 10M 64k'
vsh A snapshot-create-as "$(bed_uuid fast)" kept --disk-only --no-metadata --atomic \
  --diskspec vda,snapshot=no --diskspec "vdb,file=$BED_IMAGES/fast-over.qcow2" > /dev/null
writes fast vdb 'write -P 0x72 3M 64k'
broken fast vdb 'an external snapshot of it was made' 'an external snapshot that stays' changed
writes fast vdb 'write -P 0x73 11M 64k'
goes_on fast 'on top of it'
vsh A blockcommit "$(bed_uuid fast)" vdb --active --pivot --wait > /dev/null
rm "$images/fast-over.qcow2"
writes fast vdb 'write -P 0x74 12M 64k'
broken fast vdb 'its image was another' 'once it is merged back' changed
goes_on fast 'and the next one stands'

like 'of the disk with the iothread too' '^what changed since' "$(shows "$FIRST" vdb)"
# meanwhile TAG OFFSET...: a backup that is written to while it reads; it ends well.
meanwhile() {
  local tag=$1 offset
  shift
  begun "$tag" 24 --full
  for offset in "$@"; do writes "$tag" vdb "write -P 0x63 $offset 64k"; done
  wait $PID
}
meanwhile fast 3M 20M 40M
goes_on fast 'after writes in the middle of a backup'
begun fast 2 --full
writes fast vdb 'write -P 0x64 4M 64k'
kill -KILL $PID
wait $PID 2> /dev/null || :
until [ -z "$(strange_checkpoints fast)" ] && ! vsh A domblklist "$(bed_uuid fast)" | grep -q sealift; do sleep 0.2; done
writes fast vdb 'write -P 0x65 5M 64k'
goes_on fast 'after a backup that was killed'
incremental_killed fast
vsh A destroy "$(bed_uuid fast)" > /dev/null
bed_start A fast
writes fast vdb 'write -P 0x66 6M 64k'
goes_on fast 'after the VM was off'
vsh A destroy "$(bed_uuid fast)" > /dev/null

# --- disks that have no place for notes ---
bed_guest A raw --idle --data raw --fill 8
bed_start A raw
bed_wait_console A raw 'No bootable option' > /dev/null
backed_up raw all 'a VM with a raw disk'
writes raw vdb 'write -P 0x61 1M 64k'
same_as_full raw changed 'of the other disk changes, of this one all'
like 'which is said' 'all: its image has no place to note changes' "$(shows "$FIRST" vdb)"
vsh A destroy "$(bed_uuid raw)" > /dev/null

# --- the repository is damaged under the earlier snapshot ---
# Last: what else leans on these volumes is damaged from here on.
bed_guest A hurt --idle --fill 24
bed_start A hurt
bed_wait_console A hurt 'No bootable option' > /dev/null
backed_up hurt all 'a VM whose snapshot will be damaged'
like 'which stores all of it' '^[0-9]{8,}$' "$(json 'd["stored_bytes"]')"
python3 - "$REPOSITORY/archives/${ID:0:2}/$ID/$ID-0001.tar" <<'PYTHON'
import os, sys, tarfile
with tarfile.open(sys.argv[1]) as volume:
    segments = [(member.offset_data, member.size) for member in volume if member.name.startswith("segments/")]
os.chmod(sys.argv[1], 0o600)
with open(sys.argv[1], "r+b") as file:
    for begin, size in segments:
        file.seek(begin)
        content = bytearray(file.read(size))
        content[::64] = bytes(byte ^ 0x55 for byte in content[::64])
        file.seek(begin)
        file.write(content)
PYTHON
writes hurt vdb 'write -P 0x62 1M 64k'
backed_up hurt all 'a backup after the damage'
whole=$ID
like 'it says so' '^warning: tl-hurt: disk vd[ab]: the earlier snapshot is damaged: .*; all of it was read$' "$SAID_LAST"
sealift B verify "$ID" --identity /mnt/recovery.pem
exits 0 'it leans on nothing that is damaged'
writes hurt vdb 'write -P 0x63 2M 64k'
goes_on hurt 'and the next one stands'
sealift B verify "$FIRST" --identity /mnt/recovery.pem
exits 0 'which is whole, too'
vsh A destroy "$(bed_uuid hurt)" > /dev/null

# --- a volume of it is lost ---
lost=archives/${whole:0:2}/$whole/$whole-0001.tar
rm "$REPOSITORY/$lost"
sealift A list tl-hurt --json
exits 3 'a volume of an earlier snapshot is lost'
is 'all that need it are damaged' 'damaged damaged damaged' "$(json '" ".join(s["verdict"] for s in d[:3])')"
sealift A show "$FIRST" --json
exits 3 'show says what there is'
is 'and names the volume' "$FIRST $lost" "$(json 'd["id"] + " " + " ".join(d["lost_volumes"])')"

finish
