# cmake "-DPAGES=FILE;..." -DOUTPUT=FILE.cpp -P format_pages.cmake
# Writes format_pages() with the bytes of every file in PAGES.
set(pages ${PAGES})
list(SORT pages COMPARE FILE_BASENAME)
set(arrays "")
set(entries "")
set(number 0)
foreach(page ${pages})
  get_filename_component(name ${page} NAME)
  file(READ ${page} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char kPage${number}[] = {${bytes} '\\0'};\n")
  string(APPEND entries "    FormatPage{\"${name}\", {kPage${number}, ${size}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Made by archive/format_pages.cmake from docs/format/ and scripts/emergency-restore.py.
#include \"archive/format_pages.h\"

#include <array>

namespace sealift::archive {

namespace {

${arrays}
constexpr std::array<FormatPage, ${number}> kPages{
${entries}};

}  // namespace

std::span<const FormatPage> format_pages() { return kPages; }

}  // namespace sealift::archive
")
