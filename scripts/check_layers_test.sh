#!/usr/bin/env bash
# check_layers_test.sh: check_layers.sh passes on a tree that keeps the direction, and fails on each thing planted
# into it, naming the file and line.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

plain_tree() {
  rm -rf "$work/tree"
  local room
  for room in base keyvault archive catalog vm backup restore cli; do
    mkdir -p "$work/tree/$room"
    printf '#include "%s/one.h"\n\n#include <vector>\n' $room > "$work/tree/$room/one.cpp"
  done
  cat > "$work/tree/vm/CMakeLists.txt" <<'CMAKE'
add_library(vm STATIC one.cpp)
target_link_libraries(vm PUBLIC base keyvault  # backup
  PRIVATE PkgConfig::LIBVIRT PkgConfig::LIBNBD pugixml::pugixml)
CMAKE
}

# passes FILE TEXT: the text is added, and nothing is wrong with it.
passes() {
  plain_tree
  printf '%s\n' "$2" >> "$work/tree/$1"
  if "$here/check_layers.sh" "$work/tree" > "$work/out" 2>&1; then return; fi
  echo "not ok: $1 may have: $2"
  sed 's/^/  /' "$work/out"
  failures=$((failures + 1))
}

# fails FILE TEXT LINE WORDS: the text is added, and the check says WORDS about that line, and nothing else.
fails() {
  plain_tree
  printf '%s\n' "$2" >> "$work/tree/$1"
  local status=0
  "$here/check_layers.sh" "$work/tree" > "$work/out" 2>&1 || status=$?
  if [ $status = 1 ] && [ "$(cat "$work/out")" = "$1:$3: $4" ]; then return; fi
  echo "not ok: $1 must not have: $2 (status $status)"
  sed 's/^/  /' "$work/out"
  failures=$((failures + 1))
}

passes base/one.cpp '#include <unistd.h>'
passes base/one.cpp '#include <nlohmann/json.hpp>'
passes keyvault/one.cpp '#include <openssl/evp.h>'
passes archive/one.cpp '#include <archive_entry.h>'
passes catalog/one.cpp '#include <sqlite3.h>'
passes vm/one.cpp '#include <libvirt/libvirt-qemu.h>'
passes restore/one.cpp '#include "vm/one.h"'
passes cli/one.cpp '#include <boost/program_options.hpp>'
passes backup/one.cpp '// #include "restore/one.h"'

fails base/one.cpp '#include "vm/one.h"' 4 'the room base may not include the room vm (vm/one.h)'
fails backup/one.cpp '#include "restore/one.h"' 4 'the room backup may not include the room restore (restore/one.h)'
fails restore/one.cpp '  #  include "backup/one.h"' 4 'the room restore may not include the room backup (backup/one.h)'
fails vm/one.cpp '#include "archive/one.h"' 4 'the room vm may not include the room archive (archive/one.h)'
fails archive/one.cpp '#include "catalog/one.h"' 4 'the room archive may not include the room catalog (catalog/one.h)'
fails archive/one.cpp '#include "tests/support/one.h"' 4 'the room archive may not include the room tests (tests/support/one.h)'
fails catalog/one.cpp '#include <openssl/evp.h>' 4 'the room catalog may not use openssl (openssl/evp.h)'
fails backup/one.cpp '#include <libvirt/libvirt.h>' 4 'the room backup may not use libvirt (libvirt/libvirt.h)'
fails cli/one.cpp '#include <sqlite3.h>' 4 'the room cli may not use sqlite (sqlite3.h)'
fails base/one.cpp '#include <libxml/parser.h>' 4 '"libxml/parser.h" belongs to no library that a room may use'
fails base/one.cpp '#include "one.h"' 4 '"one.h" names no room: write "base/one.h"'
fails base/one.cpp '#include "base/../vm/one.h"' 4 '"base/../vm/one.h" leaves its room'
fails vm/CMakeLists.txt 'target_link_libraries(vm PRIVATE archive)' 4 'the room vm may not link archive'
fails vm/CMakeLists.txt $'target_link_libraries(vm\n  PRIVATE SQLite::SQLite3)' 5 'the room vm may not use sqlite (SQLite::SQLite3)'

plain_tree
rm -r "$work/tree/vm"
if "$here/check_layers.sh" "$work/tree" > "$work/out"; then
  echo "not ok: a missing room must be noticed"
  failures=$((failures + 1))
fi

if [ $failures != 0 ]; then exit 1; fi
echo "check_layers.sh notices what it should"
