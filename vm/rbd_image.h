// An image in a Ceph cluster, as a definition names it and as QEMU's tools open it.
#pragma once

#include <optional>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "base/strict_json.h"
#include "keyvault/secret.h"
#include "vm/connection.h"

namespace sealift::vm {

struct RbdImage {
  struct Monitor {
    std::string host;
    std::string port;
  };

  std::string pool;
  std::string image;
  std::string snapshot;           ///< Empty: the image itself.
  std::vector<Monitor> monitors;  ///< None: those of the configuration.
  std::string configuration;      ///< Empty: the host's own ceph.conf.
  std::string user;               ///< Empty: none is named.
  std::string secret_uuid;        ///< Of its key; or
  std::string secret_usage;       ///< the secret's usage name; or neither.

  /// "rbd:POOL/IMAGE", for messages and the manifest.
  std::string text() const { return "rbd:" + pool + "/" + image; }
};

/// Reads `<source protocol='rbd'>` of a disk; `element` is how messages call the disk.
/// errors  kRefused: names the element that is not understood.
base::Result<RbdImage> read_rbd_source(const pugi::xml_node& disk,
                                       const std::string& element);

/// The protocol layer for QEMU's block layer, as libvirt would state it.
/// `key_id`  The QEMU object that holds the user's key; empty: there is no key.
base::Json rbd_layer(const RbdImage& image, const std::string& key_id);

/// The user's key from libvirt, in memory only; none: the definition names no secret.
/// errors  kRefused: it cannot be read.  kHypervisor.
base::Result<std::optional<keyvault::Secret>> read_rbd_key(const Connection& connection,
                                                           const RbdImage& image);

}  // namespace sealift::vm
