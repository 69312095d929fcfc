#!/usr/bin/env bash
# A backup that ends early, at any moment and for any reason, leaves the guest running and nothing behind: no job, no
# checkpoint, no scratch file, no socket, nothing visible in the repository. The next backup works.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
bed_guest A busy --idle --fill 60
bed_start A busy
uuid=$(bed_uuid busy)
volumes() { find "$REPOSITORY" -name '*.tar' | sort; }
touch "$WORK/clean-since"

# begin [OPTION...]: a backup in the background that takes a while; sets PID, the process of the program itself.
begin() {
  # Not in_cluster: that would be a shell with the program as its child. And a shell's background jobs ignore SIGINT.
  nsenter --mount --target "$(bed_holder A)" -- env --default-signal=INT "${SETTINGS_A[@]}" \
    "$SEALIFT" backup tl-busy --full "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PID=$!
}
# The job runs: QEMU serves the disks, and the guest runs again.
reading() {
  local i
  for ((i = 0; i < 300; i++)); do
    if vsh A domjobinfo "$uuid" | grep -q 'Unbounded'; then return 0; fi
    sleep 0.1
  done
  return 1
}
# ends STATUS WHAT: the background backup ends with it within 20 seconds.
ends() {
  STATUS=0
  COMMAND='sealift backup tl-busy --full'
  bed_gone "$PID" 200 || kill -KILL "$PID"
  wait "$PID" 2> /dev/null || STATUS=$?
  OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
  exits "$1" "$2"
}
# settled [SECONDS]: whoever cleans up after a killed backup may need a moment.
settled() {
  local end=$((SECONDS + ${1:-10}))
  while [ $SECONDS -le $end ]; do
    if vsh A domjobinfo "$uuid" | grep -qE '^Job type: +None' && [ "$(vsh A domstate "$uuid")" = running ] &&
      [ -z "$(strange_checkpoints busy)" ]; then
      return 0
    fi
    sleep 0.1
  done
  return 1
}
nothing_left() {
  ok "$1: all is as before within ten seconds" settled
  a_is_clean busy "$1"
  is "$1: nothing is visible in the repository" "$visible" "$(volumes)"
}

visible=$(volumes)
for signal in INT TERM; do
  case $signal in INT) status=130 ;; TERM) status=143 ;; esac
  begin --read-limit 4
  ok "a slow backup reads ($signal)" reading
  sleep 0.5
  kill -$signal "$PID"
  ends "$status" "SIG$signal ends it"
  nothing_left "after SIG$signal"
done

begin --read-limit 4
ok 'a slow backup reads (KILL)' reading
sleep 0.5
kill -KILL "$PID"
ends 137 'SIGKILL ends it'
nothing_left 'after SIGKILL'

# At any moment, the pause included.
for tenths in 0 1 2 3 4 5 6 8 10; do
  begin --read-limit 16
  moment=$((tenths / 10)).$((tenths % 10))
  sleep $moment
  kill -KILL "$PID"
  wait "$PID" 2> /dev/null || :
  ok "killed after $moment s: all is as before within ten seconds" settled
done
nothing_left 'after being killed at many moments'

# --- QEMU 7.2 hangs for ever, with its guest, when a job ends while a handshake with its NBD server is not finished ---
# appears GLOB: sets FOUND, a file of the capture; returns at once when it comes to be.
appears() {
  local i
  for ((i = 0; i < 4000; i++)); do
    FOUND=$(compgen -G "$1") && return 0
    sleep 0.005
  done
  return 1
}

# Somebody else's, who says nothing: QEMU gives such a one 10 seconds.
begin --read-limit 4
ok 'a slow backup reads (a stranger)' reading
ok 'its socket is there' appears "$BED/A/lib/qemu/domain-*/sealift-????????"
greeted() {
  local i
  for ((i = 0; i < 50; i++)); do
    if grep -q NBDMAGIC "$WORK/stranger"; then return 0; fi
    sleep 0.1
  done
  return 1
}
(cd "$(dirname "$FOUND")" && exec python3 -c '
import socket, sys, time
stranger = socket.socket(socket.AF_UNIX)
stranger.connect(sys.argv[1])
print(stranger.recv(8), flush=True)
time.sleep(60)' "$(basename "$FOUND")") > "$WORK/stranger" &
stranger=$!
ok 'a stranger is greeted by QEMU' greeted
kill -KILL "$PID"
ends 137 'SIGKILL, while a stranger is at the door'
is 'the guest runs meanwhile' running "$(vsh A domstate "$uuid")"
ok 'SIGKILL, while a stranger is at the door: all is as before within 25 seconds' settled 25
kill "$stranger"
wait "$stranger" 2> /dev/null || :
nothing_left 'after a stranger'

# Its own: killed at its first words to QEMU, not reaped by its parent, and its guard so late that it finds it dead
# before it has heard a word of its connections.
killed_at_its_word() {
  # shellcheck disable=SC2016
  nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" bash -c '
    strace -D -qq -o "$1.trace" -e trace=sendto -e "inject=sendto:signal=KILL:when=$2" "${@:3}" &
    echo $! > "$1.pid"
    exec sleep 120' bash "$WORK/killed" "$1" "$SEALIFT" backup tl-busy > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PARENT=$!
  ok "to be killed at its word $1: it holds the guest still" appears "$BED/A/lib/qemu/domain-*/sealift-*.paused"
  PID=$(cat "$WORK/killed.pid")
  GUARD=$(pgrep -P "$PID" -f -- --sealift-capture-guard)
  kill -STOP "$GUARD"
  is "its guard is stopped before it is told of a connection" "$FOUND" "$(compgen -G "$FOUND")"
  ok 'it is killed, and nobody reaps it' dead
  kill -CONT "$GUARD"
  # Sooner than QEMU gives up the handshake by itself.
  ok "killed at its word $1: all is as before within seven seconds" settled 7
  kill "$PARENT"
  wait "$PARENT" 2> /dev/null || :
}
dead() {
  local i
  for ((i = 0; i < 200; i++)); do
    if grep -q '^State:.Z' "/proc/$PID/status"; then return 0; fi
    sleep 0.1
  done
  return 1
}
words=(1)
if [ "${SEALIFT_FULL:-0}" = 1 ]; then words=({1..6}); fi
for word in "${words[@]}"; do
  killed_at_its_word "$word"
done
nothing_left 'after being killed at its word'

sealift A list --json
is 'no snapshot is listed' 0 "$(json 'len(d)')"

# Someone ends the job from outside.
begin --read-limit 4
ok 'a slow backup reads (abort)' reading
sleep 0.5
vsh A domjobabort "$uuid"
ends 16 'a job that libvirt ends under it'
nothing_left 'after the abort'

# The VM dies during its backup.
begin --read-limit 4
ok 'a slow backup reads (destroy)' reading
sleep 0.5
vsh A destroy "$uuid" > /dev/null
ends 16 'a VM that dies during its backup'
says 'and the backup says so' '^error: the VM stopped while it was backed up'
is 'nothing is visible in the repository' "$visible" "$(volumes)"
bed_start A busy
nothing_left 'after the death of the VM'

sealift A backup tl-busy
exits 0 'the next backup works'
sealift A verify tl-busy@latest
exits 0 'and verifies'
finish
