#!/usr/bin/env bash
# check_layers.sh [TREE]: which room may use which. Fails and names the file and line of every #include, and of
# every link in a room's CMakeLists.txt, that goes against the direction of the rooms or reaches for a library
# that another room owns. The rule is docs/architecture.md's picture; the table below is its exact form.
set -euo pipefail
tree=${1:-$(dirname "$0")/..}

# room: rooms it may include | libraries it may include and link
rules='
base:     | nlohmann
keyvault: base | openssl nlohmann
archive:  base keyvault | libarchive zstd curl nlohmann
catalog:  base keyvault archive | sqlite
vm:       base keyvault | libvirt libnbd pugixml boost nlohmann
backup:   base keyvault archive catalog vm | nlohmann
restore:  base keyvault archive catalog vm | nlohmann
cli:      base keyvault archive catalog vm backup restore | boost nlohmann
'

cd "$tree"
found=0
while IFS=: read -r room rest; do
  if [ -z "$room" ]; then continue; fi
  if [ ! -d "$room" ]; then
    echo "$room: this room is missing"
    found=1
    continue
  fi
  files=()
  while IFS= read -r file; do files+=("$file"); done < <(
    find "$room" -type f \( -name '*.h' -o -name '*.cpp' -o -name CMakeLists.txt \) | LC_ALL=C sort)
  if [ ${#files[@]} = 0 ]; then continue; fi
  awk -v room="$room" -v rooms="${rest%%|*}" -v libraries="${rest##*|}" '
    BEGIN {
      split(rooms " " room, list, " "); for (i in list) if (list[i] != "") may_room[list[i]] = 1
      split(libraries, list, " "); for (i in list) may_library[list[i]] = 1

      # Every room: the standard library (headers without a dot), fmt, and the system.
      system_header = "^(sys|linux|net|netinet|arpa|asm)/|^(dirent|dlfcn|errno|fcntl|fnmatch|glob|grp|libgen|limits|malloc|poll|" \
        "pthread|pwd|sched|signal|spawn|stdlib|string|syslog|termios|time|unistd|utime)\\.h$"

      # Which library a header, and a CMake target, belongs to.
      header["nlohmann"] = "^nlohmann/"; header["openssl"] = "^openssl/"
      header["libarchive"] = "^archive(_entry)?\\.h$"; header["zstd"] = "^zstd(_errors)?\\.h$"
      header["curl"] = "^curl/"; header["sqlite"] = "^sqlite3\\.h$"; header["libvirt"] = "^libvirt/"
      header["libnbd"] = "^libnbd\\.h$"; header["pugixml"] = "^pugixml\\.hpp$"; header["boost"] = "^boost/"
      target["nlohmann"] = "^nlohmann_json"; target["openssl"] = "^OpenSSL::"
      target["libarchive"] = "^LibArchive::"; target["zstd"] = "^(PkgConfig::ZSTD|zstd::)"
      target["curl"] = "^CURL::"; target["sqlite"] = "^SQLite::"; target["libvirt"] = "^PkgConfig::LIBVIRT"
      target["libnbd"] = "^PkgConfig::LIBNBD"; target["pugixml"] = "^pugixml"; target["boost"] = "^Boost::"
    }
    function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
    function owner(name, of,    library) { for (library in of) if (name ~ of[library]) return library; return "" }
    function check_library(name, of,    library) {
      library = owner(name, of)
      if (library == "") complain("\"" name "\" belongs to no library that a room may use")
      else if (!(library in may_library)) complain("the room " room " may not use " library " (" name ")")
    }
    FNR == 1 { linking = 0 }

    FILENAME !~ /CMakeLists\.txt$/ && /^[ \t]*#[ \t]*include[ \t]*"/ {
      name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
      if (name !~ /\//) { complain("\"" name "\" names no room: write \"" room "/" name "\""); next }
      other = name; sub(/\/.*/, "", other)
      if (!(other in may_room)) complain("the room " room " may not include the room " other " (" name ")")
      if (name ~ /\.\./) complain("\"" name "\" leaves its room")
      next
    }
    FILENAME !~ /CMakeLists\.txt$/ && /^[ \t]*#[ \t]*include[ \t]*</ {
      name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
      if (name !~ /[.\/]/ || name ~ system_header || name ~ /^fmt\//) next
      check_library(name, header)
      next
    }
    FILENAME !~ /CMakeLists\.txt$/ && /^[ \t]*#[ \t]*include/ { complain("an include that names no file"); next }

    FILENAME ~ /CMakeLists\.txt$/ {
      sub(/#.*/, "")
      if (match($0, /target_link_libraries[ \t]*\(/)) { linking = 1; words = 0; $0 = substr($0, RSTART + RLENGTH) }
      if (!linking) next
      last = index($0, ")")
      line = last ? substr($0, 1, last - 1) : $0
      count = split(line, word, /[ \t]+/)
      for (i = 1; i <= count; i++) {
        name = word[i]
        if (name == "" || ++words == 1) continue  # The first word is the target itself.
        if (name ~ /^(PUBLIC|PRIVATE|INTERFACE|project_options|Threads::Threads|fmt::fmt)$/) continue
        if (name ~ /^[a-z]+$/) {
          if (!(name in may_room)) complain("the room " room " may not link " name)
        } else check_library(name, target)
      }
      if (last) linking = 0
    }
    END { exit bad }
  ' "${files[@]}" || found=1
done <<< "$rules"
exit $found
