#include "vm/overlay_files.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "base/subprocess.h"
#include "vm/capture_names.h"
#include "vm/domain_folder.h"
#include "vm/image_info.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kInfix = ".sealift-";
constexpr std::string_view kDiskDevice = "disk";
constexpr auto kProgramLimit = std::chrono::seconds(60);

bool is_overlay(const fs::path& path) {
  return path.filename().string().find(kInfix) != std::string::npos;
}

// Not shared_file_prefix(): what begins so is removed without looking.
std::string shared_name(const base::Uuid& vm, const std::string& target) {
  return vm.text() + "-" + target;
}

// The image on which a disk is now.
struct TopImage {
  std::string target;
  fs::path path;
  std::string format;
};

base::Result<XmlDocument> read_domain(const Domain& domain) {
  const bool is_active = virDomainIsActive(domain.get()) == 1;
  const Text xml(
      virDomainGetXMLDesc(domain.get(), is_active ? 0 : VIR_DOMAIN_XML_INACTIVE));
  if (!xml) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "cannot read the VM's definition");
  }
  return parse_xml(xml.get());
}

std::vector<TopImage> top_images(const XmlDocument& document) {
  std::vector<TopImage> images;
  for (const pugi::xml_node disk :
       document->child("domain").child("devices").children("disk")) {
    const fs::path path = disk.child("source").attribute("file").value();
    if (path.empty() || disk.attribute("device").as_string("disk") != kDiskDevice) {
      continue;
    }
    images.push_back({disk.child("target").attribute("dev").value(), path,
                      disk.child("driver").attribute("type").value()});
  }
  return images;
}

// The images that `top` lies on, as they state it themselves.
base::Result<std::set<fs::path>> chain_of(const TopImage& top) {
  std::set<fs::path> chain;
  fs::path path = top.path;
  std::string format = top.format;
  while (!path.empty() && chain.insert(path).second) {
    ASSIGN_OR_RETURN(const ImageInfo info, read_image_info(path, format));
    path = info.backing;
    format = info.backing_format;
  }
  return chain;
}

// Without -U qemu-img takes part in QEMU's locking of image files.
base::Result<bool> is_open(const fs::path& path) {
  ASSIGN_OR_RETURN(const base::ProgramOutput run,
                   base::run_program({"qemu-img", "info", "-f", "qcow2", path.string()},
                                     kProgramLimit));
  return run.exit_status != 0;
}

base::Status add_overlays(const fs::path& folder, const std::string& prefix,
                          std::vector<fs::path>& found) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return base::Done{};
  ASSIGN_OR_RETURN(const auto files, list_files(folder, prefix));
  std::ranges::copy_if(files, std::back_inserter(found), is_overlay);
  return base::Done{};
}

}  // namespace

Overlay plan_overlay(const Disk& disk, const base::Uuid& vm, const std::string& run,
                     const fs::path& shared_folder) {
  const std::string name = disk.type == "block"
                               ? (shared_folder / shared_name(vm, disk.target)).string()
                               : disk.path.string();
  return {disk.target, name + std::string(kInfix) + run, disk.path};
}

base::Result<std::vector<Overlay>> find_overlays(const Domain& domain) {
  ASSIGN_OR_RETURN(const XmlDocument document, read_domain(domain));
  std::vector<Overlay> found;
  for (const TopImage& image : top_images(document)) {
    if (!is_overlay(image.path)) continue;
    ASSIGN_OR_RETURN(const ImageInfo info, read_image_info(image.path, "qcow2"));
    found.push_back({image.target, image.path, info.backing});
  }
  return found;
}

base::Result<std::vector<fs::path>> find_unused_overlays(
    const Domain& domain, const base::Uuid& vm, const fs::path& shared_folder) {
  ASSIGN_OR_RETURN(const XmlDocument document, read_domain(domain));
  const std::vector<TopImage> images = top_images(document);
  std::vector<fs::path> found;
  RETURN_IF_ERROR(add_overlays(shared_folder, shared_name(vm, ""), found));
  for (const TopImage& image : images) {
    RETURN_IF_ERROR(add_overlays(image.path.parent_path(),
                                 image.path.filename().string() + std::string(kInfix),
                                 found));
  }
  if (found.empty()) return found;
  for (const TopImage& image : images) {
    ASSIGN_OR_RETURN(const std::set<fs::path> chain, chain_of(image));
    std::erase_if(found, [&](const fs::path& file) { return chain.contains(file); });
  }
  // One that libvirt lost sight of may hold what the guest writes.
  std::vector<fs::path> unused;
  for (const fs::path& file : found) {
    ASSIGN_OR_RETURN(const bool is_open_somewhere, is_open(file));
    if (!is_open_somewhere) unused.push_back(file);
  }
  return unused;
}

}  // namespace sealift::vm
