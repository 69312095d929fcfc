#!/usr/bin/env bash
# What can be wrong, one thing at a time: the exit status, and the message word for word (what, where, next). Nothing is
# left behind by any of it.
# shellcheck disable=SC2016  # The messages have backquotes.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

printf 'correct horse\n' > "$WORK/passphrase"
printf 'battery staple\n' > "$WORK/wrong-passphrase"
given_keys stranger
sealift desk keyvault new-recovery-key --out locked.pem --passphrase-file "$WORK/passphrase"
done_or_stop
mkdir -p "$BED/outside/public"
cp "$BED/outside/safe/locked.pub.pem" "$BED/outside/public/"
given_repository one
sealift A repo show --json
is 'repo show knows one recipient' 1 "$(json 'len(d["recipients"])')"

bed_guest A plain --idle --fill 8 --vtpm plain
bed_guest A none --idle --fill 1 --vtpm none
bed_guest A main --idle --fill 8
bed_guest A private --idle --fill 1 --private
bed_guest A swapped --idle --fill 1
for tag in plain none main private swapped; do bed_start A $tag; done

# --- backing up ---
touch "$WORK/clean-since"
sealift A backup tl-none
exits 0 'a VM without a vTPM is backed up'
sealift A show tl-none@latest
like 'and show says that it has none' 'no vTPM' "$OUT"

sealift A backup tl-plain
exits 0 'a VM whose vTPM is not encrypted is backed up'
says 'with a warning' '^warning: .*not encrypted'
sealift A show tl-plain@latest
like 'and show says so' 'not encrypted' "$OUT"

sealift A backup tl-main
exits 0 'the VM the rest is about is backed up'

sealift A backup tl-private
exits 0 "a private secret is read from libvirt's own store, by root"
in_cluster A mv "/etc/libvirt/secrets/$(bed_secret_uuid private).base64" /etc/libvirt/secrets/aside
sealift A backup tl-private
exits 5 'a private secret that cannot be read from there'
error_is "the value of the VM's vtpm secret cannot be read: it is private" \
  "vm tl-private, secret $(bed_secret_uuid private)" \
  'run as root on the host of the VM, or give the value in a file with --vtpm-secret-file VM=FILE'
says 'names the way out' '--vtpm-secret-file'
a_is_clean private 'after the refusal'
mkdir "$BED/outside/handed"
cp "$(bed_secret_value private)" "$BED/outside/handed/value"
bed_mount A "$BED/outside/handed" /mnt/handed ro
sealift A backup tl-private --vtpm-secret-file tl-private=/mnt/handed/value
exits 0 'which works'
ln -s value "$BED/outside/handed/link"
sealift A backup tl-private --vtpm-secret-file tl-private=/mnt/handed/link
exits 0 'through a symlink too'
: > "$BED/outside/handed/empty"
sealift A backup tl-private --vtpm-secret-file tl-private=/mnt/handed/empty
exits 5 'a file without a key'
says 'is named' '^  where: vm tl-private, file /mnt/handed/empty$'
vsh A secret-undefine "$(bed_secret_uuid private)" > /dev/null
sealift A backup tl-private
exits 10 'a secret that libvirt has no more'
sealift A backup tl-private --vtpm-secret-file tl-private=/mnt/handed/value
exits 0 'and whose value is at hand'
bed_secret A private "$(bed_secret_value private)" yes

printf 'another value' > "$WORK/another"
bed_secret A swapped "$WORK/another"
sealift A backup tl-swapped
exits 5 'a protection key that does not open the vTPM'
error_is 'the protection key does not open the vTPM state just copied' \
  "vm tl-swapped, secret $(bed_secret_uuid swapped), file /var/lib/libvirt/swtpm/$(bed_uuid swapped)/tpm2/tpm2-00.permall" \
  'find the value of this secret with which the VM was last started, and name it with --vtpm-secret-file VM=FILE'
a_is_clean swapped 'after the refusal'

sealift A backup nowhere-vm
exits 10 'a VM that does not exist'
error_is 'this host has no such VM' 'vm nowhere-vm' 'list the VMs of this host with `virsh list --all`'
sealift A backup tl-main nowhere-vm
exits 4 'one VM of two that does not exist'
error_is 'this host has no such VM' 'vm nowhere-vm' 'list the VMs of this host with `virsh list --all`'

for folder in /no/such mnt/rel; do
  sealift A backup tl-main --scratch-dir "$folder"
  exits 10 'a scratch folder that is not there'
  error_is 'the folder is not there' "option --scratch-dir $folder" \
    'name a folder that QEMU'"'"'s user may write into, or leave the option out'
done
in_cluster A mkdir -m 755 /mnt/closed
sealift A backup tl-main --scratch-dir /mnt/closed
if [ "$STATUS" != 0 ]; then  # QEMU may run as root here.
  exits 16 "a scratch folder that QEMU's user may not write into"
  says 'names the folder' 'next: .*may QEMU.s user write into the folder of --scratch-dir\? `namei -l /mnt/closed` shows it'
fi
sealift A backup tl-main --scratch-dir /etc/hostname
exits 5 'a scratch folder that is none'
a_is_clean main 'after the refusals'

in_cluster A mkdir -p /mnt/not-mounted
sealift A backup tl-main --repo /mnt/not-mounted
exits 10 'a repository that is not mounted'
error_is 'there is no repository' 'repository /mnt/not-mounted' 'is it mounted? mount it, then run the command again' \
  'a new repository is made with `sealift repo init --repo /mnt/not-mounted --recipient KEY.pub.pem`'
is 'and none is made there' '' "$(in_cluster A ls -A /mnt/not-mounted)"

install -m 755 "$SEALIFT" "$BED/A/sealift"  # where everyone may run it
STATUS=0
COMMAND='sealift backup tl-main, as nobody'
in_cluster A setpriv --reuid nobody --regid nogroup --clear-groups env "${SETTINGS_A[@]}" "$BED/A/sealift" backup tl-main \
  > "$WORK/out" 2> "$WORK/err" || STATUS=$?
OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
printf '%s\n' "$COMMAND" "$ERR" "-> $STATUS" >> "$WORK/transcript"
exits 15 'an unprivileged user'
error_is 'this user may not read the key vault' 'folder /etc/sealift/keyvault' 'run as root, or as the user who owns it'

bed_libvirtd_stop A
sealift A backup tl-main
exits 16 'a libvirtd that is dead'
error_is 'cannot connect to libvirt' 'uri qemu:///system' 'check that libvirtd runs: systemctl status libvirtd'
bed_libvirtd_start A
is 'the guest does not notice' running "$(vsh A domstate "$(bed_uuid main)")"

# The disk is full while it writes.
bed_tmpfs A /mnt/small 6m
SETTINGS_A=(SEALIFT_REPO=/mnt/small)
sealift A repo init --recipient /mnt/public/one.pub.pem
done_or_stop
files=$(in_cluster A find /mnt/small -type f | sort)
touch "$WORK/clean-since"
sealift A backup tl-main
exits 15 'a disk that is full while writing'
like 'its message: what' '^error: cannot write a file$' "$ERR"
like 'its message: where' '^  where: vm tl-main, .*file /mnt/small/archives/' "$ERR"
like 'its message: cause' '^  cause: No space left on device$' "$ERR"
like 'its message: next' \
  '^  next:  look at the cause \(is it full, .*\), then run the command again; nothing visible was left$' "$ERR"
unlike 'which is said once' 'archives/.*archives/' "$ERR"
is 'nothing is visible in the repository that was not there' "$files" "$(in_cluster A find /mnt/small -type f | sort)"
is 'and no empty folder of an archive' '' "$(in_cluster A find /mnt/small/archives -mindepth 2 -type d -empty)"
sealift A list --json
is 'and the catalog knows of no snapshot' 0 "$(json 'len(d)')"
SETTINGS_A=(SEALIFT_REPO=/mnt/backup)
a_is_clean main 'after the full disk'

# --- bringing back ---
restore=(restore tl-main --connect qemu:///system --identity)
given_on_b stranger
sealift B "${restore[@]}" /mnt/recovery.pem
exits 12 'a recovery key that is none of the recipients'
like 'its message: what' '^error: this recovery key opens no envelope' "$ERR"
like 'its message: where' '^  where: recovery key [0-9a-f]{64}' "$ERR"
like 'its message: next' '^  next:  use the recovery key [0-9a-f]{64}' "$ERR"
on_b_nothing_but_a_catalog 'nothing was restored'

given_on_b one
sealift B "${restore[@]}" /mnt/no-such.pem
exits 10 'a recovery key that is not there'
error_is 'the file is not there' 'file /mnt/no-such.pem' "name the recovery key's file with --identity"
sealift B restore nowhere-vm --identity /mnt/recovery.pem
exits 10 'a VM that the repository does not hold'
error_is 'the repository holds no such VM, and no snapshot of that id' 'repository /mnt/backup, snapshot nowhere-vm' \
  'list what it holds with `sealift list`'
SETTINGS_B=(SEALIFT_REPO=/mnt/backup)
sealift B "${restore[@]}" /mnt/recovery.pem
exits 3 'no repository id, no pin, no terminal'
like 'its message: what' '^error: nothing on this host says that this repository is the right one$' "$ERR"
like 'its message: where' "^  where: repository /mnt/backup, found $REPOSITORY_ID" "$ERR"
like 'its message: next' "^  next:  compare the id found with the printed sheet .*--repo-id $REPOSITORY_ID" "$ERR"
SETTINGS_B=(SEALIFT_REPO=/mnt/backup "SEALIFT_REPO_ID=$(printf '0%.0s' {1..64})")
sealift B "${restore[@]}" /mnt/recovery.pem
exits 3 'another repository than expected'
like 'its message: what' '^error: this is another repository than the one expected$' "$ERR"
like 'its message: where' "^  where: repository /mnt/backup, expected 0{64}, found $REPOSITORY_ID" "$ERR"
like 'its message: next' '^  next:  compare both ids with the printed sheet' "$ERR"
SETTINGS_B=("SEALIFT_REPO_ID=$REPOSITORY_ID" SEALIFT_REPO=/mnt/nothing)
sealift B "${restore[@]}" /mnt/recovery.pem
exits 10 'a repository that is not mounted, when restoring'
error_is 'there is no repository' 'repository /mnt/nothing' 'is it mounted? mount it, then run the command again'
on_b_nothing_but_a_catalog 'nothing was restored by any of it'

# A recovery key with a passphrase, in a repository of its own.
mkdir "$BED/outside/second"
bed_mount A "$BED/outside/second" /mnt/second rw
SETTINGS_A=(SEALIFT_REPO=/mnt/second)
sealift A repo init --recipient /mnt/public/locked.pub.pem
done_or_stop
sealift A backup tl-main
exits 0 'a second repository of the same host takes a backup'
sealift A repo show --json
second_id=$(json 'd["id"]')
given_on_b locked "$BED/outside/second"
SETTINGS_B=(SEALIFT_REPO=/mnt/backup "SEALIFT_REPO_ID=$second_id")
sealift B "${restore[@]}" /mnt/recovery.pem
exits 12 'a recovery key whose passphrase nobody gives'
error_is 'the key has a passphrase and nobody is here to type it' 'file /mnt/recovery.pem' \
  'put it in the first line of a file and name that with --passphrase-file'
bed_mount B "$WORK/wrong-passphrase" /mnt/passphrase ro
sealift B "${restore[@]}" /mnt/recovery.pem --passphrase-file /mnt/passphrase
exits 12 'a wrong passphrase'
error_is 'the passphrase does not open the private key' 'file /mnt/recovery.pem' \
  'check the passphrase; of a file, the first line counts'
bed_unmount B /mnt/passphrase
bed_mount B "$WORK/passphrase" /mnt/passphrase ro
sealift B "${restore[@]}" /mnt/recovery.pem --passphrase-file /mnt/passphrase --dry-run
exits 0 'the right one'
on_b_nothing_but_a_catalog 'nothing was restored by any of these'

# --- collisions on B ---
given_on_b one
other() {  # other SED...: defines on B, under its own identity, a VM that shares with tl-main what the edits leave
  sed -e "s|<tpm.*</tpm>||" "$@" "$(bed_guest_xml main)" > "$WORK/other.xml"
  bed_define B "$WORK/other.xml"
}
own=(-e 's|<name>.*</name>|<name>other</name>|' -e "s|<uuid>.*</uuid>|<uuid>$(bed_uuid_from other)</uuid>|"
     -e "s|<mac [^>]*>|<mac address='52:54:00:01:02:03'/>|" -e 's|/main|/other|g')
collides() {  # collides WHAT NEXT: refused, with NEXT as the way out
  local before
  find "$BED/B/sealift-lib" -mindepth 1 -delete
  before=$(bed_leftovers B | sort)
  sealift B "${restore[@]}" /mnt/recovery.pem
  exits 5 "$1"
  error_is 'the plan has blockers, and nothing was touched' 'vm tl-main' "$2"
  is "$1: B is as it was" "$before" "$(bed_leftovers B | grep -v "^$BED/B/sealift-lib/catalog-" | sort)"
  bed_wipe B
}
other "${own[@]:2}" -e "s|<uuid>.*</uuid>|<uuid>$(bed_uuid_from other)</uuid>|"
collides 'a VM of that name is there' "name: this host has a VM named \"tl-main\", of UUID $(bed_uuid_from other); \
give that VM another name with virsh domrename, or restore on another host"
other "${own[@]}" -e "s|<uuid>.*</uuid>|<uuid>$(bed_uuid main)</uuid>|"
collides 'a VM with that UUID is there' "uuid: this host has a VM of UUID $(bed_uuid main): other; if that is the VM itself \
there is nothing to restore; else put it aside with its NVRAM and vTPM state and undefine it"
other "${own[@]}" -e "s|<mac [^>]*>|<mac address='$(bed_mac main)'/>|"
collides 'a VM with that MAC address is there' \
  "mac $(bed_mac main): the VM \"other\" of this host has it; change it there with virsh edit, or restore on another host"
echo precious > "$BED/B/lib/images/main-data.qcow2"
collides 'a file is where a disk would go' \
  'disk vdb: /var/lib/libvirt/images/main-data.qcow2 is there already; move it away, or choose another folder with --storage-dir'
bed_secret B main "$WORK/another"
collides 'a secret with another value is there' "secret $(bed_secret_uuid main): this host has a secret of this UUID or of usage \
\"vtpm-main\" with another value; find out which VM uses it (virsh secret-dumpxml); restore on another host if one does"

bed_secret B main "$(bed_secret_value main)"
sealift B "${restore[@]}" /mnt/recovery.pem
exits 0 'a secret with the same value is used'
is 'and is still that' "$(sha256sum < "$(bed_secret_value main)")" \
  "$(vsh B secret-get-value "$(bed_secret_uuid main)" --plain | sha256sum)"
bed_wipe B

sealift B restore tl-none --identity /mnt/recovery.pem --start
exits 0 'the VM without a vTPM is restored'
sealift B restore tl-plain --identity /mnt/recovery.pem --start
exits 0 'the VM with the unencrypted vTPM is restored'
bed_wipe B

bed_libvirtd_stop B
sealift B "${restore[@]}" /mnt/recovery.pem
exits 16 'a libvirtd that is dead, when restoring'
error_is 'cannot connect to libvirt' 'uri qemu:///system' 'check that libvirtd runs: systemctl status libvirtd'
bed_libvirtd_start B
on_b_nothing_but_a_catalog 'nothing was restored'
finish
