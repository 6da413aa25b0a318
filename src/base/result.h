// Result<T> and TRY: how failures of the environment travel (a missing file, a full disk). Guest
// visible failures are errno values in a syscall's result; our own bugs are CHECKs.
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/types.h"

namespace orrery {

/// A failure of the environment: what was being done (a literal) and the kernel's errno, 0 if none.
struct Error {
  const char* doing;
  int errno_value = 0;
};

/// Either a T or an E. Both must be movable. E is Error, or what a hosted room says instead
/// (base/failure_hosted.h).
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : ok_(true) { new (&value_) T(std::move(value)); }   // NOLINT: implicit by design
  Result(E error) : ok_(false) { new (&error_) E(std::move(error)); }  // NOLINT: implicit by design
  /// TRY hands an Error on to whoever speaks in other terms.
  Result(const Error& error)  // NOLINT: implicit by design
      requires(!std::is_same_v<E, Error>)
      : Result(E(error)) {}
  Result(Result&& other) noexcept : ok_(other.ok_) {
    if (ok_)
      new (&value_) T(std::move(other.value_));
    else
      new (&error_) E(std::move(other.error_));
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;
  ~Result() {
    if (ok_)
      value_.~T();
    else
      error_.~E();
  }

  explicit operator bool() const { return ok_; }
  T& value() {
    CHECK(ok_, "value() of a failed Result");
    return value_;
  }
  const E& error() const {
    CHECK(!ok_, "error() of a good Result");
    return error_;
  }
  T take() {
    CHECK(ok_, "take() of a failed Result");
    return std::move(value_);
  }

 private:
  bool ok_;
  union {
    T value_;
    E error_;
  };
};

struct Nothing {};
using Status = Result<Nothing>;

}  // namespace orrery

/// Unwraps a Result or returns its error from the enclosing function.
#define TRY(expression)                           \
  __extension__({                                 \
    auto try_result_ = (expression);              \
    if (!try_result_) return try_result_.error(); \
    try_result_.take();                           \
  })
