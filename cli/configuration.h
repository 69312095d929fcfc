// /etc/sealift/sealift.conf: what is set once for a host.
#pragma once

#include <cstdint>
#include <string>

#include "archive/archive_writer.h"
#include "cli/session.h"

namespace sealift::cli {

struct Configuration {
  std::string cluster;  ///< Written into every snapshot; default the host's name.
  std::uint64_t volume_size = archive::ArchiveOptions().volume_size;  ///< Bytes.
};

/// Reads the file of --config, or the usual one if it is there.
/// errors  kNotFound: the file that was named is not there.  kUsage: a line that says
///         nothing known; names file and line.  kIo.
base::Result<Configuration> read_configuration(const Session& session);

}  // namespace sealift::cli
