#!/usr/bin/env bash
# A snapshot on a USB disk: `export` writes it into files, and on another cluster, with no repository, catalog or key
# vault and from a read-only medium, `restore --archive` brings the VM back, where it unseals. The emergency reader
# reads the same files, stock tools check them, and what is damaged or of strangers is refused.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

READER=$(readlink -f "$HERE/../../scripts/emergency-restore.py")
given_repository one two
bed_guest A travel --name 'usb 01'
bed_boot A travel
sealed=$(bed_wait_console A travel 'TL SEAL-CREATED' | awk '{print $3}')
sealift A backup 'usb 01'
done_or_stop
bed_wait_console A travel 'TL TICK' 30 "$(bed_mark A travel)" > /dev/null
sealift A backup 'usb 01' --json
done_or_stop
OUT=$(tail -n 1 <<< "$OUT")
newest=$(json 'd["id"]')
is 'the snapshot leans on an earlier one' incremental "$(json 'd["kind"]')"
usb=$BED/outside/usb
mkdir "$usb"
sealift A keyvault export-signer
printf '%s\n' "$OUT" > "$usb/host-a.pub.pem"

# --- export: no recovery key is on A ---
bed_mount A "$usb" /mnt/usb rw
sealift A export 'usb 01' --out '/mnt/usb/usb 01.tar' --json
exits 0 'the snapshot leaves the repository'
is 'the newest one, in one file of the size that is told' "$newest $(stat -c %s "$usb/usb 01.tar")" \
  "$(json 'd["id"] + " " + str(d["files"][0]["size"])')"
sealift A export 'usb 01' --out '/mnt/usb/usb 01.tar'
exits 5 'a file that is there is not overwritten'
sealift A export 'usb 01' --out '/mnt/usb/part.tar' --volume-size 16M
exits 0 'in files of 16 MiB at most'
mapfile -t parts < <(find "$usb" -name 'part-*.tar' | sort)
at_least 'there are several' 2 ${#parts[@]}
at_most 'none is larger (bytes)' 16777216 "$(stat -c %s "${parts[@]}" | sort -n | tail -n 1)"
sealift A export 'usb 01' --out '/mnt/usb/odd.tar' --volume-size plenty
exits 2 'a size that is none'
sealift A export nobody --out '/mnt/usb/odd.tar'
exits 10 'a VM that is not there'
# Another site's recovery key, which this repository does not know.
sealift desk keyvault new-recovery-key --out site.pem
cp "$BED/outside/safe/site.pub.pem" "$BED/outside/public/"
sealift A export 'usb 01' --out '/mnt/usb/site.tar' --add-recipient /mnt/public/site.pub.pem
exits 2 'a recipient is added with a recovery key only'
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
sealift A export 'usb 01' --out '/mnt/usb/site.tar' --volume-size 16M --add-recipient /mnt/public/site.pub.pem \
  --identity /mnt/recovery.pem
exits 0 'for another site'
mapfile -t site < <(find "$usb" -name 'site-*.tar' | sort)
bed_unmount A /mnt/recovery.pem
not_ok 'nothing of the refused is there' test -e "$usb/odd.tar"
not_ok 'no plaintext of the guest is in the files' grep -qa -e 'tick 1' -e "$sealed" "$usb/usb 01.tar" "${parts[@]}"

# --- stock tools check it ---
mkdir "$WORK/members"
for file in "$usb/usb 01.tar" "${parts[@]}"; do
  find "$WORK/members" -mindepth 1 -delete
  tar -C "$WORK/members" -xf "$file"
  ok 'sha256sum finds every member as signed' env -C "$WORK/members" sha256sum --quiet -c SHA256SUMS
  ok 'openssl finds the signature of host A' openssl pkeyutl -verify -rawin -pubin -inkey "$usb/host-a.pub.pem" \
    -in "$WORK/members/SHA256SUMS" -sigfile "$WORK/members/SHA256SUMS.sig"
done

# --- the expected files, then A is lost, repository and all ---
bed_mount A "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
sealift A restore "$newest" --identity /mnt/recovery.pem --to-directory /var/lib/sealift/files
done_or_stop
cp -r --sparse=always "$BED/A/sealift-lib/files" "$WORK/expected"
vsh A destroy "$(bed_uuid travel)" > /dev/null
bed_wipe A
mv "$REPOSITORY" "$REPOSITORY.gone"

# --- the emergency reader ---
KEY=two
read_files() {
  local out=$1
  shift
  STATUS=0
  COMMAND="emergency-restore.py --out $out $*"
  "$READER" --signer "$usb/host-a.pub.pem" --identity "$BED/outside/safe/$KEY.pem" --out "$out" "$@" \
    > "$WORK/out" 2> "$WORK/err" < /dev/null || STATUS=$?
  OUT=$(cat "$WORK/out")
  ERR=$(cat "$WORK/err")
}
read_files "$WORK/read" "$usb/usb 01.tar"
exits 0 'the emergency reader reads the one file'
ok 'the same files, byte for byte' diff -r "$WORK/expected" "$WORK/read"
rm -r "$WORK/read"
read_files "$WORK/read" "${parts[@]}"
exits 0 'and the several'
ok 'the same files, byte for byte' diff -r "$WORK/expected" "$WORK/read"
read_files "$WORK/no" "${parts[@]:1}"
exits 3 'not without the first of them'

KEY=site
read_files "$WORK/no" "$usb/usb 01.tar"
exits 12 'not with the key of a site that was not added'
read_files "$WORK/site" "${site[@]}"
exits 0 'with that of one that was'
says 'which opens the vTPM' 'note: the protection key opens '
is 'the same files, and one protection key more' 'protection-key.3.json' \
  "$(diff -r "$WORK/expected" "$WORK/site" | sed 's/.*: //')"

# --- B: no repository, no catalog, no key vault; the medium is read-only ---
bed_mount B "$usb" /mnt/usb ro
bed_mount B "$BED/outside/safe/one.pem" /mnt/recovery.pem ro
SETTINGS_B=()
restore_on_b() { sealift B restore --identity /mnt/recovery.pem --connect qemu:///system "$@"; }
of_a=(--signer /mnt/usb/host-a.pub.pem)
restore_on_b --archive '/mnt/usb/usb 01.tar'
exits 2 'nobody is to be believed'
says 'and it says what to do' 'export-signer'
openssl genpkey -algorithm ed25519 -out "$WORK/foreign.pem" 2> /dev/null
openssl pkey -in "$WORK/foreign.pem" -pubout -out "$BED/outside/safe/foreign.pub.pem"
bed_mount B "$BED/outside/safe/foreign.pub.pem" /mnt/foreign.pub.pem ro
restore_on_b --archive '/mnt/usb/usb 01.tar' --signer /mnt/foreign.pub.pem
exits 3 'a stranger signed it'
says 'by rule V5' 'rule V5'
given_keys stranger
bed_mount B "$BED/outside/safe/stranger.pem" /mnt/stranger.pem ro
sealift B restore --identity /mnt/stranger.pem --archive '/mnt/usb/usb 01.tar' "${of_a[@]}" --dry-run
exits 12 'another recovery key'
cp "$usb/usb 01.tar" "$BED/outside/safe/bad.tar"
middle=$(($(stat -c %s "$BED/outside/safe/bad.tar") / 2))
byte=$(dd if="$BED/outside/safe/bad.tar" bs=1 skip=$middle count=1 status=none | xxd -p)
printf '%02x' $((0x$byte ^ 1)) | xxd -r -p |
  dd of="$BED/outside/safe/bad.tar" bs=1 seek=$middle conv=notrunc status=none
bed_mount B "$BED/outside/safe/bad.tar" /mnt/bad.tar ro
restore_on_b --archive /mnt/bad.tar "${of_a[@]}"
exits 3 'a flipped bit'
is 'of all these nothing is on B' '' "$(bed_leftovers B)"

parts_on_b=()
for file in "${parts[@]}"; do parts_on_b=("/mnt/usb/$(basename "$file")" "${parts_on_b[@]}"); done
restore_on_b --archive "${parts_on_b[@]}" "${of_a[@]}" --dry-run --json
exits 0 'the plan, out of several files in any order'
restore_on_b --archive "${parts_on_b[@]:1}" "${of_a[@]}" --dry-run
exits 10 'the one with the snapshot is missing'
bed_mount B "$BED/outside/safe/site.pem" /mnt/site.pem ro
site_on_b=()
for file in "${site[@]}"; do site_on_b+=("/mnt/usb/$(basename "$file")"); done
on_site_b() { sealift B restore --identity /mnt/site.pem --connect qemu:///system --archive "$@"; }
on_site_b '/mnt/usb/usb 01.tar' "${of_a[@]}" --dry-run
exits 12 'the key of a site that was not added'
on_site_b "${site_on_b[@]}" "${of_a[@]}" --to-directory /var/lib/sealift/site
exits 0 'the files, with the key of a site that was'
ok 'those that the emergency reader gives' diff -r "$WORK/site" "$BED/B/sealift-lib/site"
rm -r "$BED/B/sealift-lib/site"
on_site_b "${site_on_b[@]}" "${of_a[@]}" --dry-run
exits 0 'and the plan, with it'
like 'the vTPM will open' 'the protection key opens the guest state: it will unlock there' "$OUT"
restore_on_b --archive '/mnt/usb/usb 01.tar' "${of_a[@]}" --start
exits 0 'the VM is back and started'
is 'and no catalog or key vault was made' '' \
  "$(find "$BED/B/sealift-etc" "$BED/B/sealift-lib" -mindepth 1)"
bed_wait_console B travel 'TL READY' 240 > /dev/null
said=$(bed_console_lines B travel)
like 'its vTPM unseals what was sealed on A' "TL UNSEAL-OK $sealed boot=2" "$said"
mv "$REPOSITORY.gone" "$REPOSITORY"
finish
