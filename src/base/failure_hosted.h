// Failure: a failure of the environment that takes a sentence made at run time to tell, such as what SQLite
// said or which byte of a file is wrong. For hosted rooms; the engine's are Errors, whose words are literals.
#pragma once

#include <cstring>
#include <string>
#include <utility>

#include "base/result.h"

namespace orrery {

struct Failure {
  std::string sentence;

  explicit Failure(std::string words) : sentence(std::move(words)) {}
  explicit Failure(const Error& error) : sentence(error.doing) {
    if (error.errno_value != 0) sentence.append(": ").append(std::strerror(error.errno_value));
  }
};

template <class T>
using Fallible = Result<T, Failure>;

}  // namespace orrery
