# shellcheck shell=bash
# Part of the bed (lib.sh): the clusters, what each sees, and their end.

# The folders of a cluster, and where it sees them.
bed_binds() {
  cat <<'TABLE'
etc            /etc/libvirt
lib            /var/lib/libvirt
run            /run/libvirt
cache          /var/cache/libvirt
log            /var/log/libvirt
logswtpm       /var/log/swtpm
localca        /var/lib/swtpm-localca
sealift-etc    /etc/sealift
sealift-lib    /var/lib/sealift
TABLE
}

bed_make_cluster() {
  local c=$1 root=$BED/$1 folder target
  while read -r folder target; do
    mkdir -p "$root/$folder" "$target"
  done < <(bed_binds)
  mkdir -p "$root"/lib/{images,qemu/nvram,swtpm}
  chmod 755 "$root" "$root/run" "$root/logswtpm"
  chmod 711 "$root/lib" "$root/lib/images" "$root/lib/swtpm"
  chown -R libvirt-qemu:libvirt-qemu "$root/lib/qemu"
  chmod 750 "$root/lib/qemu"
  chown tss:root "$root/localca"
  chmod 750 "$root/localca"
  local digit=${c,,}
  cat > "$root/etc/libvirtd.conf" <<CONF
host_uuid = "$(printf '%s%.0s' "$digit"{1..8})-0000-4000-8000-00000000000$digit"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
CONF
  cat > "$root/etc/qemu.conf" <<'CONF'
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
CONF
  # The namespace lives as long as its first process.
  # shellcheck disable=SC2016
  setsid unshare --mount --propagation private bash -c '
    set -euo pipefail
    root=$1 bed=$2 other=$3
    while read -r folder target; do mount --bind "$root/$folder" "$target"; done
    mount -t tmpfs -o mode=755 bed /mnt
    for hidden in "$bed/$other" "$bed/outside"; do mount -t tmpfs -o ro,mode=000,size=4k hidden "$hidden"; done
    if [ -e /dev/kvm ]; then
      touch "$root/no-kvm"
      mount --bind "$root/no-kvm" /dev/kvm
      mount -o remount,bind,ro /dev/kvm
    fi
    echo $$ > "$root/holder.pid"
    exec sleep infinity' bash "$root" "$BED" "$(bed_other "$c")" < <(bed_binds) >"$root/holder.log" 2>&1 &
  disown $!
  local i
  for ((i = 0; i < 100; i++)); do
    if [ -s "$root/holder.pid" ]; then break; fi
    sleep 0.1
  done
  if [ ! -s "$root/holder.pid" ]; then
    cat "$root/holder.log" >&2
    bed_fail "cluster $c: no mount namespace"
    return 1
  fi
  readlink "/proc/$(cat "$root/holder.pid")/ns/mnt" > "$root/namespace"
}

bed_other() { if [ "$1" = A ]; then echo B; else echo A; fi; }

bed_holder() { cat "$BED/$1/holder.pid"; }

in_cluster() {
  local c=$1
  shift
  nsenter --mount --target "$(bed_holder "$c")" -- "$@"
}

vsh() {
  local c=$1
  shift
  in_cluster "$c" virsh -q -c qemu:///system "$@" < /dev/null
}

bed_libvirtd_launch() {
  local root=$BED/$1
  rm -f "$root/libvirtd.pid"
  in_cluster "$1" setsid libvirtd -p "$root/libvirtd.pid" -f /etc/libvirt/libvirtd.conf \
    >>"$root/libvirtd.out" 2>&1 < /dev/null &
  disown $!
}

bed_libvirtd_ready() {
  local i
  for ((i = 0; i < 600; i++)); do
    if vsh "$1" version > /dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  tail -n 5 "$BED/$1/libvirtd.out" "$BED/$1/log/libvirtd.log" >&2
  bed_fail "cluster $1: libvirtd does not answer"
}

bed_libvirtd_alive() { [ -s "$BED/$1/libvirtd.pid" ] && kill -0 "$(cat "$BED/$1/libvirtd.pid")" 2>/dev/null; }

bed_libvirtd_start() {
  bed_libvirtd_launch "$1"
  bed_libvirtd_ready "$1"
}

bed_libvirtd_stop() {
  local pid
  pid=$(cat "$BED/$1/libvirtd.pid")
  kill "$pid"
  bed_gone "$pid" 100 || { kill -KILL "$pid"; bed_gone "$pid" 50; }
}

# Waits for the end of a process that is not our child; COUNT tenths of a second.
bed_gone() {
  local i
  for ((i = 0; i < $2; i++)); do
    if ! kill -0 "$1" 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  return 1
}

bed_up() {
  if [ "$(id -u)" != 0 ]; then
    bed_fail "the bed needs root"
    return 1
  fi
  BED=${SEALIFT_BED:-$(mktemp -d /var/tmp/sealift-bed.XXXXXX)}
  mkdir -p "$BED"/{A,B} "$BED"/outside/{secret-values,xml}
  touch "$BED/is-a-sealift-bed"
  chmod 711 "$BED"
  if [ ${#BED} -gt 60 ]; then
    bed_fail "$BED: too long for the sockets in it (60 bytes at most)"
    return 1
  fi
  local c
  for c in A B; do bed_make_cluster "$c"; done
  for c in A B; do bed_libvirtd_launch "$c"; done
  BED_GUEST=$("$BED_HERE/make-guest")
  for c in A B; do bed_libvirtd_ready "$c"; done
  export BED BED_GUEST
}

# Every process of a cluster shares its mount namespace: libvirtd, QEMU, swtpm, and whatever a test ran there.
bed_processes() {
  local c=$1 namespace process
  if [ ! -s "$BED/$c/namespace" ]; then return 0; fi
  namespace=$(cat "$BED/$c/namespace")
  for process in /proc/[0-9]*; do
    if [ "$(readlink "$process/ns/mnt" 2>/dev/null)" = "$namespace" ]; then echo "${process#/proc/}"; fi
  done
}

bed_down() {
  local c pid round signal left=0
  if [ -z "${BED:-}" ] || [ ! -d "$BED" ]; then return 0; fi
  if [ ! -e "$BED/is-a-sealift-bed" ]; then
    bed_fail "$BED is not the folder of a bed"
    return 1
  fi
  for round in 1 2 3 4 5 6; do
    signal=TERM
    if [ "$round" -gt 2 ]; then signal=KILL; fi
    left=0
    for c in A B; do
      for pid in $(bed_processes "$c"); do
        left=1
        kill -"$signal" "$pid" 2>/dev/null
      done
    done
    if [ "$left" = 0 ]; then break; fi
    sleep 0.5
  done
  if [ "$left" = 1 ]; then bed_fail "processes of the bed in $BED do not end"; fi
  if [ "${BED_KEEP:-0}" != 1 ]; then rm -rf "$BED"; fi
  BED=
}

# A hidden folder is uncovered only while it is the source of a mount.
bed_mount() {
  local c=$1 source=$2 target=$3 mode=$4
  case $target in /mnt/*) ;; *) bed_fail "$target: not under /mnt"; return 1 ;; esac
  # shellcheck disable=SC2016
  in_cluster "$c" bash -c '
    set -euo pipefail
    bed=$1 source=$2 target=$3 mode=$4
    umount "$bed/outside"
    if [ -d "$source" ]; then mkdir -p "$target"; else mkdir -p "$(dirname "$target")"; touch "$target"; fi
    mount --bind "$source" "$target"
    if [ "$mode" = ro ]; then mount -o remount,bind,ro "$target"; fi
    mount -t tmpfs -o ro,mode=000,size=4k hidden "$bed/outside"' bash "$BED" "$source" "$target" "$mode"
  echo "$target" >> "$BED/$c/mounts"
}

# mount_new C TARGET WORD...: `mount WORD... TARGET`, to be unmounted at the end.
mount_new() {
  in_cluster "$1" mkdir -p "$2"
  in_cluster "$1" mount "${@:3}" "$2"
  echo "$2" >> "$BED/$1/mounts"
}
bed_tmpfs() { mount_new "$1" "$2" -t tmpfs -o "size=$3,mode=755" small; }
bed_mount_image() { mount_new "$1" "$2" -o loop "$3"; }

bed_unmount() {
  in_cluster "$1" umount "$2"
  sed -i "\\|^$2\$|d" "$BED/$1/mounts"
}

bed_unmount_all() {
  local target
  if [ ! -e "$BED/$1/mounts" ]; then return 0; fi
  for target in $(tac "$BED/$1/mounts"); do bed_unmount "$1" "$target"; done
  in_cluster "$1" find /mnt -mindepth 1 -delete
}
