// What a restore has made so far, and how to take it away again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sealift::restore {

/// One thread at a time. Nothing is taken away by the destructor: roll_back() says what
/// could not be.
class Undo {
 public:
  /// Remembers that `what` ("disk vda, /srv/web.qcow2") was made.
  void add(std::string what, std::function<base::Status()> take_away);

  /// Takes everything away, the last made first, and goes on when something cannot be.
  /// return  `error`, with a next step that says what was left behind, if anything.
  base::Error roll_back(base::Error error);

 private:
  struct Made {
    std::string what;
    std::function<base::Status()> take_away;
  };
  std::vector<Made> made_;
};

}  // namespace sealift::restore
