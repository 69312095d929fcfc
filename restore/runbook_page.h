// Builds the runbook's Markdown: headings, wrapped paragraphs, items, tables, commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sealift::restore::runbook {

/// Text is wrapped at blanks outside code spans, so that no name begins a line of its
/// own making.
class Page {
 public:
  void title(std::string_view text);
  void heading(std::string_view text);

  /// A paragraph; below a heading or commands without an empty line between.
  void text(std::string_view text);

  /// A paragraph that is seen first.
  void warning(std::string_view text);

  /// Directly below the words that lead to them, like commands.
  void items(const std::vector<std::string>& items, std::string_view mark = "- ");

  /// The first row is the head.
  void table(const std::vector<std::vector<std::string>>& rows);

  void powershell(const std::vector<std::string>& lines);
  void shell(const std::vector<std::string>& lines);

  std::string take() &&;

 private:
  void block(std::string_view text);
  void fenced(std::string_view language, const std::vector<std::string>& lines);

  std::string page_;
  bool is_tight_ = false;  // The next paragraph belongs to what stands last.
};

}  // namespace sealift::restore::runbook
