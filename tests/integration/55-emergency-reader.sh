#!/usr/bin/env bash
# Without Sealift: scripts/emergency-restore.py, written from docs/format/ alone, gives the same files as
# `restore --to-directory`; from them and virsh the guest starts on B and unseals. What is damaged it refuses by the
# same rule as the program.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

READER=$(readlink -f "$HERE/../../scripts/emergency-restore.py")
given_repository one two
bed_guest A book --name 'db & 01'
bed_boot A book
sealed=$(bed_wait_console A book 'TL SEAL-CREATED' | awk '{print $3}')
sealift A backup 'db & 01'
done_or_stop
bed_wait_console A book 'TL TICK' 30 "$(bed_mark A book)" > /dev/null
sealift A backup 'db & 01' --json
done_or_stop
OUT=$(tail -n 1 <<< "$OUT")
newest=$(json 'd["id"]')
sealift A keyvault export-signer
printf '%s\n' "$OUT" > "$WORK/signer.pub.pem"
vsh A destroy "$(bed_uuid book)" > /dev/null
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
sealift A restore "$newest" --identity /mnt/recovery.pem --to-directory /var/lib/sealift/files
done_or_stop
cp -r --sparse=always "$BED/A/sealift-lib/files" "$WORK/expected"
bed_wipe A

# read OUT OPTION...: the reader on every volume that there is; sets STATUS, OUT (nothing), ERR.
mapfile -t volumes < <(find "$REPOSITORY" -name '*.tar' | sort)
read_volumes() {
  local out=$1
  shift
  COMMAND="emergency-restore.py --out $out $*"
  STATUS=0
  "$READER" --signer "$WORK/signer.pub.pem" --out "$out" "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null || STATUS=$?
  OUT=$(cat "$WORK/out")
  ERR=$(cat "$WORK/err")
}

# --- the same files ---
at_least 'the second snapshot lies in volumes of two archives' 2 ${#volumes[@]}
for name in one two; do
  read_volumes "$WORK/files-$name" --identity "$BED/outside/safe/$name.pem" \
    --reveal-protection-key "$WORK/value-$name" "${volumes[@]}"
  exits 0 "the reader restores the newest snapshot with recovery key $name"
  ok 'the same files, byte for byte' diff -r "$WORK/expected" "$WORK/files-$name"
  is 'and the protection key' "$(sha256sum < "$(bed_secret_value book)")" "$(sha256sum < "$WORK/value-$name")"
  is 'which nobody else can read' 600 "$(stat -c %a "$WORK/value-$name")"
done
read_volumes "$WORK/more" --identity "$BED/outside/safe/one.pem" --snapshot "$newest" "${volumes[@]}"
exits 0 'a snapshot is found by its id'
at_most 'holes stay holes: the disks take no more room than those of the program (KiB)' \
  $(($(du -sk "$WORK/expected" | cut -f1) * 11 / 10)) "$(du -sk "$WORK/more" | cut -f1)"
rm -r "$WORK/more"

# --- it refuses by the same rule ---
given_keys stranger
read_volumes "$WORK/no" --identity "$BED/outside/safe/stranger.pem" "${volumes[@]}"
exits 12 'another recovery key'
openssl genpkey -algorithm ed25519 -out "$WORK/foreign.pem" 2> /dev/null
openssl pkey -in "$WORK/foreign.pem" -pubout -out "$WORK/foreign.pub.pem"
mv "$WORK/signer.pub.pem" "$WORK/aside"
cp "$WORK/foreign.pub.pem" "$WORK/signer.pub.pem"
read_volumes "$WORK/no" --identity "$BED/outside/safe/one.pem" "${volumes[@]}"
exits 3 'another signer'
says 'rule V5' 'rule V5'
mv "$WORK/aside" "$WORK/signer.pub.pem"

# same_rule WHAT COMMAND...: the command damages a copy of the repository at $copy, whose newest volume is $damaged.
copy=$BED/outside/damaged
last=$(find "$REPOSITORY" -path "*$newest*" -name '*.tar' | sort | tail -n 1)
damaged=$copy/${last#"$REPOSITORY/"}
mkdir "$copy"
bed_mount B "$copy" /mnt/backup ro
bed_mount B "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
SETTINGS_B=(SEALIFT_REPO=/mnt/backup "SEALIFT_REPO_ID=$REPOSITORY_ID")
same_rule() {
  local what=$1 rule
  shift
  find "$copy" -mindepth 1 -delete
  cp -a "$REPOSITORY/." "$copy/"
  "$@"
  sealift B verify "$newest" --identity /mnt/recovery.pem
  exits 3 "$what: the program"
  rule=$(grep -oE 'rule [A-Z]+[0-9]+' <<< "$ERR" | head -n 1)
  like "$what: names a rule" '^rule ' "$rule"
  mapfile -t found < <(find "$copy" -name '*.tar')
  read_volumes "$WORK/no" --identity "$BED/outside/safe/one.pem" --snapshot "$newest" "${found[@]}"
  exits 3 "$what: the reader"
  says "$what: by the same rule, $rule" "$rule([^0-9]|\$)"
  not_ok "$what: and nothing is restored" test -e "$WORK/no"
  bed_wipe B
}
# flip MEMBER [AT]: one bit of a member of the newest volume.
flip() {
  local from byte
  from=$(python3 -c 'import sys, tarfile; m = tarfile.open(sys.argv[1]).getmember(sys.argv[2]); print(m.offset_data + int(sys.argv[3] or m.size // 2))' \
    "$damaged" "$1" "${2:-}")
  byte=$(dd if="$damaged" bs=1 skip="$from" count=1 status=none | xxd -p)
  printf '%02x' $((0x$byte ^ 1)) | xxd -r -p | dd of="$damaged" bs=1 seek="$from" conv=notrunc status=none
}
for member in header.json segments/00000001 index manifest protection-key.json snapshot snapshot.sig SHA256SUMS SHA256SUMS.sig footer; do
  same_rule "a flipped bit in $member" flip "$member"
done
cut_short() { truncate -s -512 "$damaged"; }
same_rule 'a volume cut short' cut_short
header_byte() { printf 'X' | dd of="$damaged" bs=1 seek=300 conv=notrunc status=none; }
same_rule 'a byte of a tar header' header_byte
tamper() { "$HERE/tamper.py" "$damaged" "$@"; }
same_rule 'a member more' tamper add notes
same_rule 'a segment more' tamper add segments/00000009
same_rule 'a member twice' tamper double manifest
same_rule 'a renamed member' tamper rename snapshot
same_rule 'members in another order' tamper swap manifest index
same_rule 'a pax record that renames a member' tamper pax segments/00000001
other=$(find "$REPOSITORY" -name '*.tar' ! -path "*$newest*" | head -n 1)
same_rule "another snapshot's volume in its place" cp "$other" "$damaged"
rm -r "$copy"

# --- the guest's word, with virsh alone ---
files=$WORK/files-one
SOURCES=$BED/B/lib
bed_secret B book "$WORK/value-one"
for target in vda vdb; do
  path=$(python3 -c 'import sys, xml.etree.ElementTree as x; print([d.find("source").get("file") for d in x.parse(sys.argv[1]).iter("disk") if d.find("target").get("dev") == sys.argv[2]][0])' \
    "$files/domain.xml" $target)
  qemu-img convert -q -f raw -O qcow2 "$files/$target.raw" "$SOURCES/staging"
  bed_put B "$path"
done
cp "$files/$(basename "$(bed_nvram book)")" "$SOURCES/staging"
bed_put B "$(bed_nvram book)"
mkdir -p "$SOURCES/swtpm/$(bed_uuid book)/tpm2"
cp "$files/tpm2-00.permall" "$SOURCES/swtpm/$(bed_uuid book)/tpm2/"
bed_define B "$files/domain.xml"
bed_boot B book
like 'from the files and virsh alone the guest boots on B, and unseals' "TL UNSEAL-OK $sealed boot=2" "$(bed_console_lines B book)"
finish
