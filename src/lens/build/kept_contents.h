// The contents of a build's files, kept beside the recording under the hash of what they hold:
// REC/artefacts/<XXH64>. So an object that the driver removed can be looked at afterwards.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/types.h"

namespace orrery::lens::build {

/// 16 hexadecimal digits.
std::string hash_words(std::span<const u8> bytes);

class KeptContents {
 public:
  explicit KeptContents(const std::string& recording);
  /// The path below the recording; nothing if it could not be written, or too much is kept already.
  std::optional<std::string> keep(std::span<const u8> bytes);
  /// How many were refused because too much was kept.
  u64 refused() const { return refused_; }

 private:
  std::string recording_;
  u64 bytes_left_;
  u64 refused_ = 0;
};

/// The whole path of a `content` of the tables; "" if it is none. Tables may come from a stranger.
std::string content_path(const std::string& recording, const std::string& content);

}  // namespace orrery::lens::build
