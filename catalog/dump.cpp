// The catalog as text, without what differs between two that say the same.
#include <array>

#include "catalog/state.h"

namespace sealift::catalog {

namespace {

// One line a row, ordered; rows are named by what they are, not by their numbers.
constexpr std::array kTables{
    "SELECT 'meta', name, value FROM meta ORDER BY name",
    "SELECT 'volume', name, size, lower(hex(archive)), number, lower(hex(signer)), "
    "created, is_indexed FROM volume ORDER BY name",
    "SELECT 'key', v.name, k.position, lower(hex(k.id)), lower(hex(k.archive)), "
    "lower(hex(k.signer)) FROM frame_key k JOIN volume v ON v.row = k.volume "
    "ORDER BY v.name, k.position",
    "SELECT 'chunk', lower(hex(c.id)), v.name, k.position, c.place, c.stored_size, "
    "c.plain_size, c.kind FROM chunk c JOIN frame_key k ON k.row = c.frame_key "
    "JOIN volume v ON v.row = k.volume ORDER BY c.id, v.name, c.place, k.position",
    "SELECT 'snapshot', lower(hex(s.archive)), v.name, lower(hex(s.signer)), "
    "s.sequence, lower(hex(s.previous)), lower(hex(s.digest)), s.created, s.volumes, "
    "s.is_whole, s.is_opened, s.vm_name, s.vm_uuid, s.cluster, s.host, s.kind, s.read, "
    "s.source_bytes, s.changed_bytes, s.stored_bytes, s.verdict "
    "FROM snapshot s JOIN volume v ON v.row = s.volume ORDER BY s.archive",
    "SELECT 'head', lower(hex(signer)), sequence, lower(hex(digest)) FROM head "
    "ORDER BY signer",
};

}  // namespace

base::Result<std::string> Catalog::dump() const {
  std::string text;
  for (const char* sql : kTables) {
    ASSIGN_OR_RETURN(Query query, state_->database.prepare(sql));
    for (;;) {
      ASSIGN_OR_RETURN(const bool has_row, query.next());
      if (!has_row) break;
      for (int column = 0; column < query.columns(); ++column) {
        text += (column == 0 ? "" : "|") + query.text(column);
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace sealift::catalog
