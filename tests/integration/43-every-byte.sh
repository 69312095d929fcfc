#!/usr/bin/env bash
# Any change to what is stored is found: each byte of the smallest volume that a real backup makes, members added,
# doubled, renamed and moved, volumes and records taken away, put back from older copies, or from elsewhere. Exit status
# 3 each time, and nothing is restored.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
vault=$BED/A/sealift-etc/keyvault
bed_guest A tiny --idle
bed_guest A large --idle --fill 2
bed_guest A parts --idle --fill 3
backup() {  # backup TAG: sets SNAPSHOT, and VOLUME, its name in the repository
  sealift A backup "tl-$1" --json
  done_or_stop
  SNAPSHOT=$(json 'd["id"]')
  VOLUME=archives/${SNAPSHOT:0:2}/$SNAPSHOT/$SNAPSHOT-0001.tar
}
backup tiny
tiny=$VOLUME
cp -a "$REPOSITORY" "$WORK/after-one"
cp -a "$vault" "$WORK/vault-after-one"
backup large
large=$VOLUME

# --- every byte ---
# each_byte TAG VOLUME EVERY FIRST: on a copy of the repository; see tests/cli/every_byte.cpp.
each_byte() {
  local copy
  copy=$(mktemp -d "$WORK/each-byte.XXXXXX")
  cp -a "$REPOSITORY" "$copy/repository"
  mkdir "$copy/hosts"
  "$SEALIFT_EVERY_BYTE" "$copy/repository" "$REPOSITORY_ID" "tl-$1" "$vault" "$BED/outside/safe/one.pem" \
    "$copy/repository/$2" "$copy/hosts" "$3" "$4" || touch "$WORK/missed"
  rm -r "$copy"
}
# A bit of each byte, the work shared by two.
every_byte() {
  each_byte tiny "$tiny" 2 0 &
  each_byte tiny "$tiny" 2 1
  wait $!
  not_missed
}
not_missed() { [ ! -e "$WORK/missed" ]; }
sample() {
  each_byte large "$large" $(($(stat -c %s "$REPOSITORY/$large") / 100)) 0
  not_missed
}
started=$SECONDS
ok 'every byte of the smallest volume' every_byte
echo "# $((SECONDS - started)) s: $(paste -sd ';' "$WORK/said")"
ok 'a sample of the bytes of a large one' sample
echo "# $((SECONDS - started)) s: $(paste -sd ';' "$WORK/said")"

# --- what is there, and where ---
echo 'volume_size = 1 MiB' > "$BED/A/sealift-etc/sealift.conf"
backup parts
parts=$VOLUME
rm "$BED/A/sealift-etc/sealift.conf"
backup tiny
tiny=$VOLUME
cp -a "$REPOSITORY" "$WORK/whole"
# changed WHAT SAYS COMMAND...: the repository is changed by the command; restore of VM and verify on B, a fresh host, must
# end with 3 and say SAYS; verify on A, which remembers, must end with 3.
VM=tl-tiny
changed() {
  local what=$1 says=$2
  shift 2
  "$@"
  sealift B restore "$VM" --identity /mnt/recovery.pem
  exits 3 "$what: restore on a fresh host"
  says "$what: what is named" "$says"
  on_b_nothing_but_a_catalog "$what: nothing is restored"
  sealift A verify --all
  exits 3 "$what: verify on a host that remembers"
  bed_wipe B
  find "$REPOSITORY" -mindepth 1 -delete
  cp -a "$WORK/whole/." "$REPOSITORY/"
}
given_on_b one
tamper() { "$HERE/tamper.py" "$REPOSITORY/$tiny" "$@"; }
named="volume $tiny, member"
changed 'a member more' "$named" tamper add notes
changed 'a segment more' "$named" tamper add segments/00000002
changed 'a member twice' "$named" tamper double manifest
changed 'another member twice' "$named" tamper double segments/00000001
changed 'a renamed member' "$named" tamper rename segments/00000001
changed 'another renamed member' "$named" tamper rename snapshot
changed 'members in another order' "$named" tamper swap manifest index
changed 'a pax record that renames a member' "$named" tamper pax segments/00000001

other=$REPOSITORY/$large
swapped() { mv "$other" "$WORK/aside" && mv "$REPOSITORY/$tiny" "$other" && mv "$WORK/aside" "$REPOSITORY/$tiny"; }
changed 'two volumes in the place of each other' 'rule V10' swapped
twice() { cp "$REPOSITORY/$tiny" "$REPOSITORY/${tiny/-0001/-0002}"; }
changed 'a volume twice' "volume ${tiny/-0001/-0002}, .*rule V10" twice

# An archive of several volumes: each is needed, in its place.
VM=tl-parts
part() { echo "${parts/-0001/-000$1}"; }
count=$(find "$REPOSITORY/${parts%/*}" -name '*.tar' | wc -l)
at_least 'an archive has several volumes' 4 "$count"
without() { rm "$REPOSITORY/$(part "$1")"; }
changed 'its first volume is gone' "a volume is missing|volume $(part 1)" without 1
changed 'a volume in the middle is gone' "a volume is missing|volume $(part 2)" without 2
changed 'its last volume is gone' "record of this signer is missing|volume $(part "$count")" without "$count"
flipped() {  # flipped NUMBER: a bit in the middle of that volume.
  local file at byte
  file=$REPOSITORY/$(part "$1")
  at=$(($(stat -c %s "$file") / 2))
  byte=$(od -An -tu1 -j $at -N 1 "$file")
  printf '%b' "\\x$(printf '%x' $((byte ^ 4)))" | dd of="$file" bs=1 seek=$at conv=notrunc status=none
}
changed 'a bit of a volume in the middle' "volume $(part 2), member segments/" flipped 2
exchanged() { mv "$REPOSITORY/$(part 2)" "$WORK/aside" && mv "$REPOSITORY/$(part 3)" "$REPOSITORY/$(part 2)" && mv "$WORK/aside" "$REPOSITORY/$(part 3)"; }
changed 'two of its volumes in the place of each other' "volume $(part 2), .*rule V10" exchanged
doubled() { cp "$REPOSITORY/$(part 2)" "$REPOSITORY/$(part 3)"; }
changed 'one of its volumes in the place of another' "volume $(part 3), .*rule V10" doubled
VM=tl-tiny

# Of the same host, and the same recovery key.
mkdir "$BED/outside/second"
bed_mount A "$BED/outside/second" /mnt/second rw
sealift A repo init --repo /mnt/second --recipient /mnt/public/one.pub.pem
done_or_stop
sealift A backup tl-tiny --repo /mnt/second
done_or_stop
from_elsewhere() { cp -a "$BED/outside/second/archives/." "$REPOSITORY/archives/"; }
changed 'a volume of another repository' 'rule V10' from_elsewhere

# --- what was there before ---
gone() { rm "$REPOSITORY/$1"; }
changed 'an archive of several is gone' 'record of this signer is missing' gone "$large"
set_back() {
  find "$REPOSITORY" -mindepth 1 -delete
  cp -a "$WORK/after-one/." "$REPOSITORY/"
}
set_back
for command in 'list' 'verify --all' 'backup tl-tiny' 'catalog rebuild'; do
  # shellcheck disable=SC2086  # Words.
  sealift A $command
  exits 3 "the whole repository set back, where its newer state is known: $command"
done
in_cluster A bash -c 'rm /var/lib/sealift/catalog-*'
sealift A verify --all
exits 3 'the same when the catalog is lost, from what the key vault remembers'
says 'by the rule' 'rule R17'

# The host itself was set back too, and went on from there: two records have one number.
cp -a "$vault" "$WORK/vault-now"
find "$vault" -mindepth 1 -delete
cp -a "$WORK/vault-after-one/." "$vault/"
backup tiny
cp "$REPOSITORY/$VOLUME" "$WORK/fork.tar"
fork=$REPOSITORY/$VOLUME
for folder in "$vault" "$REPOSITORY"; do find "$folder" -mindepth 1 -delete; done
cp -a "$WORK/vault-now/." "$vault/"
cp -a "$WORK/whole/." "$REPOSITORY/"
forked() { mkdir -p "${fork%/*}" && cp "$WORK/fork.tar" "$fork"; }
changed "a fork in a signer's records" 'rule R16' forked
finish
