# shellcheck shell=bash
# Part of the bed (lib.sh): guests, what they say, and how long they stood still.

bed_uuid_from() {
  local h
  h=$(printf '%s' "$1" | sha256sum)
  echo "${h:0:8}-${h:8:4}-4${h:13:3}-8${h:17:3}-${h:20:12}"
}
bed_uuid() { bed_uuid_from "vm $1"; }
bed_secret_uuid() { bed_uuid_from "secret $1"; }
bed_mac() {
  local h
  h=$(printf 'mac %s' "$1" | sha256sum)
  echo "52:54:00:${h:0:2}:${h:2:2}:${h:4:2}"
}
bed_secret_value() { echo "$BED/outside/secret-values/$1"; }
bed_guest_xml() { echo "$BED/outside/xml/$1.xml"; }
bed_name() { cat "$BED/outside/xml/$1.name"; }
bed_nvram() { cat "$BED/outside/xml/$1.nvram"; }

bed_xml_text() { printf '%s' "$1" | sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e "s/'/\&apos;/g"; }

# bed_disk C SOURCE FORMAT PATH: an image at PATH (in the cluster) with SOURCE's content, a raw file out here.
# An overlay is qcow2 on a qcow2 base beside it, half of the content in each.
bed_disk() {
  local c=$1 source=$2 format=$3 path=$4 base size half
  local convert=(qemu-img convert -q -f raw)
  case $format in
    raw | qcow2)
      "${convert[@]}" -O "$format" "$source" "$BED/$c/lib/staging"
      bed_put "$c" "$path"
      ;;
    overlay)
      base=${path%.*}-base.qcow2
      size=$(stat -c %s "$source")
      half=$((size / 2))
      head -c "$half" "$source" > "$BED/$c/half"
      truncate -s "$size" "$BED/$c/half"
      bed_disk "$c" "$BED/$c/half" qcow2 "$base"
      rm "$BED/$c/half"
      in_cluster "$c" qemu-img create -q -f qcow2 -b "$base" -F qcow2 "$path"
      tail -c +$((half + 1)) "$source" > "$BED/$c/half"
      in_cluster "$c" qemu-io -f qcow2 -c "write -q -s $BED/$c/half $half $((size - half))" "$path" > /dev/null
      rm "$BED/$c/half"
      ;;
    *) bed_fail "disk format $format"; return 1 ;;
  esac
}

# bed_put C PATH: moves the file $BED/C/lib/staging to PATH in the cluster.
bed_put() {
  in_cluster "$1" mkdir -p "$(dirname "$2")"
  in_cluster "$1" mv /var/lib/libvirt/staging "$2"
}

# bed_guest C TAG [OPTION...]: defines a guest; it is not started.
#   --name NAME          its name (default tl-TAG)
#   --idle               boots nothing: OVMF finds no system and waits. Running in a second, where booting is not the point
#   --boot FORMAT        qcow2 (default), raw, overlay (qcow2 on a base): the boot disk, vda
#   --data FORMAT        the same for the data disk, vdb
#   --fill MIB           random bytes at the start of the data disk
#   --mode WORD          what the guest does once it is ready (guest-init); not with --fill
#   --folder PATH        folder of the disks in the cluster (default /var/lib/libvirt/images)
#   --file NAME          start of the disks' file names (default TAG)
#   --nvram PATH         the NVRAM file (default /var/lib/libvirt/qemu/nvram/TAG_VARS.fd)
#   --vtpm KIND          encrypted (default), plain (state not encrypted), none
#   --secret FILE        the protection key's value (default: 64 random hex digits)
#   --private            the secret's value cannot be read back over the API
#   --interface XML      network interfaces (default: one of type user with bed_mac TAG)
#   --agent              a third disk with qemu-guest-agent, and its channel; with --mode agent or agentfails it runs
#   --iothread           the data disk has an iothread of its own
#   --extra XML          more devices
bed_guest() {
  local c=$1 tag=$2
  shift 2
  local name=tl-$tag idle=0 boot=qcow2 data=qcow2 fill=0 folder=$BED_IMAGES file=$tag vtpm=encrypted secret='' private=no
  local nvram=/var/lib/libvirt/qemu/nvram/${tag}_VARS.fd extra='' mode='' iothreads='' iothread='' agent=0
  local interface
  interface="<interface type='user'><mac address='$(bed_mac "$tag")'/><model type='virtio'/></interface>"
  while [ $# -gt 0 ]; do
    case $1 in
      --idle) idle=1; shift; continue ;;
      --private) private=yes; shift; continue ;;
      --agent) agent=1; shift; continue ;;
      --iothread) iothreads='<iothreads>1</iothreads>' iothread="iothread='1'"; shift; continue ;;
      --name) name=$2 ;;
      --boot) boot=$2 ;;
      --data) data=$2 ;;
      --fill) fill=$2 ;;
      --mode) mode=$2 ;;
      --folder) folder=$2 ;;
      --file) file=$2 ;;
      --nvram) nvram=$2 ;;
      --vtpm) vtpm=$2 ;;
      --secret) secret=$2 ;;
      --interface) interface=$2 ;;
      --extra) extra=$2 ;;
      *) bed_fail "bed_guest: unknown option $1"; return 1 ;;
    esac
    shift 2
  done

  local system=$BED_GUEST/boot.img blank=$BED/$c/blank data_source=$BED/$c/data-source
  if [ $idle = 1 ]; then
    truncate -s 4M "$blank"
    system=$blank
  fi
  truncate -s 64M "$data_source"
  if [ "$fill" -gt 0 ]; then
    dd if=/dev/urandom of="$data_source" bs=1M count="$fill" conv=notrunc status=none
  fi
  printf '%s' "$mode" | dd of="$data_source" bs=1M seek=3 conv=notrunc status=none
  local boot_file data_file
  boot_file=$folder/$file-boot.$(bed_extension "$boot")
  data_file=$folder/$file-data.$(bed_extension "$data")
  bed_disk "$c" "$system" "$boot" "$boot_file"
  bed_disk "$c" "$data_source" "$data" "$data_file"
  rm -f "$blank" "$data_source"

  if [ $agent = 1 ]; then
    bed_disk "$c" "$BED_GUEST/agent.img" qcow2 "$folder/$file-agent.qcow2"
    extra+="<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='$(bed_xml_text "$folder/$file-agent.qcow2")'/><target dev='vdc' bus='virtio'/></disk>
      <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
  fi

  cp "$BED_GUEST/VARS.fd" "$BED/$c/lib/staging"
  bed_put "$c" "$nvram"

  local tpm=''
  case $vtpm in
    none) ;;
    plain) tpm="<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>" ;;
    encrypted)
      if [ -n "$secret" ]; then
        cp "$secret" "$(bed_secret_value "$tag")"
      else
        head -c 32 /dev/urandom | xxd -p -c 64 | tr -d '\n' > "$(bed_secret_value "$tag")"
      fi
      bed_secret "$c" "$tag" "$(bed_secret_value "$tag")" "$private"
      tpm="<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='$(bed_secret_uuid "$tag")'/></backend></tpm>"
      ;;
    *) bed_fail "bed_guest: vtpm $vtpm"; return 1 ;;
  esac

  printf '%s' "$name" > "$BED/outside/xml/$tag.name"
  printf '%s' "$nvram" > "$BED/outside/xml/$tag.nvram"
  cat > "$(bed_guest_xml "$tag")" <<XML
<domain type='qemu'>
  <name>$(bed_xml_text "$name")</name>
  <uuid>$(bed_uuid "$tag")</uuid>
  <memory unit='MiB'>384</memory>
  <vcpu>1</vcpu>
  $iothreads
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.secboot.fd</loader>
    <nvram>$(bed_xml_text "$nvram")</nvram>
    <boot dev='hd'/>
  </os>
  <features><acpi/><apic/><smm state='on'/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>Nehalem</model><feature policy='require' name='rdrand'/></cpu>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='$(bed_driver "$boot")' cache='writeback' discard='unmap'/>
      <source file='$(bed_xml_text "$boot_file")'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='$(bed_driver "$data")' cache='writeback' discard='unmap' $iothread/>
      <source file='$(bed_xml_text "$data_file")'/><target dev='vdb' bus='virtio'/></disk>
    $interface
    <controller type='usb' model='none'/>
    <serial type='file'><source path='/var/log/libvirt/$tag.console' append='on'/><target port='0'/></serial>
    <console type='file'><source path='/var/log/libvirt/$tag.console' append='on'/><target type='serial' port='0'/></console>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    $tpm
    $extra
    <video><model type='none'/></video>
    <memballoon model='none'/>
  </devices>
</domain>
XML
  bed_define "$c" "$(bed_guest_xml "$tag")"
}

bed_extension() { if [ "$1" = raw ]; then echo img; else echo qcow2; fi; }
bed_driver() { if [ "$1" = raw ]; then echo raw; else echo qcow2; fi; }

# bed_define C FILE: defines the domain of an XML file out here.
bed_define() {
  cp "$2" "$BED/$1/domain.xml"
  vsh "$1" define "$BED/$1/domain.xml" > /dev/null
}

# bed_secret C TAG VALUEFILE [yes|no]: the vtpm secret of the guest TAG; the last word: private.
bed_secret() {
  local c=$1 tag=$2 value=$3 private=${4:-no}
  cat > "$BED/$c/secret.xml" <<XML
<secret ephemeral='no' private='$private'>
  <uuid>$(bed_secret_uuid "$tag")</uuid>
  <description>guest state protection key of $tag</description>
  <usage type='vtpm'><name>vtpm-$tag</name></usage>
</secret>
XML
  vsh "$c" secret-define "$BED/$c/secret.xml" > /dev/null
  install -m 600 "$value" "$BED/$c/secret-value"
  vsh "$c" secret-set-value "$(bed_secret_uuid "$tag")" --file "$BED/$c/secret-value" --plain > /dev/null
  rm "$BED/$c/secret-value"
}

bed_start() {
  vsh "$1" start "$(bed_uuid "$2")" ${3:+--"$3"} > /dev/null
}

bed_boot() {
  local from
  from=$(bed_mark "$1" "$2")
  bed_start "$1" "$2"
  bed_wait_console "$1" "$2" 'TL READY' "${3:-240}" "$from" > /dev/null
}

bed_console() { echo "$BED/$1/log/$2.console"; }
bed_mark() { stat -c %s "$(bed_console "$1" "$2")" 2>/dev/null || echo 0; }

bed_wait_console() {
  local c=$1 tag=$2 regex=$3 seconds=${4:-60} from=${5:-0} i line
  for ((i = 0; i < seconds * 5; i++)); do
    # A line counts once its end was written.
    line=$(bed_console_lines "$c" "$tag" "$from" | grep -aE -m 1 -e "$regex" || :)
    if [ -n "$line" ]; then
      printf '%s\n' "$line"
      return 0
    fi
    sleep 0.2
  done
  bed_fail "cluster $c, guest $tag: no line like \"$regex\" on the console within $seconds s"
}

# bed_console_lines C TAG [FROM]: the lines of the console after byte FROM, without one still being written.
bed_console_lines() {
  local file content
  file=$(bed_console "$1" "$2")
  if [ ! -e "$file" ]; then return 0; fi
  content=$(tail -c +$((${3:-0} + 1)) "$file" | tr -d '\r\0'; echo .)
  case $content in *$'\n'*) printf '%s\n' "${content%$'\n'*}" ;; esac
}

bed_watch_pauses() {
  local c=$1 tag=$2 file=$3 i
  nsenter --mount --target "$(bed_holder "$c")" -- \
    virsh -q -c qemu:///system qemu-monitor-event --domain "$(bed_uuid "$tag")" --loop --timestamp > "$file" 2>&1 < /dev/null &
  BED_WATCH=$!
  # It has registered once libvirtd counts its connection; virsh says nothing itself.
  for ((i = 0; i < 50; i++)); do
    if [ -d "/proc/$BED_WATCH" ] && [ "$(bed_sockets_of "$BED_WATCH")" -gt 0 ]; then break; fi
    sleep 0.1
  done
  sleep 0.5
}

bed_sockets_of() { find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null | wc -l; }

bed_pauses() {
  # 2026-11-23 19:19:02.714+0000: event STOP for domain 'tl-one': <null>
  awk '$3 == "event" && ($4 == "STOP" || $4 == "RESUME") {
         split(substr($2, 1, 12), t, ":"); now = (t[1] * 60 + t[2]) * 60 + t[3]
         if ($4 == "STOP") { stop = now; stopped = 1 }
         if ($4 == "RESUME" && stopped) { printf "%d\n", (now - stop + (now < stop) * 86400) * 1000 + 0.5; stopped = 0 }
       }' "$1"
}
