# shellcheck shell=bash
# The test bed: two libvirt "clusters", A and B, on one machine, and the Trusted Launch guest they run.
# Sourced by scripts/demo and by tests/integration; needs root and the packages of scripts/setup.
#
# A cluster is a mount namespace of its own, in which libvirt's and Sealift's fixed paths (/etc/libvirt,
# /var/lib/libvirt, /etc/sealift, /var/lib/sealift, ...) are its own folders, and one libvirtd in it. Neither
# cluster sees the other's files, nor $BED/outside, where the world keeps what both may need (repository,
# recovery keys): bed_mount gives a cluster exactly what it may see. QEMU runs under TCG (/dev/kvm is hidden), as
# libvirt-qemu, and swtpm as tss, as on a stock node. AppArmor and cgroups are not covered.
#
#   SEALIFT_BED      where the bed's state lies (default: a new folder under /var/tmp); sets BED
#   SEALIFT_CACHE    where the built guest is kept (see make-guest)
#
# Functions (C is A or B; a guest's TAG is a short word that names its files, UUIDs and console):
#   bed_up                           both clusters up; sets BED. Call `trap bed_down EXIT` first
#   bed_down                         everything the bed started is ended (by mount namespace, never by name), its
#                                    state removed; BED_KEEP=1 leaves the state
#   bed_libvirtd_start C / _stop C / _alive C    one cluster's daemon; guests live on without it
#   in_cluster C COMMAND...          runs it in the cluster's view of the files, working folder /
#   bed_holder C                     a pid whose mount namespace is the cluster's
#   vsh C ARGUMENTS...               virsh there
#   bed_mount C SOURCE TARGET ro|rw  TARGET must lie under /mnt; SOURCE is a path outside
#   bed_tmpfs C TARGET SIZE          a small file system at TARGET, under /mnt
#   bed_mount_image C TARGET FILE    the file system in FILE at TARGET, under /mnt
#   bed_unmount C TARGET             bed_unmount_all C: everything under /mnt
#   bed_guest C TAG [OPTION...]      makes disks, NVRAM, secret, and defines the guest; options at the function
#   bed_guest_xml TAG                the XML it was defined from
#   bed_name TAG, bed_uuid TAG, bed_secret_uuid TAG, bed_mac TAG, bed_secret_value TAG (a file), bed_nvram TAG
#   bed_start C TAG [paused]         starts it; bed_boot C TAG [TIMEOUT] also waits for TL READY
#   bed_console C TAG                its serial console, a file out here; bed_mark C TAG: its size now
#   bed_wait_console C TAG REGEX [TIMEOUT] [FROM]    the first line after byte FROM that fits, or fails
#   bed_watch_pauses C TAG FILE      QEMU's own STOP and RESUME events into FILE from now on; sets BED_WATCH (a pid)
#   bed_pauses FILE                  the length of each pause in it, in milliseconds, one a line
#   bed_wipe C                       guests, disks, NVRAM, vTPM state, secrets, key vault, catalog: gone
#   bed_leftovers C                  what bed_wipe should have removed and is still there
#   bed_disk_sha C PATH              SHA-256 of the guest-visible content of an image of a guest that is off

BED_HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
BED_IMAGES=/var/lib/libvirt/images

# Nothing here may reach the repository or keys of whoever runs it.
unset SEALIFT_REPO SEALIFT_REPO_ID SEALIFT_KEYVAULT SEALIFT_CATALOG SEALIFT_CONNECT SEALIFT_PASSPHRASE_FILE
export LC_ALL=C.UTF-8

bed_fail() {
  echo "bed: $*" >&2
  return 1
}

# shellcheck source=tests/integration/bed/clusters.sh
. "$BED_HERE/clusters.sh"
# shellcheck source=tests/integration/bed/guests.sh
. "$BED_HERE/guests.sh"

bed_wipe() {
  local c=$1 uuid checkpoint
  for uuid in $(vsh "$c" list --all --uuid); do
    if [ "$(vsh "$c" domstate "$uuid")" != "shut off" ]; then vsh "$c" destroy "$uuid" > /dev/null; fi
    # A domain that was only running is gone with that.
    if ! vsh "$c" dominfo "$uuid" > /dev/null 2>&1; then continue; fi
    for checkpoint in $(vsh "$c" checkpoint-list "$uuid" --name); do
      vsh "$c" checkpoint-delete "$uuid" "$checkpoint" --metadata > /dev/null
    done
    vsh "$c" undefine "$uuid" --nvram --tpm --managed-save > /dev/null
  done
  for uuid in $(vsh "$c" secret-list | awk '{print $1}'); do vsh "$c" secret-undefine "$uuid" > /dev/null; done
  find "$BED/$c/lib/images" "$BED/$c/lib/qemu/nvram" "$BED/$c/lib/swtpm" "$BED/$c/sealift-etc" "$BED/$c/sealift-lib" \
    -mindepth 1 -delete
  find "$BED/$c/log" -maxdepth 1 -name '*.console' -delete
  # QEMU's logs would say that a guest of the next story, of the same UUID, has run.
  find "$BED/$c/log" -path '*/qemu/*.log' -delete
}

bed_leftovers() {
  local c=$1
  vsh "$c" list --all --uuid
  vsh "$c" secret-list
  find "$BED/$c/lib/images" "$BED/$c/lib/qemu/nvram" "$BED/$c/lib/swtpm" "$BED/$c/etc" \
    "$BED/$c/sealift-etc" "$BED/$c/sealift-lib" \
    -type f ! -path "$BED/$c/etc/libvirtd.conf" ! -path "$BED/$c/etc/qemu.conf"
}

bed_disk_sha() {
  in_cluster "$1" qemu-img convert -O raw "$2" "$BED/$1/content"
  sha256sum "$BED/$1/content" | cut -d' ' -f1
  rm "$BED/$1/content"
}
