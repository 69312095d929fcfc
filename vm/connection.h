// A libvirt daemon on this host, and the VMs it knows.
#pragma once

#include <libvirt/libvirt.h>

#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "base/uuid.h"

namespace sealift::vm {

using Connection = base::Handle<virConnect, virConnectClose>;
using Domain = base::Handle<virDomain, virDomainFree>;
using SecretHandle = base::Handle<virSecret, virSecretFree>;

/// Opens `uri` and silences libvirt's own printing: it writes every failure to stderr
/// unless a handler is set, and this program reports an error once, in its own words.
///
/// errors  kUsage: the URI is remote: vTPM state, NVRAM, secrets and NBD sockets are
///         local.  kIo: this user may not talk to the daemon.  kHypervisor: it is not
///         running, or refuses.
base::Result<Connection> connect(const std::string& uri);

/// `name` is a VM's name or its UUID.
/// errors  kNotFound: the host has no such VM.  kHypervisor: anything else.
base::Result<Domain> find_domain(const Connection& connection, const std::string& name);

/// errors  kHypervisor.
base::Result<base::Uuid> uuid_of(const Domain& domain);

/// The names of all VMs, running or not, sorted.
base::Result<std::vector<std::string>> list_domains(const Connection& connection);

/// libvirt's own words for the last failure of this thread.
base::Error take_libvirt_error(base::ErrorCode code, std::string what);

/// "libvirt", "qemu", "swtpm", "libtpms", "ovmf": versions on this host, as their
/// programs and packages give them; what cannot be found out is left out.
std::vector<std::pair<std::string, std::string>> host_versions(
    const Connection& connection);

}  // namespace sealift::vm
