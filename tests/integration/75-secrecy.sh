#!/usr/bin/env bash
# No key and no guest byte is anywhere but where it belongs: not in the repository, catalog, key vault, logs, arguments,
# environment, temporary files, any traced write, nor in a core. No nonce is used twice. And a stolen key vault with the
# whole repository opens no data and guesses none of what makes a VM itself.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"
# Debian's: the modules are its packages.
evidence() { /usr/bin/python3 "$HERE/evidence/$1.py" "${@:2}"; }
markers() { evidence markers "$@"; }

given_repository one
safe=$BED/outside/safe
vault=$BED/A/sealift-etc/keyvault
state() { echo "$BED/A/lib/swtpm/$(bed_uuid "$1")/tpm2/tpm2-00.permall"; }

# --- what to look for ---
bed_guest A kept --idle --data raw --fill 2
bed_guest A bare --idle --data raw --fill 4 --vtpm plain
for tag in kept bare; do
  described=$(head -c 24 /dev/urandom | xxd -p)
  sed -i "s|</uuid>|</uuid><description>$described</description>|" "$(bed_guest_xml "$tag")"
  bed_define A "$(bed_guest_xml "$tag")"
  printf '%s' "$described" > "$WORK/described-$tag"
  # The end of the file is of the spare area, which OVMF does not touch until the store is full.
  head -c 64 /dev/urandom > "$WORK/variables-$tag"
  nvram=$BED/A/lib/qemu/nvram/${tag}_VARS.fd
  dd if="$WORK/variables-$tag" of="$nvram" bs=64 seek=$(($(stat -c %s "$nvram") / 64 - 1)) conv=notrunc status=none
  bed_start A "$tag"
done
rm "$BED/A/domain.xml"
sleep 3 # Until the firmware has written what it writes to a new vTPM.
for tag in kept bare; do
  markers value "config-$tag" "$WORK/described-$tag"
  markers windows "disk-$tag" "$BED/A/lib/images/$tag-data.img"
  markers windows "firmware-vars-$tag" "$WORK/variables-$tag"
  markers windows "vtpm-state-$tag" "$(state "$tag")"
done > "$WORK/markers"
{
  markers value protection-key "$(bed_secret_value kept)"
  markers value repository-key "$vault/repositories/$REPOSITORY_ID/repository-key"
  openssl pkey -in "$vault/signing-key.pem" -outform DER | tail -c 32 > "$WORK/seed"
  markers value signing-key "$WORK/seed"
  grep -v -e '---' "$vault/signing-key.pem" | base64 -d | tail -c 32 | cmp - "$WORK/seed"
  rm "$WORK/seed"
  markers recovery-key recovery-key "$safe/one.pem"
} >> "$WORK/markers"
rm "$WORK"/described-* "$WORK"/variables-*

# --- every write of a backup ---
# With %file come the arguments and the environment of every program that is started, and every file's name.
calls=%file,connect,prctl,add_key,memfd_create,mmap,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg
calls+=,sendfile,copy_file_range,splice,tee,vmsplice,io_uring_setup,process_vm_writev,getrandom
tracing() { WITH=(strace -ff -ttt -yy -xx -v -s 16777216 -e signal=none -e "trace=$calls" -o "$WORK/$1" "${@:2}"); }
tracing backup
sealift A backup --all
WITH=()
exits 0 'both VMs are backed up, traced'
markers archive-keys "$REPOSITORY" "$safe/one.pem" >> "$WORK/markers"
# gives PREFIX: what traced calls give away, with random names made one.
gives() {
  evidence traced_writes "$WORK/markers" "$WORK/$1" |
    sed -E -e 's|sealift-disk-[^/]*|sealift-disk-X|' -e 's|swtpm/[^/]*|swtpm/UUID|' -e 's/\t/ /g'
}
# getrandom draws it; qemu-img sets a ring up and uses it for nothing here; the catalog's index is searched as a file.
is 'no call of the backup gives a key or a guest byte away' 'content-key getrandom sealift
unseen io_uring_setup qemu-img
unseen mmap /var/lib/sealift/catalog-N.db-shm' "$(gives backup)"
in_cluster A strace -ff -ttt -yy -xx -v -s 16777216 -e "trace=$calls" -o "$WORK/control" \
  dd if=/var/lib/libvirt/images/kept-data.img of=/var/lib/libvirt/copy bs=1M count=2 status=none
is 'a program that does is found out' 'disk-kept write /var/lib/libvirt/copy' "$(gives control)"
rm "$BED/A/lib/copy" "$WORK"/control.*

# --- every file after it ---
where() {
  markers files "$WORK/markers" "$@" | sed -e "s|$BED/||" -e "s|$REPOSITORY_ID|ID|" \
    -e "s/$(bed_uuid kept)/UUID/" -e "s/$(bed_uuid bare)/UUID/" -e "s/$(bed_secret_uuid kept)/UUID/" -e 's/\t/ /' \
    -e 's|\(qemu/checkpoint/[^/]*\)/sealift-[0-9a-f-]*|\1/sealift-ID|'
}
is 'keys and guest bytes lie where the host itself keeps them, and nowhere else' "config-bare A/etc/qemu/tl-bare.xml
config-bare A/lib/qemu/checkpoint/tl-bare/sealift-ID.xml
config-bare A/run/qemu/tl-bare.xml
config-kept A/etc/qemu/tl-kept.xml
config-kept A/lib/qemu/checkpoint/tl-kept/sealift-ID.xml
config-kept A/run/qemu/tl-kept.xml
disk-bare A/lib/images/bare-data.img
disk-kept A/lib/images/kept-data.img
firmware-vars-bare A/lib/qemu/nvram/bare_VARS.fd
firmware-vars-kept A/lib/qemu/nvram/kept_VARS.fd
protection-key A/etc/secrets/UUID.base64
repository-key A/sealift-etc/keyvault/repositories/ID/repository-key
vtpm-state-bare A/lib/swtpm/UUID/tpm2/tpm2-00.permall
vtpm-state-kept A/lib/swtpm/UUID/tpm2/tpm2-00.permall" "$(where "$BED/A" "$REPOSITORY")"
mapfile -t new < <(find /tmp /var/tmp /run /dev/shm -xdev -type f -newer "$WORK/markers" -size -100M ! -path "$BED/*")
is 'no temporary file has any of it' '' "$(if [ ${#new[@]} -gt 0 ]; then where "${new[@]}"; fi)"

# --- a stolen key vault, and the repository ---
# The right plaintext of everything, as a restore gives it.
bed_mount A "$safe/one.pem" /mnt/recovery.pem ro
in_cluster A mkdir -p /mnt/plain
sealift A restore tl-kept --identity /mnt/recovery.pem --to-directory /mnt/plain/files
exits 0 'the files of a snapshot'
bed_unmount A /mnt/recovery.pem
in_cluster A tar -C /mnt/plain/files -c . | tar -C "$WORK" --one-top-level=plain -x
in_cluster A rm -r /mnt/plain
steals() {
  evidence thief "$vault" "$REPOSITORY" "$WORK/markers" "disk=$WORK/plain/vdb.raw" "config=$WORK/plain/domain.xml" \
    "firmware-vars=$WORK/plain/kept_VARS.fd" "guest-state=$WORK/plain/tpm2-00.permall" "$@" | sed '/^keys/d'
}
steals > "$WORK/stolen"
steals --identity "$safe/one.pem" > "$WORK/with-recovery-key"
# KINDS of frames of which all open.
opened() { sed -nE 's/^opens ([a-z]*) ([1-9][0-9]*) of \2$/\1/p' "$1" | paste -sd ' '; }
is 'with a recovery key every frame opens' 'data page index manifest' "$(opened "$WORK/with-recovery-key")"
is 'with a stolen key vault those that say where data lies' 'page index manifest' "$(opened "$WORK/stolen")"
like 'but no data' '^opens data 0 of ' "$(cat "$WORK/stolen")"
unlike 'nor is any of it in what opens' '^reads' "$(cat "$WORK/stolen")"
is 'with a recovery key all that is known already is found again' \
  $'guesses disk 8\nguesses config 1\nguesses firmware-vars 3\nguesses guest-state 1' \
  "$(grep '^guesses' "$WORK/with-recovery-key")"
is 'with a stolen key vault disk blocks alone' \
  $'guesses disk 8\nguesses config 0\nguesses firmware-vars 0\nguesses guest-state 0' "$(grep '^guesses' "$WORK/stolen")"
rm -r "$WORK/plain"

# --- memory ---
# begin TAG PROGRAM: a slow backup in the background; sets PID, the program itself, and CHILD, one that it started.
begin() {
  nsenter --mount --target "$(bed_holder A)" -- env "${SETTINGS_A[@]}" \
    "$SEALIFT" backup "tl-$1" --full --read-limit 1 > "$WORK/out" 2> "$WORK/err" < /dev/null &
  PID=$!
  local i
  for ((i = 0; i < 300; i++)); do
    CHILD=$(pgrep -P "$PID" -f "$2" | head -n 1 || :)
    if [ -n "$CHILD" ]; then break; fi
    sleep 0.1
  done
  sleep 0.5
}
kinds_in() { where "$1" | cut -d' ' -f1 | paste -sd ' '; }
begin kept capture-guard
for process in program guard; do
  if [ $process = program ]; then pid=$PID; else pid=$CHILD; fi
  for how in core all; do markers memory "$pid" "$how" "$WORK/$process-$how" & done
done
ok 'the slow backup ends well' wait "$PID"
wait
markers archive-keys "$REPOSITORY" "$safe/one.pem" >> "$WORK/markers"
is 'reading: a core would have guest bytes and the schedule of running ciphers (threat-model.md), and no other key' \
  'archive-key config-kept disk-kept firmware-vars-kept vtpm-state-kept' "$(kinds_in "$WORK/program-core")"
like 'reading: keys are in the memory that it leaves out' 'signing-key' "$(kinds_in "$WORK/program-all")"
is 'reading: the guard knows nothing' '' "$(kinds_in "$WORK/guard-all")"
rm "$WORK"/{program,guard}-*

# --- cores ---
ulimit -c unlimited
pattern=$(cat /proc/sys/kernel/core_pattern)
trap 'echo "$pattern" > /proc/sys/kernel/core_pattern' EXIT
cores=$WORK/cores
mkdir "$cores"
# The kernel asks a pipe whatever RLIMIT_CORE says. strace repeats the end of what it traced.
cat > "$WORK/keep-core" <<SCRIPT
#!/bin/sh
if [ "\$1" = strace ]; then exec cat > /dev/null; fi
exec cat > "$cores/\$1"
SCRIPT
chmod +x "$WORK/keep-core"
leaves_a_core() {
  in_cluster A bash -c 'sleep 60 & kill -ABRT $!; wait' > /dev/null 2>&1 || :
  sleep 0.5
  [ -n "$(find "$cores" -type f -size +0 -print -delete)" ]
}
no_core() {
  sleep 0.5
  is "$1: no core" '' "$(find "$cores" -type f)"
  find "$cores" -type f -delete
}
# aborted WHERE WHAT ARGUMENTS... -- OPTIONS...: a run that gets SIGABRT at a system call that strace's options name.
aborted() {
  local where=$1 what=$2 arguments=()
  shift 2
  while [ "$1" != -- ]; do arguments+=("$1"); shift; done
  shift
  rm -f "$WORK"/aborted.*
  tracing aborted "$@"
  sealift "$where" "${arguments[@]}"
  WITH=()
  exits 134 "SIGABRT $what"
  no_core "$what"
}
echo "|$WORK/keep-core %e" > /proc/sys/kernel/core_pattern
ok 'another program leaves a core, to a pipe' leaves_a_core
aborted A committing backup tl-kept -- -e inject=linkat:signal=SIGABRT:when=1
ok 'no nonce is used twice in what was written before that either' evidence check_counters "$REPOSITORY" \
  --trace "$WORK/backup" "$WORK/aborted"
# Up to the vTPM state in the thread of the commands; the next random bytes are those of the wrapped protection key.
commands=$(grep -l -a 'execve(.*= 0$' "$WORK"/aborted.* | head -n 1)
before=$(sed -n "/$(printf tpm2-00.permall | xxd -p | sed 's/../\\\\x&/g')/q; /getrandom/p" "$commands" | wc -l)
aborted A 'while the guest is paused' backup tl-kept -- -e inject=openat:signal=SIGABRT:when=1 \
  -P "/var/lib/libvirt/swtpm/$(bed_uuid kept)/tpm2/tpm2-00.permall"
aborted A 'wrapping and proving the protection key' backup tl-kept -- -e inject=getrandom:signal=SIGABRT:when=$((before + 1))
for process in program guard; do
  begin kept capture-guard
  if [ $process = program ]; then kill -ABRT "$PID"; else kill -ABRT "$CHILD"; fi
  wait "$PID" 2> /dev/null || :
  no_core "the $process, while disks are read"
done

# What it starts inherits the limit, which files obey.
echo "$cores/%e" > /proc/sys/kernel/core_pattern
ok 'another program leaves a core, in a file' leaves_a_core
vsh A destroy "$(bed_uuid bare)" > /dev/null
begin bare qemu-nbd
kill -ABRT "$CHILD"
wait "$PID" 2> /dev/null || :
no_core 'qemu-nbd, which reads the disks of a VM that is off'

# --- on B ---
openssl pkcs8 -topk8 -scrypt -scrypt_N 16384 -scrypt_p 16 -in "$safe/one.pem" -out "$safe/locked.pem" \
  -passout "pass:$(head -c 20 /dev/urandom | xxd -p | tr -d '\n' | tee "$safe/passphrase")"
markers value passphrase "$safe/passphrase" >> "$WORK/markers"
given_on_b locked
bed_mount B "$safe/passphrase" /mnt/passphrase ro
SETTINGS_B+=(SEALIFT_PASSPHRASE_FILE=/mnt/passphrase)
tracing verify
sealift B verify --all --identity /mnt/recovery.pem
WITH=()
exits 0 'verify with a recovery key, traced'
is 'no call of it gives a key or a guest byte away' 'unseen mmap /var/lib/sealift/catalog-N.db-shm' "$(gives verify)"
tracing restore
sealift B restore tl-kept --identity /mnt/recovery.pem
WITH=()
exits 0 'restore, traced'
is 'a restore gives them to libvirt and the files of the VM' "config-kept write /var/run/libvirt/libvirt-sock
disk-kept pwrite64 /var/lib/libvirt/images/kept-data.qcow2
disk-kept sendto /tmp/sealift-disk-X/socket
firmware-vars-kept write /var/lib/libvirt/qemu/nvram/#N
protection-key write /var/run/libvirt/libvirt-sock
unseen io_uring_setup qemu-img
unseen io_uring_setup qemu-nbd
unseen mmap /var/lib/sealift/catalog-N.db-shm
vtpm-state-kept write /var/lib/libvirt/swtpm/UUID/tpm2/#N" "$(gives restore)"
is 'and there they are, and nowhere else' "config-kept B/etc/qemu/tl-kept.xml
disk-kept B/lib/images/kept-data.qcow2
firmware-vars-kept B/lib/qemu/nvram/tl-kept_VARS.fd
protection-key B/etc/secrets/UUID.base64
vtpm-state-kept B/lib/swtpm/UUID/tpm2/tpm2-00.permall" "$(where "$BED/B")"
bed_wipe B
echo "|$WORK/keep-core %e" > /proc/sys/kernel/core_pattern
aborted B 'restoring' restore tl-kept --identity /mnt/recovery.pem -- -P /var/lib/libvirt/qemu/nvram \
  -e inject=openat:signal=SIGABRT:when=1
finish
