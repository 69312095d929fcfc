#!/usr/bin/env bash
# The guest comes first: whatever happens to the backup, to its repository, to libvirt or to the guest itself in the
# middle of one, the guest goes on, and what is left on it is removed by who remains, or by the next run, which says so.
# Two guests that write all the time: one whose disks QEMU serves, and one whose data disk has an iothread, which is read
# under an overlay. SEALIFT_FULL=1: more moments.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

# A repository on a file system of its own, that can be made to hang.
given_keys one
truncate -s 900M "$BED/A/hanging.img"
mkfs.ext4 -q -F "$BED/A/hanging.img"
in_cluster A mkdir /mnt/hanging
in_cluster A mount -o loop "$BED/A/hanging.img" /mnt/hanging
echo /mnt/hanging >> "$BED/A/mounts"
let_go() { in_cluster A fsfreeze -u /mnt/hanging 2> /dev/null || :; }
LISTENER=
trap 'let_go; if [ -n "$LISTENER" ]; then kill "$LISTENER"; fi' EXIT
bed_mount A "$BED/outside/public" /mnt/public ro
SETTINGS_A=(SEALIFT_REPO=/mnt/hanging/repository)
sealift A keyvault init
done_or_stop
sealift A repo init --recipient /mnt/public/one.pub.pem
done_or_stop

# A third disk, which the guest leaves alone: its content can be new each time, so that there is something to store.
for tag in plain iothread; do
  truncate -s 32M "$BED/A/lib/images/$tag-fresh.img"
done
fresh_disk() {
  echo "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$BED_IMAGES/$1-fresh.img'/>
    <target dev='vdc' bus='virtio'/></disk>"
}
bed_guest A plain --extra "$(fresh_disk plain)"
bed_guest A iothread --iothread --extra "$(fresh_disk iothread)"
bed_start A plain
bed_boot A iothread
bed_wait_console A plain 'TL READY' 240 > /dev/null
touch "$WORK/clean-since"
qemu() { cat "$BED/A/run/qemu/$(bed_name "$1").pid"; }
images() { find "$BED/A/lib/images" -type f | sort; }
disks() { vsh A domblklist "$(bed_uuid "$1")"; }
images_before=$(images)
for tag in plain iothread; do
  qemu $tag > "$WORK/qemu-$tag"
  disks "$tag" > "$WORK/disks-$tag"
done

# begin TAG [OPTION...]: a backup in the background, leader of a process group of its own; sets PID. It reads everything,
# or with READS=changed the third disk, which has no place for notes, and of the others what changed.
READS=all
begin() {
  local tag=$1 how=()
  shift
  if [ $READS = all ]; then how=(--full); fi
  setsid nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" "$SEALIFT" backup "tl-$tag" "${how[@]}" "$@" \
    > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PID=$!
  COMMAND="sealift backup tl-$tag ${how[*]} $*"
}
# begin_reading TAG [MIB]: a slow one, that reads by now.
begin_reading() {
  local i
  dd if=/dev/urandom of="$BED/A/lib/images/$1-fresh.img" bs=1M count=32 conv=notrunc,nocreat status=none
  begin "$1" --read-limit "${2:-6}"
  for ((i = 0; i < 300; i++)); do
    if vsh A domjobinfo "$(bed_uuid "$1")" | grep -q 'Unbounded'; then
      sleep 0.7
      return 0
    fi
    sleep 0.1
  done
  bed_fail "the backup of $1 does not come to reading: $(cat "$WORK/err")"
}
# hangs: the repository hangs from now on, and the backup with it.
hangs() {
  local i
  in_cluster A fsfreeze -f /mnt/hanging
  for ((i = 0; i < 300; i++)); do
    if grep -qE '^[0-9]+ \(.*\) D ' /proc/$PID/task/*/stat 2> /dev/null; then return 0; fi
    sleep 0.1
  done
  return 1
}
guard_of() { pgrep -P "$1" -f -- --sealift-capture-guard; }
settled() {
  local i uuid
  uuid=$(bed_uuid "$1")
  for ((i = 0; i < 150; i++)); do
    if vsh A domjobinfo "$uuid" | grep -qE '^Job type: +None' && [ "$(vsh A domstate "$uuid")" = running ] &&
      [ -z "$(strange_checkpoints "$1")" ] && [ "$(disks "$1")" = "$(cat "$WORK/disks-$1")" ]; then
      return 0
    fi
    sleep 0.1
  done
  return 1
}
# all_is_well TAG WHAT: nothing is left, and it is the same QEMU with the same disks.
all_is_well() {
  ok "$2: all is as before within 15 seconds" settled "$1"
  a_is_clean "$1" "$2"
  is "$2: the same QEMU" "$(cat "$WORK/qemu-$1")" "$(qemu "$1")"
  is "$2: no image file more" "$images_before" "$(images)"
}
next_run_works() {
  sealift A backup "tl-$1"
  exits 0 "$2: the next backup works"
}

# How long a guest was silent: its console, looked at five times a second, from `listen` to `silence`, which sets
# SILENCE (seconds).
listen() {
  bash -c 'last="" since=$EPOCHREALTIME worst=0
    while :; do
      size=$(stat -c %s "$1")
      now=$EPOCHREALTIME
      if [ "$size" != "$last" ]; then last=$size since=$now; fi
      gap=$(( (${now/./} - ${since/./}) / 1000000 ))
      if [ $gap -gt $worst ]; then worst=$gap; echo $worst > "$2"; fi
      sleep 0.2
    done' bash "$(bed_console A "$1")" "$WORK/silence" &
  LISTENER=$!
  echo 0 > "$WORK/silence"
}
silence() {
  kill "$LISTENER"
  wait "$LISTENER" 2> /dev/null || :
  LISTENER=
  SILENCE=$(cat "$WORK/silence")
}
# A tick comes every second or so, an unsealing takes a few more on a busy machine.
QUIET=6
declare -A RESET_FROM TICK

for tag in plain iothread; do
  sealift A backup tl-$tag
  exits 0 "$tag: a first backup"
done

# --- the storage is not used up either ---
dd if=/dev/urandom of="$BED/A/lib/images/plain-fresh.img" bs=1M count=32 conv=notrunc,nocreat status=none
began=$(date +%s%N)
sealift A backup tl-plain --full --write-limit 4 --json
exits 0 'a backup with a write limit'
at_least 'stores 32 MiB of noise' 33554432 "$(json 'd["stored_bytes"]')"
at_least 'and takes its time: the first second is free' 6500 $((($(date +%s%N) - began) / 1000000))

abort() { timeout "$1" nsenter --mount --target "$(bed_holder A)" -- virsh -q -c qemu:///system domjobabort "$uuid"; }

# --- sealift is stopped, as by Ctrl-Z ---
stopped_stories() {
  begin_reading "$tag" 12
  kill -STOP -- -$PID
  sleep 1.5
  kill -CONT -- -$PID
  ended
  exits 0 "$tag: stopped for a moment, the backup goes on to its end"
  begin_reading "$tag"
  is "$tag: its guard is in no process group that a terminal stops" yes \
    "$(if [ "$(ps -o pgid= -p "$(guard_of $PID)" | tr -d ' ')" != $PID ]; then echo yes; fi)"
  kill -STOP -- -$PID
  ok "$tag: while it is stopped, its job can be ended" abort 10
  sleep 4
  ok "$tag: stopped for long, nothing of it is left" settled "$tag"
  kill -CONT -- -$PID
  ended
  exits 16 "$tag: and the backup says so when it goes on"
  says "$tag: with the reason" 'was sealift stopped'
  begin_reading "$tag"
  kill -STOP -- -$PID
  sleep 5
  ok "$tag: stopped for long, its job is ended for it" settled "$tag"
  kill -KILL -- -$PID
  ended
  begin_reading "$tag"
  kill -STOP -- -$PID
  kill -KILL $PID
  ended
  all_is_well "$tag" "$tag: stopped and killed"
}

# --- the repository hangs ---
hanging_stories() {
  begin_reading "$tag" 16
  ok "$tag: its repository hangs, and the backup with it" hangs
  sleep 60
  let_go
  ended
  exits 0 "$tag: when the repository answers again, the backup ends well"
  begin_reading "$tag" 16
  ok "$tag: its repository hangs" hangs
  ok "$tag: meanwhile its job can be ended" abort 5
  let_go
  ended
  exits 16 "$tag: then it says what ended it"
  for signal in TERM KILL; do
    begin_reading "$tag" 16
    ok "$tag: its repository hangs" hangs
    kill -$signal $PID
    case $signal in
      TERM)
        sleep 1
        status=143
        ;;
      KILL)
        ok "$tag: killed while its repository hangs, it leaves the guest at once" settled "$tag"
        is "$tag: before the repository answers" yes "$(if kill -0 $PID 2> /dev/null; then echo yes; fi)"
        status=137
        ;;
    esac
    let_go
    ended
    exits "$status" "$tag: SIG$signal while the repository hangs"
    all_is_well "$tag" "$tag: SIG$signal while the repository hangs"
  done
}

# Both ways of reading are in the guest with the iothread; the plain one has its turn in a full run.
turns=(iothread)
if [ "${SEALIFT_FULL:-0}" = 1 ]; then turns=(plain iothread); fi
for tag in "${turns[@]}"; do
  uuid=$(bed_uuid "$tag")
  listen "$tag"
  stopped_stories
  hanging_stories
  silence
  at_most "$tag: the guest was never silent (seconds)" "$QUIET" "$SILENCE"
done

# --- the guest is stopped and goes on, and resets, under the backup ---
disturbed() {
  local uuid i
  uuid=$(bed_uuid "$tag")
  begin_reading "$tag" 10
  for ((i = 0; i < 6; i++)); do
    vsh A suspend "$uuid" > /dev/null
    sleep 0.1
    vsh A resume "$uuid" > /dev/null
    sleep 0.1
  done
  TICK[$tag]=$(bed_console_lines A "$tag" | awk '/^TL TICK / {tick = $3} END {print tick}')
  RESET_FROM[$tag]=$(bed_mark A "$tag")
  vsh A reset "$uuid"
  sleep 0.5
  vsh A reset "$uuid"
  ended
  exits 0 "$tag: $READS read: the guest stands still six times and resets twice meanwhile"
  all_is_well "$tag" "$tag: $READS read: suspend, resume, reset"
  sealift A show "tl-$tag@latest" --json
  is "$tag: and what is called read" $READS "$(json 'd["read"]')"
}
# came_back: from that, with every tick it had written.
came_back() {
  ok "$tag: after its reset the guest is ready again" bed_wait_console A "$tag" 'TL READY' 240 "${RESET_FROM[$tag]}"
  at_least "$tag: with all the ticks that it had said" "${TICK[$tag]}" \
    "$(bed_console_lines A "$tag" "${RESET_FROM[$tag]}" | sed -n 's/^TL TICKS-FOUND //p' | tail -n 1)"
  like "$tag: and what it sealed" 'TL UNSEAL-OK' "$(bed_console_lines A "$tag" "${RESET_FROM[$tag]}")"
}
for READS in all changed; do
  for tag in plain iothread; do disturbed; done
  for tag in plain iothread; do came_back; done
done
READS=all

# --- sealift and its guard are killed together ---
for tag in plain iothread; do
  listen "$tag"
  begin_reading "$tag"
  kill -KILL "$(guard_of $PID)" $PID
  ended
  is "$tag: sealift and its guard killed: the guest runs" running "$(vsh A domstate "$(bed_uuid "$tag")")"
  next_run_works "$tag" "$tag: sealift and its guard killed"
  says "$tag: the next run says that it ended the job" '^warning: .*an earlier run was interrupted: its backup job was ended'
  says "$tag: and deleted the checkpoint" 'interrupted: its checkpoint sealift-[0-9a-f-]+ was deleted'
  says "$tag: and removed the scratch file" 'interrupted: its file /.*/sealift-[0-9a-f]+-vda was removed'
  if [ $tag = iothread ]; then
    says "$tag: and merged the overlay back" 'interrupted: the overlay of disk vdb was merged back'
  fi
  all_is_well "$tag" "$tag: sealift and its guard killed"
  silence
  at_most "$tag: the guest was never silent (seconds)" "$QUIET" "$SILENCE"
done

# appears GLOB: a file of a capture comes to be; the moment to strike.
appears() {
  local i
  for ((i = 0; i < 2000; i++)); do
    if compgen -G "$1" > /dev/null; then return 0; fi
    sleep 0.005
  done
  return 1
}
paused="$BED/A/lib/qemu/domain-*/sealift-*.paused"
overlay="$BED/A/lib/images/*.sealift-*"

begin iothread
appears "$overlay"
kill -KILL "$(guard_of $PID)" $PID
ended
next_run_works iothread 'iothread: killed with its guard as the overlay was made'
says 'iothread: which names the overlay' 'interrupted: (its file /.*\.sealift-[0-9a-f]+ was removed|the overlay of disk vdb was merged back)'
all_is_well iothread 'iothread: killed with its guard as the overlay was made'

begin plain
appears "$paused"
kill -KILL "$(guard_of $PID)" $PID
ended
is 'plain: killed with its guard in the pause: nobody is left to end it' paused "$(vsh A domstate "$(bed_uuid plain)")"
next_run_works plain 'plain: killed with its guard in the pause'
says 'plain: which says that it let the guest go on' 'interrupted: the VM was left paused and goes on now'
all_is_well plain 'plain: killed with its guard in the pause'

# --- libvirt is restarted under the reading, and dies in the pause ---
listen plain
begin_reading plain
bed_libvirtd_stop A
bed_libvirtd_start A
ended
exits 0 'plain: libvirt is restarted: the backup does not mind'
all_is_well plain 'plain: libvirt is restarted'
silence
at_most 'plain: the guest was never silent (seconds)' "$QUIET" "$SILENCE"

begin iothread
appears "$paused"
libvirtd=$(cat "$BED/A/libvirtd.pid")
kill -KILL "$libvirtd"
bed_gone "$libvirtd" 50
# Longer than the backup waits for it: then its guard goes on alone.
if [ "${SEALIFT_FULL:-0}" = 1 ]; then sleep 45; fi
bed_libvirtd_start A
ended
exits 16 'iothread: libvirt dies in the pause'
ok 'iothread: libvirt died in the pause: the guest goes on' settled iothread
next_run_works iothread 'iothread: libvirt died in the pause'
all_is_well iothread 'iothread: libvirt died in the pause'

# --- killed at any moment ---
moments=(1 3 5 7 9 12 16)
if [ "${SEALIFT_FULL:-0}" = 1 ]; then moments=({0..40}); fi
listen iothread
for tenths in "${moments[@]}"; do
  if [ $READS = all ]; then READS=changed; else READS=all; fi
  begin iothread --read-limit 24
  moment=$((tenths / 10)).$((tenths % 10))
  sleep $moment
  kill -KILL $PID 2> /dev/null || :
  ended
  ok "iothread: $READS read, killed after $moment s: all is as before" settled iothread
done
READS=all
all_is_well iothread 'iothread: killed at many moments'
silence
at_most 'iothread: the guest was never silent (seconds)' "$QUIET" "$SILENCE"

# --- what changed is known across a shutdown of the guest ---
uuid=$(bed_uuid plain)
sealift A backup tl-plain
exits 0 'plain: a backup, and then the guest shuts down'
vsh A shutdown "$uuid" > /dev/null
for ((i = 0; i < 600; i++)); do
  if [ "$(vsh A domstate "$uuid")" = 'shut off' ]; then break; fi
  sleep 0.1
done
is 'plain: it has shut down' 'shut off' "$(vsh A domstate "$uuid")"
mark=$(bed_mark A plain)
bed_start A plain
bed_wait_console A plain 'TL READY' 240 "$mark" > /dev/null
qemu plain > "$WORK/qemu-plain"
sealift A backup tl-plain --json
exits 0 'plain: a backup after it has started again'
is 'plain: only what changed was read' changed "$(json 'd["read"]')"

# --- the guest itself ends ---
for tag in plain iothread; do
  uuid=$(bed_uuid "$tag")
  begin_reading "$tag"
  if [ $tag = plain ]; then vsh A shutdown "$uuid" > /dev/null; else vsh A destroy "$uuid" > /dev/null; fi
  ended
  exits 16 "$tag: the guest ends meanwhile"
  says "$tag: and the backup says so" '^error: the VM stopped while it was backed up'
  is "$tag: it is off" 'shut off' "$(vsh A domstate "$uuid")"
  is "$tag: its disks lie where they lay" "$(cat "$WORK/disks-$tag")" "$(disks "$tag")"
  is "$tag: and no file more" "$images_before" "$(images)"
  is "$tag: no checkpoint but a stored snapshot's" '' "$(strange_checkpoints "$tag")"
  next_run_works "$tag" "$tag: the guest ended"
  unlike "$tag: which has nothing to clean up" 'earlier run' "$ERR"
done
ok 'no nonce was used twice in all of that' in_cluster A /usr/bin/python3 "$HERE/evidence/check_counters.py" /mnt/hanging
finish
