#include <algorithm>
#include <mutex>

#include "archive/archive_session.h"
#include "archive/limits.h"
#include "archive/manifest_text.h"
#include "archive/page_tree.h"

namespace sealift::archive {

namespace {

base::Error misuse(std::string what) {
  return base::Error(base::ErrorCode::kDefect, std::move(what));
}

class TreeWriter final : public ComponentWriter {
 public:
  TreeWriter(ArchiveSession& session, Component component, std::size_t place,
             TreeBase base)
      : session_(&session),
        component_(std::move(component)),
        place_(place),
        shape_(component_.size, session.chunk_size()),
        tree_(
            shape_, [this](const Page& page) { return store_page(page); },
            std::move(base)) {}

  TreeWriter(const TreeWriter&) = delete;
  TreeWriter& operator=(const TreeWriter&) = delete;
  ~TreeWriter() override {
    if (!is_filled_) {
      session_->give_back(component_.kind, component_.name, component_.size);
    }
  }

  base::Status put(std::uint64_t number, base::ByteView chunk) override {
    if (number >= shape_.chunks() || chunk.size() != shape_.bytes_in(number)) {
      return told(misuse("no chunk of that number and size is part of the component"),
                  number);
    }
    if (base::is_all_zero(chunk)) return set(number, {});
    auto stored = session_->frames().store(FrameKind::kData, component_.scope, chunk);
    if (!stored) return told(std::move(stored).error(), number);
    session_->count_data(chunk.size(), stored.value().new_bytes);
    return set(number, stored.value());
  }

  base::Status finish_below(std::uint64_t number) override {
    const std::lock_guard guard(guard_);
    auto finished = tree_.finish_below(number);
    if (!finished) return told(std::move(finished).error(), number);
    return finished;
  }

  base::Status finish(std::map<std::string, std::string> attributes) override {
    const std::lock_guard guard(guard_);
    auto root = tree_.finish();
    if (!root) return told(std::move(root).error(), shape_.chunks());
    component_.root = root.value();
    component_.attributes = std::move(attributes);
    session_->fill(place_, component_);
    is_filled_ = true;
    return base::Done{};
  }

 private:
  base::Status set(std::uint64_t number, const StoredFrame& chunk) {
    const std::lock_guard guard(guard_);
    if (number < tree_.boundary()) {
      return told(misuse("the chunk is one of those that are finished"), number);
    }
    if (auto placed = tree_.set(number, chunk.id); !placed) {
      return told(std::move(placed).error(), number);
    }
    component_.stored_bytes += chunk.new_bytes;
    return base::Done{};
  }

  base::Result<ChunkId> store_page(const Page& page) {
    ASSIGN_OR_RETURN(
        const StoredFrame stored,
        session_->frames().store(FrameKind::kPage, component_.scope, encode(page)));
    session_->count_page(stored.new_bytes);
    component_.stored_bytes += stored.new_bytes;
    return stored.id;
  }

  base::Error told(base::Error error, std::uint64_t number) const {
    return std::move(error)
        .at("offset", std::to_string(number * shape_.chunk_size()))
        .at(component_.kind, component_.name);
  }

  ArchiveSession* session_;
  Component component_;
  std::size_t place_;
  bool is_filled_ = false;
  TreeShape shape_;
  std::mutex guard_;  ///< Guards tree_ and the counts in component_.
  PageTree tree_;
};

}  // namespace

base::Result<std::unique_ptr<ComponentWriter>> begin_component(
    ArchiveSession& session, std::string kind, std::string name, IdScope scope,
    std::uint64_t size, TreeBase base) {
  if (!is_component_kind(kind) || !is_component_name(name) || scope != scope_of(kind) ||
      size > kMaxComponentSize) {
    return misuse("no component can have this kind, name, scope and size")
        .at(kind, name);
  }
  ASSIGN_OR_RETURN(const std::size_t place, session.reserve(kind, name, size));
  Component component;
  component.kind = std::move(kind);
  component.name = std::move(name);
  component.scope = scope;
  component.size = size;
  component.depth = TreeShape(size, session.chunk_size()).depth();
  return std::unique_ptr<ComponentWriter>(std::make_unique<TreeWriter>(
      session, std::move(component), place, std::move(base)));
}

}  // namespace sealift::archive
