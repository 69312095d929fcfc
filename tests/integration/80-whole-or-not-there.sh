#!/usr/bin/env bash
# An archive is whole or not there: the program is killed at calls that change the repository, the disk fills up, two
# backups run at once, and storage forbids to delete and to overwrite. Whatever was reported as done opens, nothing
# half-made is visible, and the next run stores nothing again that a finished volume holds.
# SEALIFT_FULL=1: killed at every such call and at many sizes of the disk, not at a sample.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"
# Debian's: the modules are its packages.
evidence() { in_cluster A /usr/bin/python3 "$HERE/evidence/$1.py" "${@:2}"; }
appendable=''
trap 'if [ -n "$appendable" ]; then chattr -R -a "$appendable"; fi' EXIT

given_repository one
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
# Volumes so small that a few MiB fill several.
echo 'volume_size = 1 MiB' > "$BED/A/sealift-etc/sealift.conf"
bed_guest A small --idle --fill 3
bed_guest A other --idle --fill 2
for tag in small other; do bed_start A $tag; done
sleep 2 # Until they have a vTPM state.
for tag in small other; do vsh A destroy "$(bed_uuid $tag)" > /dev/null; done

# --- a state of repository, key vault and catalog, kept and put back ---
folders=("$REPOSITORY" "$BED/A/sealift-etc" "$BED/A/sealift-lib")
keep() {
  local folder
  for folder in "${folders[@]}"; do cp -a "$folder" "$WORK/$1-$(basename "$folder")"; done
}
put_back() {
  local folder
  for folder in "${folders[@]}"; do
    find "$folder" -mindepth 1 -delete
    cp -a "$WORK/$1-$(basename "$folder")/." "$folder/"
  done
}
# stands [REPOSITORY]: after any accident all that is visible is whole, and every snapshot that is listed opens; the
# next backup works and stores nothing again; and all verifies then. Sets STORED, what the next backup stored.
stands() {
  local repository=${1:-/mnt/backup}
  evidence check_volumes "$repository" && listed_verify "$repository" || return 1
  sealift A backup tl-small --repo "$repository" --json
  if [ "$STATUS" != 0 ]; then echo "$ERR"; return 1; fi
  STORED=$(json 'd["stored_bytes"]')
  evidence check_volumes "$repository" && evidence check_counters "$repository" && listed_verify "$repository"
}
listed_verify() {
  sealift A list --repo "$1" --json
  if [ "$STATUS" = 0 ] && [ "$(json 'len(d)')" = 0 ]; then return; fi
  sealift A verify --all --identity /mnt/recovery.pem --repo "$1"
  echo "$OUT$ERR"
  [ "$STATUS" = 0 ]
}

# --- killed at a call that changes the repository ---
gcc -shared -fPIC -O1 -o "$WORK/die-at-change.so" "$HERE/evidence/die_at_change.c" -ldl
# dying_at N: the next run is killed at its Nth change of the repository; 0: it only says what they are, in changes.
dying_at() {
  rm -f "$WORK/changes"
  WITH=(env "LD_PRELOAD=$WORK/die-at-change.so" CHANGES_UNDER=/mnt/backup "CHANGES_LOG=$WORK/changes" "DIE_AT=$1")
}
keep nothing
dying_at 0
sealift A backup tl-small --json
WITH=()
exits 0 'the first backup'
whole=$(json 'd["stored_bytes"]')
volumes=$(find "$REPOSITORY" -name '*.tar' | wc -l)
at_least 'it has several volumes' 3 "$volumes"
ok 'all that is visible is whole' evidence check_volumes /mnt/backup
cp "$WORK/changes" "$WORK/all-changes"
put_back nothing
in_cluster A env "${SETTINGS_A[@]}" strace -f -y -qq -e trace=%file,%desc -o "$WORK/trace" "$SEALIFT" backup tl-small > /dev/null 2>&1
changing='(p?write(v|64|v2)?|f(data)?sync|f?chmod|mkdir(at)?|link(at)?|rename(at2?)?|unlink(at)?|f?truncate|fallocate|sendfile|copy_file_range)'
grep -F /mnt/backup "$WORK/trace" | grep -E "^[0-9]+ +($changing\(|open.*(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC))" > "$WORK/seen" || :
kinds() { sort | uniq -c; }
is 'strace sees the same changes of the repository, and no other' "$(awk '{print $1}' "$WORK/all-changes" | kinds)" \
  "$(awk '{print $2}' "$WORK/seen" | sed -e 's/(.*//' -e 's/openat/open/' | kinds)"
is 'it makes folders and files without a name, writes those, and gives each its one name' \
  'chmod fchmod fsync linkat mkdir open write' "$(awk '{print $1}' "$WORK/all-changes" | sort -u | paste -sd ' ')"
unlike 'it opens no file there that has a name, to write' 'open.*O_(WRONLY|RDWR)' "$(grep -v O_TMPFILE "$WORK/seen")"

# The numbers of the changes to die at: all, or of the first calls, of the first volume and of the last one of each kind;
# of the writes one in the middle.
mapfile -t deaths < <(awk -v full="${SEALIFT_FULL:-0}" -v last="$volumes" '
  { sub(/^.*\//, "", $2) }
  $1 == "open" { ++volume }
  $1 != before { runs[++n] = NR; of[n] = volume + 0; before = $1 }
  END {
    runs[n + 1] = NR + 1
    if (full) for (i = 1; i <= NR; ++i) print i
    else for (i = 1; i <= n; ++i)
      if (i <= 3 || of[i] == 1 || of[i] == last) print int((runs[i] + runs[i + 1] - 1) / 2)
  }' "$WORK/all-changes")
at_least 'places to be killed at' 12 "${#deaths[@]}"
saved=0
for number in "${deaths[@]}"; do
  put_back nothing
  dying_at "$number"
  sealift A backup tl-small
  WITH=()
  place="$number of $(wc -l < "$WORK/all-changes"), $(tail -n 1 "$WORK/changes" | cut -d' ' -f1)"
  is "killed at change $place" 137 "$STATUS"
  ok "killed at change $place: all stands" stands
  if [ "$STORED" -lt "$whole" ]; then saved=$((saved + 1)); fi
done
at_least 'after most of them the next backup finds finished volumes' $((${#deaths[@]} / 3)) "$saved"

# --- the disk fills up ---
put_back nothing
bed_tmpfs A /mnt/small 64m
sizes=(4 60 900 1100 2100 3000 3200)
if [ "${SEALIFT_FULL:-0}" = 1 ]; then mapfile -t sizes < <(seq 4 48 3600); fi
refused=0
for size in "${sizes[@]}"; do
  put_back nothing
  in_cluster A find /mnt/small -mindepth 1 -delete
  in_cluster A cp -a "$WORK/nothing-repository/." /mnt/small/
  used=$(in_cluster A df --output=used -k /mnt/small | tail -n 1)
  in_cluster A mount -o "remount,size=$((used + size))k" /mnt/small
  sealift A backup tl-small --repo /mnt/small
  if [ "$STATUS" != 0 ]; then
    refused=$((refused + 1))
    exits 15 "the disk is full after $size KiB"
    says 'the message says so' '^  cause: No space left on device$'
    says 'and what is left' '^  next: .*(nothing visible was left|nothing half-made is visible)'
  fi
  in_cluster A mount -o remount,size=64m /mnt/small
  ok "$size KiB, then room again: all stands" stands /mnt/small
done
too_small=0
for size in "${sizes[@]}"; do
  if [ $((size * 1024)) -lt "$whole" ]; then too_small=$((too_small + 1)); fi
done
at_least 'times that the disk was full' "$too_small" "$refused"
bed_unmount A /mnt/small

# --- and where room is given out late, by ext4 and XFS: some of it when a file is synced ---
put_back nothing
truncate -s 64M "$WORK/ext4.img"
truncate -s 320M "$WORK/xfs.img"  # The smallest that it makes.
mkfs.ext4 -q -m 0 "$WORK/ext4.img"
mkfs.xfs -q "$WORK/xfs.img"
for kind in ext4 xfs; do
  bed_mount_image A "/mnt/$kind" "$WORK/$kind.img"
  for size in 60 1100 2100; do
    put_back nothing
    in_cluster A find "/mnt/$kind" -mindepth 1 -delete
    in_cluster A cp -a "$WORK/nothing-repository/." "/mnt/$kind/"
    free=$(in_cluster A df --output=avail -k "/mnt/$kind" | tail -n 1)
    in_cluster A fallocate -l $(((free - size) * 1024)) "/mnt/$kind/filler"
    sealift A backup tl-small --repo "/mnt/$kind"
    exits 15 "$kind is full after $size KiB"
    says 'the message says so' '^  cause: No space left on device$'
    in_cluster A rm "/mnt/$kind/filler"
    ok "$kind, $size KiB, then room again: all stands" stands "/mnt/$kind"
  done
  bed_unmount A "/mnt/$kind"
done

# --- two at once ---
# begin TAG: a slow backup in the background; sets PID.
begin() {
  nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" \
    "$SEALIFT" backup "tl-$1" --full --read-limit 1 > "$WORK/out-$1" 2>&1 < /dev/null &
  PID=$!
}
put_back nothing
# What a run has finished is held in the catalog, no more in its memory.
knows_volumes() {
  local i known
  for ((i = 0; i < 100; ++i)); do
    known=$(sqlite3 -readonly "$BED/A/sealift-lib/catalog-$REPOSITORY_ID.db" 'SELECT count(*) FROM volume' 2> /dev/null) || :
    if [ "${known:-0}" -gt 0 ]; then return 0; fi
    sleep 0.1
  done
  return 1
}
begin small
first=$PID
ok 'the catalog learns of volumes while a run goes on' knows_volumes
ok 'which still runs then' kill -0 "$first"
begin other
second=$PID
sleep 1
ok 'two backups of different VMs run at once' kill -0 "$first" "$second"
sealift A backup tl-small
exits 11 'a second one of the same VM does not'
error_is 'another run is backing up this VM' 'vm tl-small' 'wait for it to end, then run the backup again'
statuses=''
for pid in "$first" "$second"; do
  status=0
  wait "$pid" || status=$?
  statuses+="$status "
done
is 'both end well' '0 0 ' "$statuses"
sealift A list --json
is 'both are listed' 'tl-other complete, tl-small complete' \
  "$(json '", ".join(sorted(s["vm"] + " " + s["verdict"] for s in d))')"
ok 'all stands' stands

# --- storage that forbids to delete and to overwrite ---
put_back nothing
appendable=$REPOSITORY
# New folders do not inherit it: once more after each run.
chattr -R +a "$REPOSITORY"
not_ok 'an object cannot be deleted here' rm "$REPOSITORY/repository.json"
not_ok 'nor renamed' mv "$REPOSITORY/repository.json" "$REPOSITORY/x"
not_ok 'nor overwritten' dd if=/dev/null of="$REPOSITORY/repository.json"
for tag in small other small; do
  sealift A backup "tl-$tag"
  exits 0 "a backup of $tag works all the same"
  chattr -R +a "$REPOSITORY"
done
sealift A verify --all
exits 0 'and all verifies'
chattr -R -a "$REPOSITORY"
ok 'all that is visible is whole' evidence check_volumes /mnt/backup

# --- a guest that runs, and a backup killed in the middle of its volumes ---
put_back nothing
bed_start A small
touch "$WORK/clean-since"
for number in "${deaths[5]}" "${deaths[7]}"; do
  dying_at "$number"
  sealift A backup tl-small
  WITH=()
  is "killed at change $number, of a running guest" 137 "$STATUS"
  ok 'all stands' stands
  a_is_clean small 'after that'
done
finish
