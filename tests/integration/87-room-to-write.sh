#!/usr/bin/env bash
# What a guest writes while its disks are read needs room. Where that runs short the backup ends, before the guest's own
# writes fail; and an image that was let go early is not taken for what it was.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
# Where what a guest writes meanwhile goes: into a scratch file, which QEMU makes, or an overlay beside the image.
declare -A ROOM=([plain]=/mnt/scratch [only]=/mnt/images) LEAST=([plain]=3.2 [only]=8.0)
bed_tmpfs A /mnt/scratch 64m
bed_tmpfs A /mnt/images 160m
in_cluster A chmod 1777 /mnt/scratch /mnt/images
# fill TAG MIB: no more than that is left where the guest's blocks go.
fill() {
  local free
  free=$(in_cluster A df --output=avail -k "${ROOM[$1]}" | tail -n 1)
  in_cluster A fallocate -l $((free - $2 * 1024))K "${ROOM[$1]}/filler"
}
files() { in_cluster A find "${ROOM[$1]}" -type f ! -name filler | sort; }

# plain: QEMU keeps old blocks in a scratch file. only: every disk has an iothread, so its writes go to overlays.
bed_guest A plain --idle --fill 48
bed_guest A only --idle --iothread --fill 48 --folder /mnt/images
sed "s|discard='unmap' />|discard='unmap' iothread='1'/>|; s|discard='unmap'/>|discard='unmap' iothread='1'/>|" \
  "$(bed_guest_xml only)" > "$WORK/only.xml"
bed_define A "$WORK/only.xml"
is 'both disks of one guest have an iothread' 2 "$(vsh A dumpxml "$(bed_uuid only)" | grep -c "iothread='1'")"
for tag in plain only; do
  bed_start A $tag
  bed_wait_console A $tag 'No bootable option' > /dev/null
  vsh A domblklist "$(bed_uuid $tag)" > "$WORK/disks-$tag"
  files $tag > "$WORK/files-$tag"
done

begin() {
  local tag=$1
  shift
  setsid nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" "$SEALIFT" backup "tl-$tag" --full \
    --read-limit 6 --scratch-dir /mnt/scratch "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PID=$!
  COMMAND="sealift backup tl-$tag"
}
# reading TAG: a backup reads by now: its scratch file or overlay is there.
reading() {
  local i
  for ((i = 0; i < 300; i++)); do
    if [ "$(files "$1")" != "$(cat "$WORK/files-$1")" ]; then
      sleep 1
      return 0
    fi
    sleep 0.1
  done
  return 1
}
# as_before TAG WHAT
as_before() {
  local i
  for ((i = 0; i < 150; i++)); do
    if [ "$(files "$1")" = "$(cat "$WORK/files-$1")" ]; then break; fi
    sleep 0.1
  done
  is "$2: nothing of it is left" "$(cat "$WORK/files-$1")" "$(files "$1")"
  is "$2: the guest runs" running "$(vsh A domstate "$(bed_uuid "$1")")"
  is "$2: from the disks it had" "$(cat "$WORK/disks-$1")" "$(vsh A domblklist "$(bed_uuid "$1")")"
  is "$2: no job" '' "$(vsh A domjobinfo "$(bed_uuid "$1")" | grep -vE '^(Job type: +None *)?$' || :)"
}

for tag in plain only; do
  fill $tag 2
  begin $tag
  ended
  exits 5 "$tag: no room from the start"
  says "$tag: says where" '^  cause: .* are free in '"${ROOM[$tag]}, and ${LEAST[$tag]} MiB must stay so\$"
  says "$tag: and what to do" '^  next:  make room there, or name another folder with --scratch-dir$'
  as_before $tag "$tag: no room from the start"
  in_cluster A rm "${ROOM[$tag]}/filler"

  begin $tag
  ok "$tag: reading" reading $tag
  fill $tag 2
  ended
  exits 15 "$tag: the room runs out"
  says "$tag: says so" '^error: the room for what the VM writes while it is backed up ran out'
  says "$tag: and where" "^  cause: .* are free in ${ROOM[$tag]}"
  as_before $tag "$tag: the room ran out"
  in_cluster A rm "${ROOM[$tag]}/filler"
done
sealift A list --json
is 'none of that is a snapshot' '[]' "$OUT"

# Its guard lets a capture go that is stopped for long (Ctrl-Z). Nothing breaks when it goes on: an image under an overlay
# can be read while the overlay is committed to it.
begin only
ok 'only: reading' reading only
kill -STOP -- -$PID
sleep 5
as_before only 'only: stopped for long'
kill -CONT -- -$PID
ended
exits 16 'only: what was read then is no snapshot'
says 'only: with the reason' 'was sealift stopped'
sealift A list --json
is 'only: and is none' '[]' "$OUT"

# The same near the end: all is read before the merge is done, and what was written at first is not of the instant.
begin only
ok 'only: reading' reading only
# has_read MIB: of the disk with data, so much has been read.
has_read() {
  local server
  for server in $(pgrep -P "$PID" -x qemu-nbd || :); do
    if [ "$(awk '/^rchar/ {print $2}' "/proc/$server/io")" -gt $(($1 << 20)) ]; then return 0; fi
  done
  return 1
}
until has_read 36; do sleep 0.05; done
fill only 2
ended
exits 15 'only: the room runs out near the end'
as_before only 'only: the room ran out near the end'
in_cluster A rm "${ROOM[only]}/filler"
sealift A list --json
is 'only: what was read then is no snapshot either' '[]' "$OUT"

for tag in plain only; do
  sealift A backup tl-$tag --scratch-dir /mnt/scratch
  exits 0 "$tag: with room again"
  as_before $tag "$tag: with room again"
done
finish
