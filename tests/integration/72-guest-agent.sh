#!/usr/bin/env bash
# The agent in the guest freezes its file systems for the instant of a snapshot. One that refuses, hangs, or is not there
# costs nobody the snapshot unless it is required; and whatever happens, the guest writes on.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
bed_guest A good --agent --mode agent
bed_guest A bad --agent --mode agentfails
bed_guest A mute --agent --idle
bed_guest A none --idle
for tag in good bad mute none; do bed_start A $tag; done
for tag in good bad; do bed_wait_console A $tag 'TL FILE 3' 240 > /dev/null; done
for tag in mute none; do bed_wait_console A $tag 'No bootable option' 240 > /dev/null; done
for tag in good bad; do
  until [[ "$(vsh A dumpxml "$(bed_uuid $tag)")" == *"state='connected'"* ]]; do sleep 0.5; done
done
touch "$WORK/clean-since"

# agent TAG: what the newest snapshot of the guest says of its agent.
agent() {
  sealift A show "tl-$1@latest" --json
  json 'd["consistency"]["guest_agent"]'
}
# needs_recovery NAME: whether the agent's file system in the newest snapshot was in use, as after a power cut.
needs_recovery() {
  local files=$BED/A/sealift-lib/files
  sealift A restore "tl-$1@latest" --identity /mnt/recovery.pem --to-directory /var/lib/sealift/files
  if dumpe2fs -h "$files/vdc.raw" 2>&1 | grep -q '^Filesystem features:.* needs_recovery'; then echo yes; else echo no; fi
  rm -rf "$files"
}
# writes_on TAG WHAT [SECONDS]: the guest writes to its file system, from now on.
writes_on() {
  local from
  from=$(bed_mark A "$1")
  ok "$2: the guest writes on" bed_wait_console A "$1" 'TL FILE' "${3:-30}" "$from"
  ok "$2: and again" bed_wait_console A "$1" 'TL FILE' 30 "$(bed_mark A "$1")"
}
frozen_marks() { find "$BED/A/lib/qemu" -name 'sealift-*.frozen'; }

sealift A backup tl-good --require-agent
exits 0 'an agent freezes'
is 'frozen: no warning' '' "$(grep -i '^warning' <<< "$ERR" || :)"
is 'frozen: the snapshot says so' 'froze 1 file systems' "$(agent good)"
sealift A show tl-good@latest --json
at_most 'frozen: not for long (ms)' 5000 "$(json 'd["consistency"]["frozen_milliseconds"]')"
is 'frozen: its file system is as if it had been unmounted' no "$(needs_recovery good)"
writes_on good 'frozen'
a_is_clean good 'frozen'

vsh A suspend "$(bed_uuid good)" > /dev/null
sealift A backup tl-good --require-agent
exits 5 'paused before: no agent answers'
error_is "no guest agent can freeze the VM's file systems" 'vm tl-good' 'let the VM go on first' \
  'without --require-agent the VM is backed up as it is'
sealift A backup tl-good
exits 0 'paused before: not required'
is 'paused before: the snapshot says so' 'the VM was paused already' "$(agent good)"
is 'paused before: its file system is in use' yes "$(needs_recovery good)"
is 'paused before: it is still' paused "$(vsh A domstate "$(bed_uuid good)")"
vsh A resume "$(bed_uuid good)" > /dev/null

for tag in mute none; do
  sealift A backup tl-$tag --require-agent
  exits 5 "$tag: required"
  sealift A backup tl-$tag
  exits 0 "$tag: not required"
  is "$tag: no warning" '' "$(grep -i '^warning' <<< "$ERR" || :)"
  a_is_clean $tag $tag
done
is 'mute: the snapshot says so' 'not listening' "$(agent mute)"
is 'none: the snapshot says so' 'none: the VM has no channel for one' "$(agent none)"

sealift A backup tl-bad --require-agent
exits 16 'an agent that refuses'
says 'refuses: with its words' '^  cause: .*hook has failed'
writes_on bad 'refuses'
a_is_clean bad 'refuses'

# The backup hangs, or dies, while the file systems are frozen.
gcc -shared -fPIC -O1 -o "$WORK/hold.so" "$HERE/evidence/hold_at_pause.c" -ldl
export HELD=$WORK/held
# hold_frozen WHAT ARGUMENT...: a backup of the good guest, held up there; PID is its own.
hold_frozen() {
  local what=$1
  shift
  setsid nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" LD_PRELOAD="$WORK/hold.so" \
    "$SEALIFT" backup tl-good "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PID=$!
  COMMAND="sealift backup tl-good $*"
  for ((i = 0; i < 600; i++)); do
    if [ -e "$HELD" ]; then break; fi
    sleep 0.1
  done
  sleep 1
  local from
  from=$(bed_mark A good)
  sleep 2
  unlike "$what: the guest's file system stands still" 'TL FILE' "$(bed_console_lines A good "$from")"
}

hold_frozen 'killed'
{ kill -KILL -- -$PID && wait $PID; } 2> /dev/null || :
rm "$HELD"
writes_on good 'killed'
a_is_clean good 'killed'

hold_frozen 'killed with its guard'
guard=$(pgrep -P $PID -f sealift-capture-guard)
{ kill -KILL "$guard" $PID && wait $PID; } 2> /dev/null || :
rm "$HELD"
sealift A backup tl-good --require-agent
exits 0 'killed with its guard: the next backup'
says 'killed with its guard: says so' "^warning: .*the guest's file systems may have been left frozen, and go on now"
writes_on good 'killed with its guard'
a_is_clean good 'killed with its guard'

hold_frozen 'thawed by others' --require-agent
vsh A domfsthaw "$(bed_uuid good)" > /dev/null
rm "$HELD"
ended
exits 16 'thawed by others: that is no snapshot of frozen file systems'
says 'thawed by others: with the reason' "^error: the guest's file systems did not stay frozen until the VM stood still"
writes_on good 'thawed by others'
a_is_clean good 'thawed by others'

hold_frozen 'too slow'
from=$(bed_mark A good)
ok 'too slow: the guest writes on though the backup has not' bed_wait_console A good 'TL FILE' 60 "$from"
rm "$HELD"
ended
exits 16 'too slow: what it reads then is of no one instant'
writes_on good 'too slow'
a_is_clean good 'too slow'

# On a busy machine the agent may miss libvirt's question whether it listens, and is not asked to freeze then.
for ((try = 0; try < 3; try++)); do
  sealift A backup tl-bad
  if grep -q 'asked for again' <<< "$ERR"; then break; fi
done
exits 0 'an agent that hangs'
says 'hangs: it did not freeze' '^warning: .*did not freeze the file systems'
says 'hangs: and may do so later' '^warning: .*asked for again for ten minutes'
like 'hangs: the snapshot says so' '^did not freeze: ' "$(agent bad)"
for ((i = 0; i < 900; i++)); do
  if [ -z "$(frozen_marks)" ]; then break; fi
  sleep 0.1
done
is 'hangs: it is thawed in the end' '' "$(frozen_marks)"
writes_on bad 'hangs'
a_is_clean bad 'hangs'
finish
