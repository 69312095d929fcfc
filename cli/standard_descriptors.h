// The descriptors that every program believes to be open.
#pragma once

#include "base/result.h"

namespace sealift::cli {

/// Opens /dev/null on each of standard input, output and error that is closed: else
/// the next file or pipe that the program opens would get its number, and what is
/// meant for a person would be written into it. Call it before anything is opened.
/// errors  kIo: there is no /dev/null.
base::Status open_standard_descriptors();

/// Whether `descriptor` is a pipe or socket whose reader has closed it (`| head`).
bool is_reader_gone(int descriptor);

}  // namespace sealift::cli
