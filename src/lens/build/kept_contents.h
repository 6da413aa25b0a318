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
  /// Makes the directory if it is not there. A recording may come from a stranger: what stands in its place
  /// is not followed.
  explicit KeptContents(const std::string& recording);
  KeptContents(const KeptContents&) = delete;
  KeptContents& operator=(const KeptContents&) = delete;
  ~KeptContents();
  /// The path below the recording; nothing if it could not be written, or too much is kept already.
  std::optional<std::string> keep(std::span<const u8> bytes);

 private:
  bool write(const std::string& name, std::span<const u8> bytes);
  int directory_;  ///< -1: nothing can be kept
  u64 bytes_left_;
};

/// The whole path of a `content` of the tables; "" if it is none. Tables may come from a stranger.
std::string content_path(const std::string& recording, const std::string& content);

}  // namespace orrery::lens::build
