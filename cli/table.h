// Columns of text that line up.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace sealift::cli {

enum class Align { kLeft, kRight };

/// Cells are shown through base::printable(); widths count characters, not bytes.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void add(std::vector<std::string> cells);

  /// With the titles as first line, unless all are empty; each line after `indent`.
  void print(std::ostream& output, const std::string& indent) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Characters of `text`, which is UTF-8.
std::size_t width_of(const std::string& text);

/// `text`, which is UTF-8, cut to `limit` characters.
std::string cut(const std::string& text, std::size_t limit);

}  // namespace sealift::cli
