#!/usr/bin/env bash
# VMs of Azure Local, from the folders that Hyper-V exports: whole or refused with the reason, every byte that counts and
# the rest as holes, the protection key wrapped from hand to hand, and a runbook at the end. Disks are qemu-img's and one
# differencing disk of hyperv_export.py; keys are wrapped and opened by python3-cryptography. No Hyper-V was there.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"
READER=$(readlink -f "$HERE/../../scripts/emergency-restore.py")
make() { /usr/bin/python3 "$HERE/hyperv_export.py" "$@"; }
ID=0f3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a42
OTHER=1d3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a43
KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
EXPORTS=$BED/outside/exports
FILES=$BED/outside/files
mkdir "$EXPORTS" "$FILES"
chmod 750 "$EXPORTS"

# --- a repository whose keys' recipient has the only size that Microsoft documents ---
given_keys one
for name in moc stranger target; do
  sealift desk keyvault new-recovery-key --out "$name.pem" --bits 2048
  done_or_stop
  cp "$BED/outside/safe/$name.pub.pem" "$BED/outside/safe/$name.moc.pem" "$BED/outside/public/"
done
REPOSITORY=$BED/outside/repository
mkdir "$REPOSITORY"
bed_mount A "$REPOSITORY" /mnt/backup rw
bed_mount A "$BED/outside/public" /mnt/public ro
bed_mount A "$EXPORTS" /mnt/exports rw
bed_mount A "$BED/outside" /mnt/outside ro
SETTINGS_A=(SEALIFT_REPO=/mnt/backup)
sealift A keyvault init
done_or_stop
sealift A repo init --recipient /mnt/public/moc.pub.pem
exits 2 'a key of 2048 bits alone makes no repository'
says 'since archives want more' 'archives want a recipient of at least 3072 bits'
sealift A repo init --recipient /mnt/public/moc.moc.pem --recipient /mnt/public/one.pub.pem
exits 0 'beside one of 3072 bits it is taken'
says 'for protection keys alone' '2048 bits: protection keys that Azure Local wrapped to it are taken'
sealift A repo show --json
REPOSITORY_ID=$(json 'd["id"]')
is 'and stands apart' '3072 2048' "$(json '" ".join(str(r["bits"]) for l in ("recipients", "key_recipients") for r in d[l])')"

# --- an export: a disk with a file system, a differencing disk with its parent, a key in TvmBackupUtils' folders ---
VM=$EXPORTS/payroll
DISKS="$VM/Virtual Hard Disks"
mkdir -p "$DISKS" "$WORK/tree/var"
cp -r /usr/share/perl5 "$WORK/tree/var/"
truncate -s 64M "$WORK/tree.img"
mkfs.ext4 -q -d "$WORK/tree" "$WORK/tree.img"
qemu-img convert -f raw -O vhdx -o subformat=dynamic,block_size=1M "$WORK/tree.img" "$DISKS/os disk.vhdx"
qemu-img create -q -f vhdx -o block_size=1M "$DISKS/base.vhdx" 16M
qemu-io -f vhdx -c 'write -q -P 0x41 2M 3M' "$DISKS/base.vhdx"
make child "$DISKS/base.vhdx" "$DISKS/data.avhdx"
make vm "$VM" --id $ID --name 'payroll, büro' --disk 'OS disk.vhdx' --disk data.avhdx --iso install.iso
KEYS=$EXPORTS/keys/20251127201507
make key $KEY "$BED/outside/public/moc.pub.pem" "$KEYS/AES/${ID}_256.json"
openssl genrsa -traditional 4096 2> /dev/null | openssl pkcs8 -topk8 -nocrypt -outform DER > "$WORK/root-key.der"
make key "$(xxd -p "$WORK/root-key.der" | tr -d '\n')" "$BED/outside/public/moc.pub.pem" \
  "$KEYS/RSA/AzureStackTvmAKRootKey_4096.json"
make key 00 "$BED/outside/public/moc.pub.pem" "$KEYS/RSA/wrappingKey_2048.json"
backup() { sealift A backup --hyperv-export /mnt/exports/payroll --protection-key /mnt/exports/keys "$@"; }

sealift A vm inspect /mnt/exports/payroll --json
exits 0 'vm inspect reads the export'
is 'and finds the parent by its GUID' "/mnt/exports/payroll/Virtual Hard Disks/base.vhdx" \
  "$(json '[f["parent"] for f in d if f["file"].endswith("avhdx")][0]')"
backup --json
exits 0 'the export is backed up'
first=$(json 'd["id"]')
is 'whole' complete "$(json 'd["verdict"]')"
is 'under the name and id in its configuration' "payroll, büro $ID" "$(json 'd["vm"] + " " + d["vm_uuid"]')"
says 'what is not carried is said' 'what lies in a drive is not carried: install.iso'
says 'and a wrapping key that was left behind' 'the key vault holds another RSA key, wrappingKey'
sealift A show "$first" --json
like 'the verdict says what cannot be proven' 'not provable off the cluster' "$(json 'd["verdicts"][0]["reason"]')"
is 'and what is kept' 'config disk disk disk guest-state runtime-state' \
  "$(json '" ".join(sorted(c["kind"] for c in d["components"]))')"
is 'with two keys' "$ID AzureStackTvmAKRootKey" "$(json '" ".join(k["key_name"] for k in d["protection_keys"])')"
sealift A verify "$first"
exits 0 'its signatures and sums fit'

# --- on another cluster ---
bed_mount B "$REPOSITORY" /mnt/backup ro
bed_mount B "$BED/outside/safe" /mnt/safe ro
bed_mount B "$FILES" /mnt/files rw
bed_mount B "$BED/outside/public" /mnt/public ro
SETTINGS_B=(SEALIFT_REPO=/mnt/backup "SEALIFT_REPO_ID=$REPOSITORY_ID")
sealift B verify "$first" --identity /mnt/safe/one.pem --key-identity /mnt/safe/moc.pem --json
exits 0 'every chunk opens'
like 'and both keys' '2 of 2 protection keys were unwrapped' "$(json 'd[0]["reason"]')"
sealift B verify "$first" --identity /mnt/safe/one.pem --json
exits 0 'without their recovery key, too'
like 'which is said' 'no protection key was tried' "$(json 'd[0]["reason"]')"
is 'and that is as far as it goes' 2 "$(json 'd[0]["level"] if isinstance(d, list) else d["level"]')"
sealift B restore "$first" --identity /mnt/safe/one.pem
exits 5 'libvirt cannot run it'
says 'and the way is named' 'to-directory'

# same WHAT FOLDER EXPORT: names, sizes and every byte that counts are those of the export.
same() {
  local file
  is "$1: the same files" "$(cd "$3" && find . -type f ! -name '*.json' | sort)" \
    "$(cd "$2" && find . -type f ! -name '*.json' ! -name RUNBOOK.md | sort)"
  while IFS= read -r file; do
    case $file in
      *.vhdx | *.avhdx) is "$1: $file" "$(make data "$3/$file")" "$(make data "$2/$file")" ;;
      *) ok "$1: $file" cmp "$3/$file" "$2/$file" ;;
    esac
  done < <(cd "$3" && find . -type f ! -name '*.json' | sort)
}
sealift B restore "$first" --identity /mnt/safe/one.pem --to-directory /mnt/files/first
exits 0 'its files come back'
same 'restored' "$FILES/first" "$VM"
ok 'qemu-img reads the same disk' qemu-img compare "$DISKS/os disk.vhdx" "$FILES/first/Virtual Hard Disks/os disk.vhdx"
is 'what nothing refers to is a hole' 0 "$(tr -d '\0' < "$FILES/first/Virtual Hard Disks/data.avhdx" | grep -ac stale)"
ok 'the key is as it was exported' cmp "$KEYS/AES/${ID}_256.json" "$FILES/first/protection-key.json"
mapfile -t volumes < <(find "$REPOSITORY/archives" -name '*.tar')
sealift A keyvault export-signer
printf '%s\n' "$OUT" > "$WORK/signer.pem"
ok 'the emergency reader reads it' "$READER" --identity "$BED/outside/safe/one.pem" --signer "$WORK/signer.pem" \
  --out "$FILES/emergency" "${volumes[@]}"
ok 'and writes the same files' diff -r "$FILES/first" "$FILES/emergency"

# --- the keys go to the target's wrapping key ---
sealift B restore "$first" --identity /mnt/safe/one.pem --to-directory /mnt/files/wrapped \
  --wrap-to /mnt/public/target.moc.pem --wrapping-key-name wrap-2026
exits 12 'the recovery key of the archive does not open keys of the key vault'
says 'and the option is named' 'key-identity'
ok 'nothing was made' test ! -e "$FILES/wrapped"
sealift B restore "$first" --identity /mnt/safe/one.pem --key-identity /mnt/safe/moc.pem --to-directory /mnt/files/wrapped \
  --wrap-to /mnt/public/target.moc.pem --wrapping-key-name wrap-2026 --target-cluster dr-site
exits 0 'the one of Export-MocKey does'
same 'beside the keys' "$FILES/wrapped" "$VM"
layout=$(cd "$FILES/wrapped/protection-keys" && find . -type f | sed 's/[0-9]\{14\}/TIME/' | sort)
is 'the keys lie as TvmBackupUtils wants them' \
  "./TIME/AES/${ID}_256.json ./TIME/RSA/AzureStackTvmAKRootKey_4096.json" "${layout/$'\n'/ }"
unwrapped() {
  /usr/bin/python3 - "$1" "$BED/outside/safe/target.pem" << 'PYTHON'
import base64, json, sys
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding
value = json.load(open(sys.argv[1]))
key = serialization.load_pem_private_key(open(sys.argv[2], "rb").read(), None)
blob = base64.urlsafe_b64decode(value["private-key"])
sha = hashes.SHA1()
wrapping = key.decrypt(blob[:256], padding.OAEP(padding.MGF1(sha), sha, None))
print(keywrap.aes_key_unwrap_with_padding(wrapping, blob[256:]).hex(), value["private-key-wrapping-info"]["key-name"])
PYTHON
}
is 'and the target opens the key, by other code' "$KEY wrap-2026" "$(unwrapped "$FILES"/wrapped/protection-keys/*/AES/*.json)"
is 'and the attestation root key' "$(xxd -p "$WORK/root-key.der" | tr -d '\n') wrap-2026" \
  "$(unwrapped "$FILES"/wrapped/protection-keys/*/RSA/*.json)"
like 'the runbook is of this VM' "$ID" "$(cat "$FILES/wrapped/RUNBOOK.md")"
like 'and knows of the key that was left' wrappingKey "$(cat "$FILES/wrapped/RUNBOOK.md")"
like 'and which disks are in its drives, and what they hang on' \
  'os disk.vhdx., .Virtual Hard Disks/data.avhdx.; they hang on .Virtual Hard Disks/base.vhdx. ' "$(cat "$FILES/wrapped/RUNBOOK.md")"
is 'what the script reads names every file' "$(cd "$VM" && find . -type f | sed 's|^./||' | LC_ALL=C sort)" \
  "$(python3 -c 'import json, sys; print("\n".join(sorted(f["path"] for f in json.load(open(sys.argv[1]))["files"])))' \
    "$FILES/wrapped/sealift-restore.json")"
not_ok 'no plain key lies anywhere' grep -rqaP "$(fold -w2 <<< "$KEY" | sed 's/^/\\x/' | tr -d '\n')" "$FILES" "$REPOSITORY"
sealift B restore "$first" --identity /mnt/safe/one.pem --key-identity /mnt/safe/moc.pem --to-directory /mnt/files/named \
  --wrap-to /mnt/public/target.moc.pem --wrapping-key-name AzureStackTvmAKRootKey
exits 5 'a wrapping key is not named like a key of the set'

# --- out of a file alone: no repository, no catalog, no key vault ---
mkdir "$BED/outside/usb"
cp "$WORK/signer.pem" "$BED/outside/usb/signer.pub.pem"
bed_mount A "$BED/outside/usb" /mnt/usb rw
bed_mount B "$BED/outside/usb" /mnt/usb ro
sealift A export "$first" --out /mnt/usb/payroll.tar
exits 0 'the snapshot becomes a file'
with_repository=("${SETTINGS_B[@]}")
SETTINGS_B=()
from_file() {
  sealift B restore --archive /mnt/usb/payroll.tar --signer /mnt/usb/signer.pub.pem --identity /mnt/safe/one.pem \
    --to-directory "/mnt/files/$1" "${@:2}"
}
from_file out-of-file
exits 0 'the files of the VM come out of it'
ok 'the same as out of the repository' diff -r "$FILES/first" "$FILES/out-of-file"
ok 'the emergency reader reads it, too' "$READER" --identity "$BED/outside/safe/one.pem" --signer "$WORK/signer.pem" \
  --out "$FILES/emergency-out-of-file" "$BED/outside/usb/payroll.tar"
ok 'and the files are the same' diff -r "$FILES/first" "$FILES/emergency-out-of-file"
from_file wrapped-out-of-file --key-identity /mnt/safe/moc.pem --wrap-to /mnt/public/target.moc.pem --wrapping-key-name wrap-2026
exits 0 'and keys for a cluster'
is 'which opens them' "$KEY wrap-2026" "$(unwrapped "$FILES"/wrapped-out-of-file/protection-keys/*/AES/*.json)"
like 'with a runbook that asks for no repository' '^sealift restore .* --archive FILE.tar --signer SIGNER.pub.pem ' \
  "$(cat "$FILES/wrapped-out-of-file/RUNBOOK.md")"
SETTINGS_B=("${with_repository[@]}")

# --- the second export: what changed is stored, and the parent of a differencing disk is known ---
qemu-io -f vhdx -c 'write -q -P 0x42 8M 1M' "$DISKS/os disk.vhdx"
make child "$DISKS/base.vhdx" "$DISKS/data.avhdx" --seed 2
mv "$DISKS/base.vhdx" "$WORK/base.vhdx"
backup --json
exits 0 'a differential set is taken'
second=$(json 'd["id"]')
is 'as an increment' 'incremental changed' "$(json 'd["kind"] + " " + d["read"]')"
at_most 'stored follows what changed' $((4 * 1024 * 1024)) "$(json 'd["stored_bytes"]')"
sealift B restore "$second" --identity /mnt/safe/one.pem --to-directory /mnt/files/second
exits 0 'and comes back'
mv "$WORK/base.vhdx" "$DISKS/base.vhdx"
same 'with the parent' "$FILES/second" "$VM"
backup --every-byte --json
exits 0 'every byte can be kept'
sealift B restore "$(json 'd["id"]')" --identity /mnt/safe/one.pem --to-directory /mnt/files/every
exits 0 'and comes back'
ok 'bit for bit' diff -r -x '*.json' "$VM" "$FILES/every"

# --- complete or refused ---
stored=$(find "$REPOSITORY" -type f | wc -l)
# refused WHAT REGEX [OPTION...]: of a copy in exports/odd, with the keys that the options name.
refused() {
  local what=$1 words=$2
  shift 2
  sealift A backup --hyperv-export /mnt/exports/odd "$@"
  exits 5 "refused: $what"
  says "$what: with the reason" "$words"
}
copy() {
  rm -rf "$EXPORTS/odd"
  mkdir "$EXPORTS/odd"
  cp -r "$VM/." "$EXPORTS/odd/"
}
with_key=(--protection-key /mnt/exports/keys)
state="$EXPORTS/odd/Virtual Machines/${ID^^}"
copy
refused 'no key' 'this VM can never start again from this backup'
make key $KEY "$BED/outside/public/stranger.pub.pem" "$EXPORTS/other/${ID}_256.json"
refused 'a key wrapped to a stranger' 'wrapped to a key that is no recipient' --protection-key "/mnt/exports/other/${ID}_256.json"
make key $KEY "$BED/outside/public/moc.pub.pem" "$EXPORTS/other/${OTHER}_256.json"
refused 'the key of another VM' 'named after another VM' --protection-key "/mnt/exports/other/${OTHER}_256.json"
sed 's/CKM_RSA_AES_KEY_WRAP/NO_KEY_WRAP/' "$KEYS/AES/${ID}_256.json" > "$EXPORTS/other/${ID}_256.json"
refused 'a key in plain text' 'plain' --protection-key "/mnt/exports/other/${ID}_256.json"
make key 0011 "$BED/outside/public/moc.pub.pem" "$EXPORTS/other/${ID}_256.json"
refused 'a key of another size' 'no wrapped key of 256 bits' --protection-key "/mnt/exports/other/${ID}_256.json"
rm "$state.VMRS"
refused 'no runtime state' 'its runtime state is not here' "${with_key[@]}"
copy
rm "$state.vmgs"
refused 'no guest state' 'its guest state is not here' "${with_key[@]}"
copy
rm "$EXPORTS/odd/Virtual Hard Disks/os disk.vhdx"
refused 'no disk' 'a disk is not here: OS disk.vhdx' "${with_key[@]}"
copy
mv "$state.vmcx" "$EXPORTS/odd/Virtual Machines/${OTHER^^}.vmcx"
refused 'a renamed configuration' 'its name is not the id of its VM' "${with_key[@]}"
copy
make vm "$EXPORTS/odd" --id $ID --name payroll --disk 'os disk.vhdx' --merge-pending
refused 'a merge that is pending' 'waits to be merged' "${with_key[@]}"
make vm "$EXPORTS/odd" --id $ID --name payroll --disk 'os disk.vhdx' --state plain
refused 'another BIOS GUID' 'another BIOS GUID' "${with_key[@]}"
copy
printf x | dd of="$state.vmgs" bs=1 seek=530 conv=notrunc status=none
refused 'a torn guest state' 'copied while it was written' "${with_key[@]}"
copy
printf '\377' | dd of="$state.vmcx" bs=1 seek=16400 conv=notrunc status=none
refused 'a damaged configuration' 'an entry of the file is damaged' "${with_key[@]}"
rm -rf "$EXPORTS/odd"
mkdir -p "$EXPORTS/odd/Virtual Hard Disks"
make vm "$EXPORTS/odd" --id $OTHER --name stray --disk data.avhdx --state empty
cp "$DISKS/data.avhdx" "$EXPORTS/odd/Virtual Hard Disks/"
refused 'a parent that nobody has' 'the parent of a differencing disk is not in the export' "${with_key[@]}"
is 'nothing was stored by any of them' "$stored" "$(find "$REPOSITORY" -type f | wc -l)"
sealift A backup --hyperv-export /mnt/exports/payroll --all
exits 2 'an export is no VM of this host'

# --- several VMs, and files that change ---
mkdir "$EXPORTS/odd/whole"
make vm "$EXPORTS/odd/whole" --id $ID --name whole --state empty
sealift A backup --hyperv-export /mnt/exports/odd --json
exits 4 'of two VMs the whole one is stored'
is 'and the other named' 'whole:complete stray:failed' \
  "$(printf '%s\n' "$OUT" | python3 -c 'import json, sys
print(" ".join(sorted((d["vm"] + ":" + d["verdict"] for d in map(json.loads, sys.stdin)), reverse=True)))')"
in_cluster A env "${SETTINGS_A[@]}" "$SEALIFT" backup --hyperv-export /mnt/exports/payroll --read-limit 4 \
  "${with_key[@]}" > "$WORK/out" 2> "$WORK/err" &
PID=$!
sleep 1.5
touch "$DISKS/base.vhdx"
ended
exits 11 'a file that changes while it is read ends the backup'
says 'and is named' 'base.vhdx'
sealift A list "$ID" --json
is 'and no snapshot is there' 4 "$(json 'len(d)')"

# --- the inbox of a script ---
INBOX=$EXPORTS/inbox
mkdir -p "$INBOX/one" "$INBOX/two"
make vm "$INBOX/one" --id $ID --name payroll
make key $KEY "$BED/outside/public/moc.pub.pem" "$INBOX/one/Keys/1/AES/${ID}_256.json"
make vm "$INBOX/two" --id $OTHER --name half
touch "$INBOX/two/sealift-export.unfinished"
inbox() { sealift A backup --hyperv-export /mnt/exports/inbox "$@"; }
make finish "$INBOX/one" --cluster hq --vm "$ID:payroll:yes" --vm "$OTHER:half:no"
inbox --json
exits 4 'an export of the inbox is taken, and a VM without a key is an alarm'
says 'that names it' "half \\($OTHER\\) is a Trusted Launch VM without a key"
says 'an export without its last file is left alone' 'inbox/two is left alone'
is 'the cluster is the one that exported' hq "$(json 'd["cluster"]')"
says 'a folder for all eyes is named' 'can be looked into by every user'
is 'what is stored is written down' "$(json 'd["id"]') $(sha256sum < "$INBOX/one/sealift-export.json" | cut -d' ' -f1)" \
  "$(python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(d["repositories"][0]["snapshots"][0]["snapshot"], d["export_sha256"])' \
    "$INBOX/one/sealift-stored.json")"
inbox
exits 4 'a second run has nothing to do, and the alarm is there again'
says 'and says so' 'no export is new'
rm "$INBOX/two/sealift-export.unfinished"
cp -r "$INBOX/one/Keys" "$INBOX/two/"
make key $KEY "$BED/outside/public/moc.pub.pem" "$INBOX/two/Keys/1/AES/${OTHER}_256.json"
make finish "$INBOX/two" --cluster hq --vm "$ID:payroll:yes" --vm "$OTHER:half:yes"
printf x | dd of="$INBOX/two/Virtual Machines/${OTHER^^}.vmgs" bs=1 seek=30000 conv=notrunc status=none
inbox
exits 5 'a file that is not what the export says'
says 'is named' 'its SHA-256 is another'
ok 'and nothing is written back' test ! -e "$INBOX/two/sealift-stored.json"

# --- keys kept apart ---
sealift A keyvault escrow /mnt/exports/inbox --json
exits 0 'every key of the inbox is kept'
is 'as new ones' 'new known new' "$(json '" ".join(k["state"] for k in d["keys"])')"
sealift A keyvault escrow /mnt/exports/keys
exits 4 'a wrapping key is not'
like 'and the reason is said' 'refused  wrappingKey +a wrapping key that was left' "$OUT"
make finish "$INBOX/two" --cluster hq --vm "2d3c2a64-9c1b-4e61-8d0a-5b1e7c0d9a44:new:yes"
sealift A keyvault escrow /mnt/exports/inbox
exits 4 'a VM without a key'
says 'is named' 'new \(2d3c2a64-.*no key of it is kept'

finish
