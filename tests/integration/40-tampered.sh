#!/usr/bin/env bash
# Whatever is done to a stored archive: exit status 3, the volume and the member named, nothing restored. And what is
# whole can be checked with tar, sha256sum and openssl alone.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

given_repository one
bed_guest A victim --idle --fill 6
bed_guest A other --idle --fill 1
bed_start A victim
bed_start A other
sealift A backup tl-victim
done_or_stop
volume=$(find "$REPOSITORY" -name '*.tar')
is 'one volume' 1 "$(wc -l <<< "$volume")"
name=${volume#"$REPOSITORY/"}
sealift A backup tl-other
done_or_stop
foreign=$(find "$REPOSITORY" -name '*.tar' ! -path "$volume")
sealift A keyvault export-signer
exits 0 'export-signer'
printf '%s\n' "$OUT" > "$WORK/signer.pub.pem"

# --- stock tools, as the README shows them ---
mkdir "$WORK/stock"
ok 'tar takes the volume apart' tar -xf "$volume" -C "$WORK/stock"
ok 'sha256sum -c finds every member whole' env -C "$WORK/stock" sha256sum --strict -c SHA256SUMS
is 'every member but the sums, their signature and the footer is in the sums' \
  "$(tar -tf "$volume" | grep -vE '^(SHA256SUMS|SHA256SUMS\.sig|footer)$' | sort)" \
  "$(sed 's/^[0-9a-f]*  //' "$WORK/stock/SHA256SUMS" | sort)"
ok 'openssl finds the signature of this host' openssl pkeyutl -verify -pubin -inkey "$WORK/signer.pub.pem" -rawin \
  -in "$WORK/stock/SHA256SUMS" -sigfile "$WORK/stock/SHA256SUMS.sig"
echo '# one more line' >> "$WORK/stock/SHA256SUMS"
not_ok 'and none over other sums' openssl pkeyutl -verify -pubin -inkey "$WORK/signer.pub.pem" -rawin \
  -in "$WORK/stock/SHA256SUMS" -sigfile "$WORK/stock/SHA256SUMS.sig"

# --- tampering ---
openssl genpkey -algorithm ed25519 -out "$WORK/foreign.pem" 2> /dev/null
# edit HOW MEMBER: rewrites one member of the volume at $1 in place.
edit() {
  python3 - "$@" <<'PYTHON'
import os, subprocess, sys, tarfile
path, how, member = sys.argv[1:4]
with tarfile.open(path) as tar:
    info = tar.getmember(member)
    size, at = info.size, info.offset_data
with open(path, "r+b") as volume:
    if how == "flip":
        where = at + size // 2
        volume.seek(where)
        byte = volume.read(1)
        volume.seek(where)
        volume.write(bytes([byte[0] ^ 1]))
    elif how == "zero":
        volume.seek(at)
        volume.write(bytes(size))
    elif how == "sign":  # with a key of one's own, over what is there
        with tarfile.open(path) as tar:
            signed = tar.extractfile(member[:-4]).read()
        work = os.environ["WORK"]
        with open(work + "/to-sign", "wb") as out:
            out.write(signed)
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", work + "/foreign.pem", "-rawin",
                                    "-in", work + "/to-sign"], check=True, capture_output=True).stdout
        assert len(signature) == size
        volume.seek(at)
        volume.write(signature)
    else:
        sys.exit("how?")
PYTHON
}
export WORK

# tampered WHAT NAMED COMMAND...: a copy of the repository is tampered with by the command, which finds the volume at
# $tampered; restore and verify on B, and verify on A, must say 3, name the volume and NAMED, and leave nothing.
copy=$BED/outside/tampered
tampered=$copy/$name
tampered() {
  local what=$1 named=$2
  shift 2
  find "$copy" -mindepth 1 -delete
  cp -a "$REPOSITORY/." "$copy/"
  "$@"
  sealift B restore tl-victim --identity /mnt/recovery.pem
  exits 3 "$what: restore"
  # Of a volume that is gone, with its record, only the gap that it leaves can be named.
  if [ -e "$tampered" ]; then
    says "$what: the volume is named" "$(basename "$name")"
  else
    says "$what: the gap is named" 'record of this signer is missing'
    says "$what: and where it is" 'signer [0-9a-f]{64}, sequence 1'
  fi
  if [ "$named" = SHA256SUMS.sig ]; then named=SHA256SUMS; fi  # A signature that does not fit is named by what it is of.
  if [ -n "$named" ]; then says "$what: and $named" "member $named|, $named"; fi
  on_b_nothing_but_a_catalog "$what: nothing is restored"
  sealift B verify tl-victim@latest --identity /mnt/recovery.pem
  exits 3 "$what: verify with the key"
  sealift A verify --all --repo /mnt/tampered
  exits 3 "$what: verify on A, without a recovery key"
  bed_wipe B
}
mkdir "$copy"
given_on_b one "$copy"
bed_mount A "$copy" /mnt/tampered ro
while IFS= read -r member; do
  tampered "a flipped bit in $member" "$member" edit "$tampered" flip "$member"
done < <(tar -tf "$volume" | awk '!/^segments\// || !seen++')

flip_header() { printf 'X' | dd of="$tampered" bs=1 seek=300 conv=notrunc status=none; }
tampered 'a byte in a tar header' '' flip_header
cut_short() { truncate -s -512 "$tampered"; }
tampered 'a volume cut short by one block' '' cut_short
cut_half() { truncate -s $(($(stat -c %s "$tampered") / 2)) "$tampered"; }
tampered 'a volume cut in half' '' cut_half
appended() { printf 'x' >> "$tampered"; }
tampered 'a byte after its end' '' appended
tampered 'a volume that is not there' '' rm "$tampered"
tampered "another VM's volume in its place" '' cp "$foreign" "$tampered"
tampered 'a stripped signature' SHA256SUMS.sig edit "$tampered" zero SHA256SUMS.sig
tampered 'a foreign signature' SHA256SUMS.sig edit "$tampered" sign SHA256SUMS.sig
tampered "a foreign signature of the snapshot" snapshot.sig edit "$tampered" sign snapshot.sig

# The whole of it still restores: the tests above fail for what was done, not for something else.
given_on_b one
sealift B restore tl-victim --identity /mnt/recovery.pem
exits 0 'untouched, it is restored'
bed_wipe B

# --- what is left can be restored when the loss is accepted, in so many words ---
find "$copy" -mindepth 1 -delete
cp -a "$REPOSITORY/." "$copy/"
rm "$tampered"
given_on_b one "$copy"
left=$(basename "$foreign" | cut -c 1-32)
sealift B list --identity /mnt/recovery.pem
exits 3 'a list of what is left says that something is missing'
like 'and lists it' "^${left:0:8}  tl-other" "$OUT"
says 'and the gap' 'record of this signer is missing'
sealift B verify --all --identity /mnt/recovery.pem
exits 3 'verify says that something is missing'
like 'and goes on to the end' "^${left:0:8}  tl-other  level [23] of 3" "$OUT"
sealift B restore "$left" --identity /mnt/recovery.pem
exits 3 'it is not restored by its id alone'
says 'and how it would be' '--accept-loss'
sealift B restore tl-other --accept-loss --identity /mnt/recovery.pem
exits 3 'nor by its name, which may not be the newest'
on_b_nothing_but_a_catalog 'nothing is restored so far'
sealift B restore "$left" --accept-loss --identity /mnt/recovery.pem
exits 0 'by its id, with the loss accepted, it is restored'
says 'and the gap is said again' 'record of this signer is missing'
finish
