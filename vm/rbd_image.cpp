#include "vm/rbd_image.h"

#include "vm/secret_value.h"

namespace sealift::vm {

namespace {

std::string attribute(const pugi::xml_node& node, const char* name) {
  return node.attribute(name).value();
}

base::Error refused(const std::string& element, std::string what) {
  return base::Error(base::ErrorCode::kRefused, std::move(what)).at("element", element);
}

base::Error key_is_unreadable(const std::string& secret, const std::string& cause) {
  return base::Error(base::ErrorCode::kRefused,
                     "the key of a disk's Ceph user cannot be read")
      .at("secret", secret)
      .because(cause)
      .next(
          "look whether it has a value: `virsh secret-list`; run as root on the host");
}

base::Result<base::Uuid> find_uuid(const Connection& connection,
                                   const RbdImage& image) {
  if (!image.secret_uuid.empty()) return base::Uuid::parse(image.secret_uuid);
  const SecretHandle secret(virSecretLookupByUsage(
      connection.get(), VIR_SECRET_USAGE_TYPE_CEPH, image.secret_usage.c_str()));
  std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
  if (!secret || virSecretGetUUIDString(secret.get(), uuid.data()) != 0) {
    return take_libvirt_error(base::ErrorCode::kRefused,
                              "the key of a disk's Ceph user is not on this host")
        .at("secret usage", image.secret_usage);
  }
  return base::Uuid::parse(uuid.data());
}

}  // namespace

base::Result<RbdImage> read_rbd_source(const pugi::xml_node& disk,
                                       const std::string& element) {
  const pugi::xml_node source = disk.child("source");
  const std::string name = attribute(source, "name");
  const std::size_t slash = name.find('/');
  // libvirt 9 knows no namespaces: a second slash would belong to the image's name.
  if (slash == std::string::npos || slash == 0 || slash + 1 == name.size() ||
      name.find('/', slash + 1) != std::string::npos) {
    return refused(element + "/source[@name='" + name + "']",
                   "an RBD image is not named POOL/IMAGE");
  }
  if (attribute(disk.child("driver"), "type") != "raw") {
    return refused(element + "/driver", "an RBD image is not raw");
  }
  RbdImage image;
  image.pool = name.substr(0, slash);
  image.image = name.substr(slash + 1);
  image.snapshot = attribute(source.child("snapshot"), "name");
  image.configuration = attribute(source.child("config"), "file");
  for (const pugi::xml_node host : source.children("host")) {
    // No port is 0 to libvirt and to Ceph alike: the usual ones.
    image.monitors.push_back(
        {attribute(host, "name"), host.attribute("port").as_string("0")});
  }
  // libvirt keeps it where it was written.
  pugi::xml_node auth = source.child("auth");
  if (!auth) auth = disk.child("auth");
  image.user = attribute(auth, "username");
  image.secret_uuid = attribute(auth.child("secret"), "uuid");
  image.secret_usage = attribute(auth.child("secret"), "usage");
  return image;
}

base::Json rbd_layer(const RbdImage& image, const std::string& key_id) {
  base::Json layer = {{"driver", "rbd"},
                      {"pool", image.pool},
                      {"image", image.image},
                      {"read-only", true}};
  if (!image.snapshot.empty()) layer["snapshot"] = image.snapshot;
  if (!image.configuration.empty()) layer["conf"] = image.configuration;
  for (const RbdImage::Monitor& monitor : image.monitors) {
    layer["server"].push_back({{"host", monitor.host}, {"port", monitor.port}});
  }
  if (!image.user.empty()) layer["user"] = image.user;
  if (!key_id.empty()) {
    layer["key-secret"] = key_id;
    layer["auth-client-required"] = {"cephx", "none"};
  }
  return layer;
}

base::Result<std::optional<keyvault::Secret>> read_rbd_key(const Connection& connection,
                                                           const RbdImage& image) {
  if (image.secret_uuid.empty() && image.secret_usage.empty()) {
    return std::optional<keyvault::Secret>();
  }
  ASSIGN_OR_RETURN(const base::Uuid uuid, find_uuid(connection, image));
  ASSIGN_OR_RETURN(const std::optional<SecretHandle> secret,
                   find_secret(connection, uuid));
  if (!secret) return key_is_unreadable(uuid.text(), "libvirt has no such secret");
  ASSIGN_OR_RETURN(std::optional<keyvault::Secret> value, value_from_libvirt(*secret));
  if (value) return value;
  auto stored = value_from_store(uuid);
  if (!stored) return key_is_unreadable(uuid.text(), stored.error().what());
  return std::optional(std::move(stored).value());
}

}  // namespace sealift::vm
