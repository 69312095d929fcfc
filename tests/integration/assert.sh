# shellcheck shell=bash
# What an integration test sources first: the bed that `run` brought up, and how expectations are said.
#
#   ok WHAT COMMAND...               the command succeeds
#   not_ok WHAT COMMAND...           the command fails
#   is WHAT EXPECTED ACTUAL          two texts are the same
#   like WHAT REGEX TEXT             a text fits an extended regular expression (any of its lines)
#   unlike WHAT REGEX TEXT           none of its lines does
#   at_most WHAT LIMIT NUMBER        a whole number, not above the limit
#   at_least WHAT LIMIT NUMBER
#   sealift WHERE ARGUMENTS...       runs the program in cluster A or B, with SETTINGS_A or SETTINGS_B in its environment,
#                                    or at the desk (out here, in the safe); sets STATUS, OUT (its standard output), ERR
#   json EXPRESSION                  of OUT parsed as JSON: what the Python expression over `d` prints
#   exits STATUS WHAT                the last sealift run ended with it; otherwise its words are shown
#   says WHAT REGEX                  the last run's standard error has a line that fits
#   error_is WHAT WHERE NEXT...      the last run's error: the three labelled lines, word for word; each of WHERE and
#                                    NEXT may be '' (no such line)
#   finish                           the plan; the last line of every test
#
# A wrong expectation is counted and the test goes on; a command outside of them that fails ends the test.
set -euo pipefail
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/integration/bed/lib.sh
. "$HERE/bed/lib.sh"
WORK=$BED/work
COUNT=0
WRONG=0
SETTINGS_A=()
SETTINGS_B=()
WITH=()  # A program that runs the program: strace and its options.

# Words with which shell tests show text that spans lines.
shown() { printf '%s\n' "$1" | head -n 40 | sed 's/^/#     /'; }

verdict() {
  COUNT=$((COUNT + 1))
  if [ "$1" = 0 ]; then
    echo "ok $COUNT - $2"
  else
    WRONG=$((WRONG + 1))
    echo "not ok $COUNT - $2"
  fi
}

ok() {
  local what=$1 status=0
  shift
  "$@" > "$WORK/said" 2>&1 < /dev/null || status=$?
  verdict $status "$what"
  if [ $status != 0 ]; then
    echo "#   status $status of: $*"
    shown "$(tail -n 20 "$WORK/said")"
  fi
}

not_ok() {
  local what=$1 status=0
  shift
  "$@" > "$WORK/said" 2>&1 < /dev/null || status=$?
  verdict $((status == 0)) "$what"
  if [ $status = 0 ]; then
    echo "#   succeeded: $*"
    shown "$(tail -n 20 "$WORK/said")"
  fi
}

is() {
  if [ "$2" = "$3" ]; then
    verdict 0 "$1"
  else
    verdict 1 "$1"
    echo "#   expected:"
    shown "$2"
    echo "#   found:"
    shown "$3"
  fi
}

like() {
  if grep -aqE -e "$2" <<< "$3"; then
    verdict 0 "$1"
  else
    verdict 1 "$1"
    echo "#   no line like: $2"
    shown "$3"
  fi
}

unlike() {
  if grep -aqE -e "$2" <<< "$3"; then
    verdict 1 "$1"
    echo "#   a line like: $2"
    shown "$3"
  else
    verdict 0 "$1"
  fi
}

at_most() {
  if [ "$3" -le "$2" ]; then verdict 0 "$1 ($3, at most $2)"; else verdict 1 "$1 ($3, at most $2)"; fi
}
at_least() {
  if [ "$3" -ge "$2" ]; then verdict 0 "$1 ($3, at least $2)"; else verdict 1 "$1 ($3, at least $2)"; fi
}

sealift() {
  local where=$1 run=()
  shift
  COMMAND="sealift $*"
  case $where in
    A) run=(in_cluster A env "${SETTINGS_A[@]}") ;;
    B) run=(in_cluster B env "${SETTINGS_B[@]}") ;;
    desk) run=(env -C "$BED/outside/safe") ;;
  esac
  STATUS=0
  "${run[@]}" "${WITH[@]}" "$SEALIFT" "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null || STATUS=$?
  OUT=$(tr -d '\0' < "$WORK/out")
  ERR=$(tr -d '\0' < "$WORK/err")
  printf '%s$ %s\n%s\n%s\n-> %d\n' "$where" "$COMMAND" "$OUT" "$ERR" "$STATUS" >> "$WORK/transcript"
}

json() { python3 -c 'import json, sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$OUT" "$1"; }

# ended: the background command PID, whose words go to WORK/out and WORK/err, ends within 60 seconds, or is ended; sets
# STATUS, OUT, ERR.
ended() {
  STATUS=0
  {
    bed_gone "$PID" 600 || kill -KILL "$PID"
    wait "$PID" || STATUS=$?
  } 2> /dev/null
  OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
}

exits() {
  if [ "$STATUS" = "$1" ]; then
    verdict 0 "$2"
  else
    verdict 1 "$2"
    echo "#   status $STATUS, expected $1: $COMMAND"
    shown "$OUT"
    shown "$ERR"
  fi
}

says() { like "$1" "$2" "$ERR"; }

error_is() {
  local expected="error: $1" next
  if [ -n "$2" ]; then expected+=$'\n'"  where: $2"; fi
  shift 2
  for next in "$@"; do
    if [ -n "$next" ]; then expected+=$'\n'"  next:  $next"; fi
  done
  is "its message: ${expected%%$'\n'*}" "$expected" "$(grep -E '^(error:|  where:|  next:)' <<< "$ERR" || :)"
}

# --- the usual beginnings -------------------------------------------------------------------------------------

# done_or_stop: the last run is a beginning that the test cannot do without.
done_or_stop() {
  if [ "$STATUS" != 0 ]; then
    echo "# status $STATUS: $COMMAND"
    shown "$ERR"
    exit 1
  fi
}

# given_keys NAME...: recovery keys in the safe, NAME.pem, and their public halves in outside/public.
given_keys() {
  local name
  mkdir -p "$BED"/outside/{safe,public}
  chmod 700 "$BED/outside/safe"
  for name in "$@"; do
    sealift desk keyvault new-recovery-key --out "$name.pem"
    done_or_stop
    cp "$BED/outside/safe/$name.pub.pem" "$BED/outside/public/"
  done
}

# given_repository NAME...: A has a key vault, and a repository at /mnt/backup for the recovery keys of these names;
# sets REPOSITORY (its folder out here) and REPOSITORY_ID. A needs no --repo from now on.
given_repository() {
  local name recipients=()
  given_keys "$@"
  REPOSITORY=$BED/outside/repository
  mkdir "$REPOSITORY"
  bed_mount A "$REPOSITORY" /mnt/backup rw
  bed_mount A "$BED/outside/public" /mnt/public ro
  for name in "$@"; do recipients+=(--recipient "/mnt/public/$name.pub.pem"); done
  SETTINGS_A=(SEALIFT_REPO=/mnt/backup)
  sealift A keyvault init
  done_or_stop
  sealift A repo init "${recipients[@]}"
  done_or_stop
  sealift A repo show --json
  done_or_stop
  REPOSITORY_ID=$(json 'd["id"]')
}

# given_on_b KEY [FOLDER]: B sees a repository (default: A's), read-only, the recovery key, and knows its id; no more.
given_on_b() {
  bed_unmount_all B
  bed_mount B "${2:-$REPOSITORY}" /mnt/backup ro
  bed_mount B "$BED/outside/safe/$1.pem" /mnt/recovery.pem ro
  SETTINGS_B=(SEALIFT_REPO=/mnt/backup "SEALIFT_REPO_ID=$REPOSITORY_ID")
}

# on_b_nothing_but_a_catalog WHAT: a refused or failed restore left nothing on B.
on_b_nothing_but_a_catalog() {
  is "$1" '' "$(bed_leftovers B | grep -v "^$BED/B/sealift-lib/catalog-" || :)"
}

# checkpoints TAG: the names of the guest's checkpoints.
checkpoints() { vsh A checkpoint-list "$(bed_uuid "$1")" --name | sed '/^$/d' | sort; }
# checkpoint_name ID: that of the snapshot's checkpoint.
checkpoint_name() { echo "sealift-${REPOSITORY_ID:0:16}-${1:0:16}"; }
# strange_checkpoints TAG: those of no archive in any repository that A sees.
strange_checkpoints() {
  local name
  for name in $(checkpoints "$1"); do
    if [ -z "$(in_cluster A find /mnt -type d -path "*/archives/*/${name##*-}*" -print -quit)" ]; then
      echo "$name"
    fi
  done
}

# a_is_clean TAG WHAT: no job, scratch file or socket of a backup is left, no checkpoint but a stored snapshot's, and the
# guest runs.
a_is_clean() {
  local uuid files
  uuid=$(bed_uuid "$1")
  is "$2: the guest runs" running "$(vsh A domstate "$uuid")"
  like "$2: no job" '^Job type: +None' "$(vsh A domjobinfo "$uuid")"
  is "$2: no checkpoint but a stored snapshot's" '' "$(strange_checkpoints "$1")"
  # libvirt's record of a checkpoint has the checkpoint's name.
  files=$(find "$BED/A/lib/qemu" "$BED/A/lib/images" "$BED/A/run" -newer "$WORK/clean-since" \
    \( -iname '*scratch*' -o -iname '*sealift*' -o -iname '*nbd*' \) ! -path '*/qemu/checkpoint/*' -print)
  is "$2: no scratch file, no socket" '' "$files"
}

finish() {
  echo "1..$COUNT"
  [ "$WRONG" = 0 ]
}
