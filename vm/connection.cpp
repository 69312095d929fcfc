#include "vm/connection.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "vm/event_loop.h"

namespace sealift::vm {

namespace {

// Scheme, host and parameters of a libvirt URI, as far as they say where the daemon is.
bool is_local(std::string_view uri) {
  if (uri == "test:///default") return true;
  return uri.starts_with("qemu:///") || uri.starts_with("qemu+unix:///");
}

void ignore_printed_error(void* /*data*/, virErrorPtr /*error*/) {}

base::Error cannot_connect(const std::string& uri) {
  const virError* last = virGetLastError();
  const std::string_view words = virGetLastErrorMessage();
  const bool is_denied =
      last != nullptr &&
      (last->code == VIR_ERR_AUTH_FAILED || last->code == VIR_ERR_AUTH_CANCELLED ||
       last->code == VIR_ERR_AUTH_UNAVAILABLE || last->code == VIR_ERR_ACCESS_DENIED ||
       words.find("Permission denied") != std::string_view::npos);
  if (is_denied) {
    return take_libvirt_error(base::ErrorCode::kIo, "this user may not talk to libvirt")
        .at("uri", uri)
        .next("run as root");
  }
  return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot connect to libvirt")
      .at("uri", uri)
      .next("check that libvirtd runs: systemctl status libvirtd");
}

}  // namespace

// libvirt keeps one error per thread and any later call replaces it: read it first.
base::Error take_libvirt_error(base::ErrorCode code, std::string what) {
  const std::string words = virGetLastErrorMessage();
  return base::Error(code, std::move(what)).because(words);
}

base::Result<Connection> connect(const std::string& uri) {
  if (!is_local(uri)) {
    return base::Error(base::ErrorCode::kUsage, "not a libvirt daemon on this host")
        .at("uri", uri)
        .next(
            "run sealift on the host that runs the VM: vTPM state, NVRAM and secrets "
            "lie there; local URIs begin with qemu:/// or qemu+unix:///");
  }
  virSetErrorFunc(nullptr, ignore_printed_error);
  // The test driver has no events, and its unit tests no need of a thread.
  if (!uri.starts_with("test:")) RETURN_IF_ERROR(run_event_loop());
  Connection connection(virConnectOpen(uri.c_str()));
  if (!connection) return cannot_connect(uri);
  return connection;
}

base::Result<Domain> find_domain(const Connection& connection,
                                 const std::string& name) {
  Domain domain(virDomainLookupByName(connection.get(), name.c_str()));
  if (!domain && base::Uuid::is_uuid(name)) {
    domain.reset(virDomainLookupByUUIDString(connection.get(), name.c_str()));
  }
  if (domain) return domain;
  if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
    return base::Error(base::ErrorCode::kNotFound, "this host has no such VM")
        .at("vm", name)
        .next("list the VMs of this host with `virsh list --all`");
  }
  return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot look up the VM")
      .at("vm", name);
}

base::Result<base::Uuid> uuid_of(const Domain& domain) {
  std::array<char, VIR_UUID_STRING_BUFLEN> text{};
  if (virDomainGetUUIDString(domain.get(), text.data()) != 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the VM's UUID");
  }
  return base::Uuid::parse(text.data());
}

base::Result<std::vector<std::string>> list_domains(const Connection& connection) {
  virDomainPtr* found = nullptr;
  const int count = virConnectListAllDomains(connection.get(), &found, 0);
  if (count < 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor, "cannot list the VMs");
  }
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    const Domain domain(found[i]);
    names.emplace_back(virDomainGetName(domain.get()));
  }
  std::free(found);  // NOLINT(cppcoreguidelines-no-malloc): libvirt's way
  std::ranges::sort(names);
  return names;
}

}  // namespace sealift::vm
