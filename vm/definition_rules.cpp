#include "vm/definition_rules.h"

#include <map>

namespace sealift::vm {

namespace {

constexpr auto kOnce = Treatment::kOnce;
constexpr auto kMany = Treatment::kMany;
constexpr auto kReplaced = Treatment::kReplaced;
constexpr auto kDropped = Treatment::kDropped;

constexpr std::string_view kYesNo = "yes|no";
constexpr std::string_view kOnOff = "on|off";
constexpr std::string_view kNumber = "<number>";
constexpr std::string_view kWord = "<word>";
constexpr std::string_view kText = "<text>";

// clang-format off
const std::vector<ElementRule>& all_rules() {
  static const std::vector<ElementRule> rules = {
      // The VM itself.
      {"", kOnce, "", {{"type", "kvm|qemu"}, {"id", "<dropped>"}}},
      {"name", kOnce, "<VM name>"},
      {"uuid", kOnce, "<uuid>"},
      {"genid", kOnce, "<uuid>"},
      {"title", kOnce, kText},
      {"description", kOnce, "<lines>"},
      {"metadata", kOnce},
      {"metadata/libosinfo:libosinfo", kOnce, "",
       {{"xmlns:libosinfo", "http://libosinfo.org/xmlns/libvirt/domain/1.0"}}},
      {"metadata/libosinfo:libosinfo/libosinfo:os", kOnce, "", {{"id", kText}}},
      {"memory", kOnce, kNumber, {{"unit", kWord}, {"dumpCore", kOnOff}}},
      {"currentMemory", kOnce, kNumber, {{"unit", kWord}}},
      {"memoryBacking", kOnce},
      {"memoryBacking/source", kOnce, "", {{"type", "anonymous|memfd"}}},
      {"memoryBacking/access", kOnce, "", {{"mode", "shared|private"}}},
      {"vcpu", kOnce, kNumber, {{"placement", "static|auto"}, {"current", kNumber}}},
      {"iothreads", kOnce, kNumber},
      {"iothreadids", kOnce},
      {"iothreadids/iothread", kMany, "", {{"id", kNumber}}},
      {"resource", kOnce},
      {"resource/partition", kOnce, "/machine"},

      // Firmware and boot order.
      {"os", kOnce, "", {{"firmware", "efi|bios"}}},
      {"os/type", kOnce, "hvm", {{"arch", "x86_64"}, {"machine", kWord}}},
      {"os/firmware", kOnce},
      {"os/firmware/feature", kMany, "",
       {{"enabled", kYesNo}, {"name", "enrolled-keys|secure-boot"}}},
      {"os/loader", kOnce, "<firmware>",
       {{"readonly", kYesNo}, {"secure", kYesNo}, {"type", "pflash|rom"},
        {"stateless", kYesNo}, {"format", "raw|qcow2"}}},
      {"os/nvram", kReplaced},
      {"os/nvram/source", kDropped},
      {"os/boot", kMany, "", {{"dev", "hd|cdrom|network|fd"}}},
      {"os/bootmenu", kOnce, "", {{"enable", kYesNo}, {"timeout", kNumber}}},
      {"os/smbios", kOnce, "", {{"mode", "emulate"}}},
      {"os/bios", kOnce, "", {{"useserial", kYesNo}, {"rebootTimeout", kNumber}}},

      // Features.
      {"features", kOnce},
      {"features/acpi", kOnce},
      {"features/apic", kOnce, "", {{"eoi", kOnOff}}},
      {"features/pae", kOnce},
      {"features/hap", kOnce, "", {{"state", kOnOff}}},
      {"features/smm", kOnce, "", {{"state", kOnOff}}},
      {"features/smm/tseg", kOnce, kNumber, {{"unit", kWord}}},
      {"features/vmport", kOnce, "", {{"state", kOnOff}}},
      {"features/pmu", kOnce, "", {{"state", kOnOff}}},
      {"features/pvspinlock", kOnce, "", {{"state", kOnOff}}},
      {"features/ioapic", kOnce, "", {{"driver", "kvm|qemu"}}},
      {"features/kvm", kOnce},
      {"features/kvm/hidden", kOnce, "", {{"state", kOnOff}}},
      {"features/kvm/hint-dedicated", kOnce, "", {{"state", kOnOff}}},
      {"features/kvm/poll-control", kOnce, "", {{"state", kOnOff}}},
      {"features/kvm/pv-ipi", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv", kOnce, "", {{"mode", "custom|passthrough"}}},
      {"features/hyperv/relaxed", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/vapic", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/spinlocks", kOnce, "",
       {{"state", kOnOff}, {"retries", kNumber}}},
      {"features/hyperv/vpindex", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/runtime", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/synic", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/stimer", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/stimer/direct", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/reset", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/vendor_id", kOnce, "", {{"state", kOnOff}, {"value", kWord}}},
      {"features/hyperv/frequencies", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/reenlightenment", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/tlbflush", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/tlbflush/direct", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/tlbflush/extended", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/ipi", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/evmcs", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/avic", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/emsr_bitmap", kOnce, "", {{"state", kOnOff}}},
      {"features/hyperv/xmm_input", kOnce, "", {{"state", kOnOff}}},

      // Processor, clock, life cycle.
      {"cpu", kOnce, "",
       {{"mode", "custom|host-model|host-passthrough|maximum"},
        {"match", "minimum|exact|strict"}, {"check", "none|partial|full"},
        {"migratable", kOnOff}}},
      {"cpu/model", kOnce, kWord,
       {{"fallback", "allow|forbid"}, {"vendor_id", kWord}}},
      {"cpu/vendor", kOnce, kWord},
      {"cpu/topology", kOnce, "",
       {{"sockets", kNumber}, {"dies", kNumber}, {"clusters", kNumber},
        {"cores", kNumber}, {"threads", kNumber}}},
      {"cpu/cache", kOnce, "",
       {{"level", kNumber}, {"mode", "emulate|passthrough|disable"}}},
      {"cpu/maxphysaddr", kOnce, "",
       {{"mode", "emulate|passthrough"}, {"bits", kNumber}, {"limit", kNumber}}},
      {"cpu/feature", kMany, "",
       {{"policy", "force|require|optional|disable|forbid"}, {"name", kWord}}},
      {"clock", kOnce, "",
       {{"offset", "utc|localtime|timezone|variable"}, {"basis", "utc|localtime"},
        {"adjustment", kWord}, {"timezone", "<time zone>"}, {"start", kNumber}}},
      {"clock/timer", kMany, "",
       {{"name", "rtc|pit|hpet|kvmclock|hypervclock|tsc|platform"},
        {"present", kYesNo}, {"tickpolicy", "delay|catchup|merge|discard"},
        {"track", "boot|guest|wall|realtime"}, {"frequency", kNumber},
        {"mode", kWord}}},
      {"on_poweroff", kOnce, "destroy|restart|preserve|rename-restart"},
      {"on_reboot", kOnce, "destroy|restart|preserve|rename-restart"},
      {"on_crash", kOnce,
       "destroy|restart|preserve|rename-restart|coredump-destroy|coredump-restart"},
      {"on_lockfailure", kOnce, "poweroff|restart|pause|ignore"},
      {"pm", kOnce},
      {"pm/suspend-to-mem", kOnce, "", {{"enabled", kYesNo}}},
      {"pm/suspend-to-disk", kOnce, "", {{"enabled", kYesNo}}},

      // Devices: what every one may have.
      {"devices", kOnce},
      {"devices/emulator", kOnce, "<emulator>"},
      {"devices/*/address", kOnce, "",
       {{"type", "pci|drive|virtio-serial|usb|ccid|isa|virtio-mmio"},
        {"domain", kNumber}, {"bus", kNumber}, {"slot", kNumber},
        {"function", kNumber}, {"multifunction", kOnOff}, {"controller", kNumber},
        {"target", kNumber}, {"unit", kNumber}, {"port", "<usb port>"},
        {"iobase", kNumber}, {"irq", kNumber}}},
      {"devices/*/alias", kOnce, "", {{"name", kWord}}},
      {"devices/*/boot", kOnce, "", {{"order", kNumber}}},
      {"devices/*/acpi", kOnce, "", {{"index", kNumber}}},

      // Disks.
      {"devices/disk", kMany, "",
       {{"type", "file|block|volume|network"}, {"device", "disk|cdrom|floppy"},
        {"snapshot", "internal|external|no|manual"},
        {"model", "virtio|virtio-transitional|virtio-non-transitional"}}},
      {"devices/disk/driver", kOnce, "",
       {{"name", "qemu"}, {"type", "qcow2|raw"},
        {"cache", "default|none|writethrough|writeback|directsync|unsafe"},
        {"error_policy", "stop|report|ignore|enospace"},
        {"rerror_policy", "stop|report|ignore"}, {"io", "threads|native|io_uring"},
        {"ioeventfd", kOnOff}, {"event_idx", kOnOff}, {"copy_on_read", kOnOff},
        {"discard", "unmap|ignore"}, {"detect_zeroes", "on|off|unmap"},
        {"discard_no_unref", kOnOff}, {"queues", kNumber}, {"queue_size", kNumber},
        {"iothread", kNumber}, {"packed", kOnOff}}},
      {"devices/disk/source", kReplaced},
      {"devices/disk/source/host", kDropped},
      {"devices/disk/source/auth", kDropped},
      {"devices/disk/source/config", kDropped},
      {"devices/disk/source/snapshot", kDropped},
      {"devices/disk/auth", kDropped},
      {"devices/disk/backingStore", kDropped},
      {"devices/disk/target", kOnce, "",
       {{"dev", kWord}, {"bus", "virtio|scsi|sata|ide|usb|fdc"},
        {"tray", "open|closed"}, {"removable", kOnOff}, {"rotation_rate", kNumber}}},
      {"devices/disk/serial", kOnce, kText},
      {"devices/disk/wwn", kOnce, kWord},
      {"devices/disk/vendor", kOnce, kText},
      {"devices/disk/product", kOnce, kText},
      {"devices/disk/readonly", kOnce},
      {"devices/disk/shareable", kOnce},
      {"devices/disk/blockio", kOnce, "",
       {{"logical_block_size", kNumber}, {"physical_block_size", kNumber},
        {"discard_granularity", kNumber}}},
      {"devices/disk/iotune", kOnce},
      {"devices/disk/iotune/total_bytes_sec", kOnce, kNumber},
      {"devices/disk/iotune/read_bytes_sec", kOnce, kNumber},
      {"devices/disk/iotune/write_bytes_sec", kOnce, kNumber},
      {"devices/disk/iotune/total_iops_sec", kOnce, kNumber},
      {"devices/disk/iotune/read_iops_sec", kOnce, kNumber},
      {"devices/disk/iotune/write_iops_sec", kOnce, kNumber},

      // Controllers.
      {"devices/controller", kMany, "",
       {{"type", "usb|pci|scsi|sata|ide|fdc|virtio-serial|ccid"}, {"index", kNumber},
        {"model", kWord}, {"ports", kNumber}, {"vectors", kNumber}}},
      {"devices/controller/model", kOnce, "", {{"name", kWord}}},
      {"devices/controller/driver", kOnce, "",
       {{"queues", kNumber}, {"iothread", kNumber}, {"ioeventfd", kOnOff},
        {"cmd_per_lun", kNumber}, {"max_sectors", kNumber}}},
      {"devices/controller/master", kOnce, "", {{"startport", kNumber}}},
      {"devices/controller/target", kOnce, "",
       {{"chassisNr", kNumber}, {"chassis", kNumber}, {"port", kNumber},
        {"busNr", kNumber}, {"hotplug", kOnOff}}},

      // Network interfaces: a network or a bridge of the target, by its name.
      {"devices/interface", kMany, "", {{"type", "network|bridge|user"}}},
      {"devices/interface/mac", kOnce, "",
       {{"address", "<mac>"}, {"type", "static|generated"}, {"check", kYesNo}}},
      {"devices/interface/source", kOnce, "",
       {{"network", "<host name>"}, {"bridge", "<host name>"},
        {"portgroup", "<host name>"}, {"portid", "<dropped>"}}},
      {"devices/interface/virtualport", kOnce, "", {{"type", "openvswitch"}}},
      {"devices/interface/virtualport/parameters", kOnce, "",
       {{"interfaceid", "<uuid>"}, {"profileid", kWord}}},
      {"devices/interface/model", kOnce, "", {{"type", kWord}}},
      {"devices/interface/driver", kOnce, "",
       {{"name", "qemu|vhost"}, {"queues", kNumber}, {"rx_queue_size", kNumber},
        {"tx_queue_size", kNumber}, {"txmode", "iothread|timer"},
        {"ioeventfd", kOnOff}, {"event_idx", kOnOff}, {"packed", kOnOff}}},
      {"devices/interface/target", kOnce, "", {{"dev", kWord}}},
      {"devices/interface/link", kOnce, "", {{"state", "up|down"}}},
      {"devices/interface/mtu", kOnce, "", {{"size", kNumber}}},
      {"devices/interface/port", kOnce, "", {{"isolated", kYesNo}}},
      {"devices/interface/filterref", kOnce, "", {{"filter", "<host name>"}}},
      {"devices/interface/filterref/parameter", kMany, "",
       {{"name", kWord}, {"value", kWord}}},

      // Serial ports, consoles, channels. A channel's socket is the target's own.
      {"devices/serial", kMany, "", {{"type", "pty|file|null"}}},
      {"devices/serial/source", kOnce, "",
       {{"path", "<log file>"}, {"append", kOnOff}}},
      {"devices/serial/target", kOnce, "",
       {{"type", "isa-serial|usb-serial|pci-serial"}, {"port", kNumber}}},
      {"devices/serial/target/model", kOnce, "",
       {{"name", "isa-serial|usb-serial|pci-serial"}}},
      {"devices/serial/log", kOnce, "", {{"file", "<log file>"}, {"append", kOnOff}}},
      {"devices/console", kMany, "", {{"type", "pty|file|null"}}},
      {"devices/console/source", kOnce, "",
       {{"path", "<log file>"}, {"append", kOnOff}}},
      {"devices/console/target", kOnce, "",
       {{"type", "serial|virtio"}, {"port", kNumber}}},
      {"devices/console/log", kOnce, "", {{"file", "<log file>"}, {"append", kOnOff}}},
      {"devices/channel", kMany, "", {{"type", "unix|spicevmc|pty"}}},
      {"devices/channel/source", kOnce, "",
       {{"mode", "bind"}, {"path", "<channel socket>"}}},
      {"devices/channel/target", kOnce, "",
       {{"type", "virtio"}, {"name", kWord}, {"state", "<dropped>"}}},

      // Input, display, sound.
      {"devices/input", kMany, "",
       {{"type", "mouse|tablet|keyboard"}, {"bus", "ps2|usb|virtio"},
        {"model", "virtio|virtio-transitional|virtio-non-transitional"}}},
      {"devices/graphics", kMany, "",
       {{"type", "vnc|spice"}, {"port", "<signed number>"},
        {"tlsPort", "<signed number>"}, {"autoport", kYesNo}, {"listen", kWord},
        {"keymap", kWord}, {"defaultMode", "secure|insecure|any"},
        {"sharePolicy", "allow-exclusive|force-shared|ignore"}, {"passwd", kText},
        {"passwdValidTo", kWord}, {"connected", "keep|disconnect|fail"}}},
      {"devices/graphics/listen", kMany, "",
       {{"type", "address|none"}, {"address", kWord}}},
      {"devices/graphics/image", kOnce, "",
       {{"compression", "auto_glz|auto_lz|quic|glz|lz|off"}}},
      {"devices/graphics/jpeg", kOnce, "", {{"compression", "auto|never|always"}}},
      {"devices/graphics/zlib", kOnce, "", {{"compression", "auto|never|always"}}},
      {"devices/graphics/playback", kOnce, "", {{"compression", kOnOff}}},
      {"devices/graphics/streaming", kOnce, "", {{"mode", "filter|all|off"}}},
      {"devices/graphics/clipboard", kOnce, "", {{"copypaste", kYesNo}}},
      {"devices/graphics/filetransfer", kOnce, "", {{"enable", kYesNo}}},
      {"devices/graphics/mouse", kOnce, "", {{"mode", "server|client"}}},
      {"devices/graphics/gl", kOnce, "", {{"enable", "no"}}},
      {"devices/video", kMany},
      {"devices/video/model", kOnce, "",
       {{"type", "none|vga|cirrus|qxl|virtio|bochs|ramfb"}, {"ram", kNumber},
        {"vram", kNumber}, {"vram64", kNumber}, {"vgamem", kNumber},
        {"heads", kNumber}, {"primary", kYesNo}, {"blob", kOnOff}}},
      {"devices/video/model/acceleration", kOnce, "",
       {{"accel3d", kYesNo}, {"accel2d", kYesNo}}},
      {"devices/video/model/resolution", kOnce, "", {{"x", kNumber}, {"y", kNumber}}},
      {"devices/sound", kMany, "", {{"model", "ac97|es1370|ich6|ich7|ich9|sb16|usb"}}},
      {"devices/sound/codec", kMany, "", {{"type", "duplex|micro|output"}}},
      {"devices/sound/audio", kOnce, "", {{"id", kNumber}}},
      {"devices/audio", kMany, "", {{"id", kNumber}, {"type", "none|spice"}}},

      // Small devices.
      {"devices/tpm", kOnce, "", {{"model", "tpm-crb|tpm-tis"}}},
      {"devices/tpm/backend", kOnce, "",
       {{"type", "emulator"}, {"version", "2.0"}, {"persistent_state", kYesNo}}},
      {"devices/tpm/backend/encryption", kOnce, "", {{"secret", "<uuid>"}}},
      {"devices/tpm/backend/active_pcr_banks", kOnce},
      {"devices/tpm/backend/active_pcr_banks/sha1", kOnce},
      {"devices/tpm/backend/active_pcr_banks/sha256", kOnce},
      {"devices/tpm/backend/active_pcr_banks/sha384", kOnce},
      {"devices/tpm/backend/active_pcr_banks/sha512", kOnce},
      {"devices/tpm/backend/profile", kOnce, "",
       {{"name", kWord}, {"removeDisabled", "check|fips-host"}}},
      {"devices/memballoon", kOnce, "",
       {{"model", "none|virtio|virtio-transitional|virtio-non-transitional"},
        {"autodeflate", kOnOff}, {"freePageReporting", kOnOff}}},
      {"devices/memballoon/stats", kOnce, "", {{"period", kNumber}}},
      {"devices/rng", kMany, "",
       {{"model", "virtio|virtio-transitional|virtio-non-transitional"}}},
      {"devices/rng/rate", kOnce, "", {{"bytes", kNumber}, {"period", kNumber}}},
      {"devices/rng/backend", kOnce, "<random device>",
       {{"model", "random|builtin"}}},
      {"devices/watchdog", kMany, "",
       {{"model", "i6300esb|ib700|itco"},
        {"action", "reset|shutdown|poweroff|pause|none|inject-nmi|dump"}}},
      {"devices/panic", kMany, "", {{"model", "isa|hyperv|pvpanic"}}},
      {"devices/redirdev", kMany, "", {{"bus", "usb"}, {"type", "spicevmc"}}},
      {"devices/hub", kMany, "", {{"type", "usb"}}},
      {"devices/vsock", kOnce, "",
       {{"model", "virtio|virtio-transitional|virtio-non-transitional"}}},
      {"devices/vsock/cid", kOnce, "", {{"auto", kYesNo}, {"address", kNumber}}},
      {"devices/iommu", kOnce, "", {{"model", "intel|virtio"}}},
      {"devices/iommu/driver", kOnce, "",
       {{"intremap", kOnOff}, {"caching_mode", kOnOff}, {"eim", kOnOff},
        {"iotlb", kOnOff}, {"aw_bits", kNumber}}},
  };
  return rules;
}
// clang-format on

std::map<std::string_view, const ElementRule*> by_path() {
  std::map<std::string_view, const ElementRule*> index;
  for (const ElementRule& rule : all_rules()) index.emplace(rule.path, &rule);
  return index;
}

}  // namespace

std::span<const ElementRule> definition_rules() { return all_rules(); }

const ElementRule* find_rule(std::string_view path) {
  static const std::map<std::string_view, const ElementRule*> index = by_path();
  if (const auto found = index.find(path); found != index.end()) return found->second;
  // devices/KIND/PART: what every device may have.
  constexpr std::string_view kDevices = "devices/";
  if (!path.starts_with(kDevices)) return nullptr;
  const std::size_t slash = path.find('/', kDevices.size());
  if (slash == std::string_view::npos) return nullptr;
  const std::string any = "devices/*" + std::string(path.substr(slash));
  const auto found = index.find(any);
  return found == index.end() ? nullptr : found->second;
}

}  // namespace sealift::vm
