#include "vm/undo_capture.h"

#include <libvirt/virterror.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/subprocess.h"
#include "vm/disk_server.h"
#include "vm/guest_agent.h"
#include "vm/overlay.h"
#include "vm/xml.h"

namespace sealift::vm {

namespace {

// QEMU itself ends a handshake that takes 10 s.
constexpr auto kLeaveLimit = std::chrono::seconds(15);
constexpr auto kJobEndLimit = std::chrono::seconds(60);
constexpr auto kPoll = std::chrono::milliseconds(20);
constexpr auto kProgramLimit = std::chrono::seconds(60);

using Checkpoint = base::Handle<virDomainCheckpoint, virDomainCheckpointFree>;

base::Error libvirt_refused(std::string what) {
  return take_libvirt_error(base::ErrorCode::kHypervisor, std::move(what));
}

// The bitmaps of a VM that is off lie in its images; libvirt deletes only those of a
// running one.
base::Status remove_bitmaps(const Checkpoint& checkpoint, const std::string& name) {
  const Text xml(virDomainCheckpointGetXMLDesc(checkpoint.get(), 0));
  if (!xml) return libvirt_refused("cannot read a checkpoint");
  ASSIGN_OR_RETURN(const XmlDocument document, parse_xml(xml.get()));
  const pugi::xml_node root = document->child("domaincheckpoint");
  for (const pugi::xml_node disk :
       root.child("domain").child("devices").children("disk")) {
    const pugi::xml_node source = disk.child("source");
    std::string path = source.attribute("file").value();
    if (path.empty()) path = source.attribute("dev").value();
    const std::string_view format = disk.child("driver").attribute("type").value();
    if (format != "qcow2" || !path.starts_with('/')) continue;
    // It may never have been written there, so refusing is no failure.
    static_cast<void>(base::run_program(
        {"qemu-img", "bitmap", "--remove", "-f", "qcow2", path, name}, kProgramLimit));
  }
  return base::Done{};
}

}  // namespace

base::Result<std::string> find_backup_socket(const Domain& domain) {
  const Text xml(virDomainBackupGetXMLDesc(domain.get(), 0));
  if (!xml) {
    const int reason = virGetLastErrorCode();
    // A VM that is off has no job; the test driver has no backups.
    if (reason == VIR_ERR_NO_DOMAIN_BACKUP || reason == VIR_ERR_OPERATION_INVALID ||
        reason == VIR_ERR_NO_SUPPORT || reason == VIR_ERR_NO_DOMAIN) {
      return std::string();
    }
    return libvirt_refused("cannot ask for the VM's backup job");
  }
  ASSIGN_OR_RETURN(const XmlDocument document, parse_xml(xml.get()));
  const std::string socket =
      document->child("domainbackup").child("server").attribute("socket").value();
  return socket.empty() ? std::string("(of another program)") : socket;
}

base::Result<bool> is_job_running(const Domain& domain) {
  virDomainJobInfo job{};
  if (virDomainGetJobInfo(domain.get(), &job) != 0) {
    return libvirt_refused("cannot ask for the VM's jobs");
  }
  return job.type != VIR_DOMAIN_JOB_NONE;
}

base::Status end_backup_job(const Domain& domain, const std::filesystem::path& socket) {
  RETURN_IF_ERROR(wait_until_nobody_reads(socket, kLeaveLimit));
  if (virDomainAbortJob(domain.get()) != 0 &&
      virGetLastErrorCode() != VIR_ERR_OPERATION_INVALID) {
    return libvirt_refused("cannot end the backup job");
  }
  const auto deadline = std::chrono::steady_clock::now() + kJobEndLimit;
  while (true) {
    ASSIGN_OR_RETURN(const std::string running, find_backup_socket(domain));
    if (running.empty()) return base::Done{};
    if (std::chrono::steady_clock::now() > deadline) {
      return base::Error(base::ErrorCode::kHypervisor, "the backup job does not end");
    }
    std::this_thread::sleep_for(kPoll);
  }
}

base::Status resume_if_paused(const Domain& domain) {
  int state = 0;
  if (virDomainGetState(domain.get(), &state, nullptr, 0) != 0) {
    if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) return base::Done{};
    return libvirt_refused("cannot read the VM's state");
  }
  if (state != VIR_DOMAIN_PAUSED || virDomainResume(domain.get()) == 0) {
    return base::Done{};
  }
  return libvirt_refused("the VM is paused and cannot be resumed");
}

base::Status delete_checkpoint(const Domain& domain, const std::string& name) {
  const Checkpoint checkpoint(
      virDomainCheckpointLookupByName(domain.get(), name.c_str(), 0));
  if (!checkpoint) {
    const int reason = virGetLastErrorCode();
    if (reason == VIR_ERR_NO_DOMAIN_CHECKPOINT || reason == VIR_ERR_NO_DOMAIN ||
        reason == VIR_ERR_NO_SUPPORT) {
      return base::Done{};
    }
    return libvirt_refused("cannot look up a checkpoint").at("checkpoint", name);
  }
  if (virDomainIsActive(domain.get()) == 1) {
    if (virDomainCheckpointDelete(checkpoint.get(), 0) == 0) return base::Done{};
    // Without libvirt's record its bitmap would go on for ever: only for one that is
    // lost, not because another job keeps the VM busy.
    if (virGetLastErrorCode() == VIR_ERR_OPERATION_TIMEOUT) {
      return libvirt_refused("cannot delete a checkpoint").at("checkpoint", name);
    }
  } else if (auto status = remove_bitmaps(checkpoint, name); !status) {
    return std::move(status).error().at("checkpoint", name);
  }
  if (virDomainCheckpointDelete(checkpoint.get(),
                                VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) == 0) {
    return base::Done{};
  }
  return libvirt_refused("cannot delete a checkpoint").at("checkpoint", name);
}

base::Status remove_if_there(const std::filesystem::path& path) {
  if (path.empty() || ::unlink(path.c_str()) == 0 || errno == ENOENT ||
      errno == ENOTDIR) {
    return base::Done{};
  }
  return base::system_error(errno, "cannot remove a file").at("file", path.string());
}

base::Status undo_freeze(const Domain& domain, const CaptureTraces& traces) {
  if (!traces.is_frozen) return base::Done{};
  RETURN_IF_ERROR(thaw_file_systems(domain));
  return remove_if_there(traces.frozen_mark);
}

std::vector<base::Error> undo_capture(const Domain& domain,
                                      const CaptureTraces& traces) {
  std::vector<base::Error> failures;
  const auto note = [&failures](base::Status status) {
    if (!status) failures.push_back(std::move(status).error());
  };
  if (traces.is_paused) {
    auto status = resume_if_paused(domain);
    // While the mark is there the next run knows who paused the VM.
    note(status ? remove_if_there(traces.mark) : std::move(status));
  }
  note(undo_freeze(domain, traces));
  if (!traces.socket.empty()) {
    auto socket = find_backup_socket(domain);
    if (!socket) {
      failures.push_back(std::move(socket).error());
    } else if (socket.value() == traces.socket) {
      note(end_backup_job(domain, traces.socket));
    }
  }
  for (const Overlay& overlay : traces.overlays) note(commit_overlay(domain, overlay));
  if (!traces.checkpoint.empty()) note(delete_checkpoint(domain, traces.checkpoint));
  note(remove_if_there(traces.socket));
  for (const auto& file : traces.scratch_files) note(remove_if_there(file));
  return failures;
}

}  // namespace sealift::vm
