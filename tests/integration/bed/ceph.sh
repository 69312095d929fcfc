# shellcheck shell=bash
# Part of the bed, for tests that source it: a Ceph cluster of one monitor and one OSD in memory, on loopback. Everything
# of it lies in $BED/ceph, outside of both clusters' view: they reach it as they would a real one, over the network.
#
#   ceph_up              brings it up; sets CEPH_PORT, where its monitor listens on 127.0.0.1. `trap ceph_down EXIT` first
#   ceph_down            ends what it started, by pid
#   ceph_pool NAME       a pool for RBD images
#   ceph_user NAME POOL  a user who may use its images; prints the key, in base64
#   ceph_rbd IMAGE       for qemu-img and qemu-io out here: POOL/IMAGE as the administrator
# ceph, rbd and the like find the cluster by themselves: CEPH_CONF is exported.

ceph_spawn() {
  local name=$1
  shift
  setsid "$@" > "$BED/ceph/log/$name.out" 2>&1 < /dev/null &
  disown $!
  echo $! >> "$BED/ceph/pids"
}

ceph_up() {
  local dir=$BED/ceph fsid uuid i
  mkdir -p "$dir"/{mon,osd,run,log}
  CEPH_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  fsid=$(cat /proc/sys/kernel/random/uuid)
  uuid=$(cat /proc/sys/kernel/random/uuid)
  export CEPH_CONF=$dir/ceph.conf
  cat > "$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon_host = [v2:127.0.0.1:$CEPH_PORT]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
keyring = $dir/keyring
run_dir = $dir/run
admin_socket = $dir/run/\$type.\$id.\$pid.asok
pid_file = $dir/run/\$type.\$id.pid
log_file = $dir/log/\$type.\$id.log
crash_dir = $dir/log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
[mon]
mon_data = $dir/mon
mon_cluster_log_file = $dir/log/cluster.log
mon_data_avail_crit = 1
mon_data_avail_warn = 1
auth_allow_insecure_global_id_reclaim = false
[osd]
osd_data = $dir/osd
osd_objectstore = memstore
memstore_device_bytes = $((1 << 30))
osd_class_update_on_start = false
crush_location = host=localhost root=default
osd_numa_auto_affinity = false
CONF
  (umask 077 && : > "$dir/keyring")
  {
    monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$CEPH_PORT]" "$dir/monmap"
    ceph-authtool "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
    ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
    ceph-authtool "$dir/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
    ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
    ceph_spawn mon ceph-mon -f -i a
    timeout 60 ceph --connect-timeout 50 osd new "$uuid"
    ceph-osd -i 0 --mkfs --osd-uuid "$uuid"
    ceph_spawn osd ceph-osd -f -i 0
    for ((i = 0; i < 150; i++)); do
      if ceph osd stat | grep -q '1 up'; then break; fi
      sleep 0.2
    done
    ceph osd stat | grep '1 up'
  } > "$dir/log/up" 2>&1 || {
    tail -n 20 "$dir/log/up" "$dir"/log/*.out >&2
    bed_fail 'Ceph does not come up'
    return 1
  }
}

ceph_down() {
  local pid
  if [ ! -e "$BED/ceph/pids" ]; then return 0; fi
  while read -r pid; do
    kill -KILL "$pid" 2> /dev/null || :
    bed_gone "$pid" 100 || bed_fail "a process of Ceph does not end: $pid"
  done < "$BED/ceph/pids"
  rm -rf "$BED/ceph"
}

ceph_pool() {
  ceph osd pool create "$1" 8 > /dev/null 2>&1
  rbd pool init "$1"
}

ceph_user() {
  ceph auth get-or-create-key "client.$1" mon 'profile rbd' osd "profile rbd pool=$2"
}

ceph_rbd() { echo "rbd:$1:conf=$CEPH_CONF"; }
