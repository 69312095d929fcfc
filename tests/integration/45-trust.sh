#!/usr/bin/env bash
# Whom a host believes. Strangers, revoked hosts, look-alike repositories: exit status 3, with what to compare. What only
# says where things lie (index, catalog) may lie: it costs time. Garbage that an enrolled host stores under the ids of
# known blocks loses nobody's data.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"
forge() { "$HERE/forge.py" "$@"; }
vault() { echo "$BED/$1/sealift-etc/keyvault"; }
restored() { bed_disk_sha B "$BED_IMAGES/$1-data.qcow2"; }

given_repository one
bed_guest A known --idle --fill 2
block=$(bed_disk_sha A "$BED_IMAGES/known-data.qcow2")
in_cluster A qemu-img convert -O raw "$BED_IMAGES/known-data.qcow2" "$BED/A/lib/known.raw"
mv "$BED/A/lib/known.raw" "$WORK/known.raw"

# --- an enrolled host stores garbage under the ids of blocks that it knows ---
given_on_b one
bed_unmount B /mnt/backup
bed_mount B "$REPOSITORY" /mnt/backup rw
sealift B keyvault init
done_or_stop
sealift B repo join --identity /mnt/recovery.pem
exits 0 'B joins the repository'
sealift B keyvault export-signer
printf '%s\n' "$OUT" > "$WORK/signer-of-b.pem"
signer_of_b=$(openssl pkey -pubin -in "$WORK/signer-of-b.pem" -outform DER | sha256sum | cut -d' ' -f1)
cp -a "$(vault B)" "$WORK/vault-b"
given_on_b one
poison=$(forge archive "$REPOSITORY" "$(vault B)" --vm hostile --uuid "$(bed_uuid hostile)" --disk "$WORK/known.raw" --garbage)
sealift A list --json
is 'A sees the snapshot of B, which is well signed' hostile "$(json '"|".join(s["vm"] for s in d)')"
sealift A verify "$poison"
exits 0 'and whole, as far as A can tell'
sealift B verify "$poison" --identity /mnt/recovery.pem
exits 3 'whoever can open it sees what it is'
says 'by the rule that its content breaks' 'rule F13'

sealift A backup tl-known
exits 0 'A backs up a guest that has those blocks'
sealift A list tl-known --json
known=$(json 'd[0]["id"]')
at_least 'and stores them all the same' $((2 * 1024 * 1024)) "$(json 'd[0]["stored_bytes"]')"
bed_wipe B
given_on_b one
sealift B restore tl-known --identity /mnt/recovery.pem
exits 0 'a fresh host restores it, whatever lies in its way'
is 'and its disk is what it was' "$block" "$(restored known)"
bed_wipe B

# --- a catalog that lies about places ---
# lie SQL: into the catalog that B keeps; the restore that follows uses it.
catalog=$BED/B/sealift-lib/catalog-$REPOSITORY_ID.db
lie() {
  bed_wipe B
  sealift B list --identity /mnt/recovery.pem
  exits 0 "$1: B has a catalog"
  at_least "$1: and it is changed" 1 "$(sqlite3 "$catalog" "PRAGMA foreign_keys = OFF; $2; SELECT changes();" | tail -n 1)"
  sealift B restore tl-known --identity /mnt/recovery.pem
  exits 0 "$1: the restore is done"
  is "$1: with the same bytes" "$block" "$(restored known)"
}
lie 'places a byte off' 'UPDATE chunk SET place = place + 1'
lie 'sizes of nothing' 'UPDATE chunk SET stored_size = 105'
lie 'every chunk under the key of another volume' \
  'UPDATE chunk SET frame_key = (SELECT max(row) + min(row) FROM frame_key) - frame_key'
lie 'chunks that it does not know' 'DELETE FROM chunk'
bed_wipe B

# --- an index that lies, signed by the host that wrote it ---
bed_guest A other --idle --fill 1
block=$(bed_disk_sha A "$BED_IMAGES/other-data.qcow2")
sealift A backup tl-other --json
done_or_stop
other=$(json 'd["id"]')
volume=$(find "$REPOSITORY" -name "$other-0001.tar")
cp "$volume" "$WORK/honest.tar"
forge index "$REPOSITORY" "$(vault A)" "$volume"
not_ok 'the index is another one' cmp -s "$volume" "$WORK/honest.tar"
bed_wipe B
sealift B restore tl-other --identity /mnt/recovery.pem
exits 0 'with an index that lies the restore is done'
is 'with the same bytes' "$block" "$(restored other)"
bed_wipe B
sealift B verify "$other" --identity /mnt/recovery.pem
exits 0 'and verify opens every chunk'
cp "$WORK/honest.tar" "$volume"
bed_wipe B

# --- a host that was revoked ---
# B, with its vault, backs up before and after.
given_b_with_its_vault() {
  given_on_b one
  bed_unmount B /mnt/backup
  bed_mount B "$REPOSITORY" /mnt/backup rw
  mkdir -p "$BED/B/sealift-etc"
  cp -a "$WORK/vault-b" "$(vault B)"
}
given_b_with_its_vault
bed_guest B early --idle
bed_guest B late --idle
sealift B backup tl-early
exits 0 'a host of the repository backs up'
sleep 1  # Times in records are whole seconds.
since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
late=$(forge archive "$REPOSITORY" "$(vault B)" --vm tl-late --uuid "$(bed_uuid late)")
forge revoke "$REPOSITORY" "$(vault A)" "$signer_of_b" "$since"
sealift B backup tl-late
exits 5 'it may not write any more'
says 'and is told how it may' 'next: .* make a new key vault'
bed_wipe B
given_on_b one
sealift B restore tl-early --identity /mnt/recovery.pem
exits 0 'what it wrote before it was revoked is restored'
bed_wipe B
for named in tl-late "$late"; do
  sealift B restore "$named" --identity /mnt/recovery.pem
  exits 3 "what it wrote since then is not: $named"
  says 'the signer is named' "signer $signer_of_b"
  says 'and the time' "revoked since $since"
  on_b_nothing_but_a_catalog 'nothing is restored'
done
sealift A backup tl-known
exits 0 'others go on backing up'

# --- a host that nobody enrolled ---
bed_wipe B
sealift B keyvault init
done_or_stop
stranger=$(forge archive "$REPOSITORY" "$(vault B)" --vm tl-known --uuid "$(bed_uuid known)" --disk "$WORK/known.raw")
strange=archives/${stranger:0:2}/$stranger/$stranger-0001.tar
bed_wipe B
for named in tl-known "$stranger"; do
  sealift B restore "$named" --identity /mnt/recovery.pem
  exits 3 "the snapshot of a stranger stops a restore: $named"
  says 'its volume is named' "volume $strange"
  says 'by the rule' 'rule V5'
  says 'and what to compare' 'sealift repo show'
  on_b_nothing_but_a_catalog 'nothing is restored'
done
sealift A verify --all
exits 3 'and verify --all'
sealift A backup tl-known
exits 0 'a backup goes on beside it'
says 'and reports it' "$strange"
sealift B restore "$known" --identity /mnt/recovery.pem --dry-run
exits 0 'a snapshot named by its id does not need it'
rm -r "${REPOSITORY:?}/archives/${stranger:0:2}/$stranger"
bed_wipe B

# --- another repository in its place ---
# elsewhere WHAT REGEX: with the repository at $place, A (which pins) and B (which was given the id) stop.
place=$BED/outside/another
elsewhere() {
  bed_unmount_all A
  bed_mount A "$place" /mnt/backup rw
  given_on_b one "$place"
  local host command
  for host in A B; do
    for command in 'backup tl-known' 'list' 'verify --all' 'restore tl-known --identity /mnt/recovery.pem'; do
      case "$host $command" in 'B backup'* | 'A restore'*) continue ;; esac
      # shellcheck disable=SC2086  # Words.
      sealift $host $command
      exits 3 "$1: $host, $command"
      says 'with what to compare' "$2"
    done
  done
  on_b_nothing_but_a_catalog "$1: nothing is restored"
}
cp -a "$REPOSITORY" "$place"
python3 - "$place/repository.json" <<'PYTHON'
import base64, json, sys
from subprocess import run
path = sys.argv[1]
document = json.load(open(path))
public = run("openssl genrsa 3072 2>/dev/null | openssl pkey -pubout -outform DER", shell=True, capture_output=True).stdout
document["recipients"][0] = base64.b64encode(public).decode()
open(path, "w").write(json.dumps(document, indent=2) + "\n")
PYTHON
elsewhere 'a repository.json with a changed recipient' 'found [0-9a-f]{64}'
bed_unmount_all A
bed_unmount_all B
rm -r "$place"
mkdir "$place"
bed_mount B "$place" /mnt/backup rw
bed_mount B "$BED/outside/public" /mnt/public ro
sealift B keyvault init
done_or_stop
SETTINGS_B=(SEALIFT_REPO=/mnt/backup)
sealift B repo init --recipient /mnt/public/one.pub.pem
exits 0 "a stranger's repository, wrapped to our recovery key"
bed_wipe B
bed_unmount_all B
elsewhere "a stranger's repository, wrapped to our recovery key" 'found [0-9a-f]{64}'
SETTINGS_B=(SEALIFT_REPO=/mnt/backup)
for command in 'list' 'verify --all' 'restore tl-known --identity /mnt/recovery.pem'; do
  # shellcheck disable=SC2086  # Words.
  sealift B $command
  exits 3 "a host with neither pin nor id: $command"
  says 'with what to compare' 'compare the id found with the printed sheet'
done
on_b_nothing_but_a_catalog 'nothing is restored'
finish
