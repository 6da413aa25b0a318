// The library that painter.cc stands on: between two frames of the program lies one of its own.
#include "canvas.h"

namespace canvas {

namespace {

inline __attribute__((always_inline)) void step(int number, const std::function<void(int)>& paint) {
  paint(number);
  __asm__ volatile("");  // no tail call
}

}  // namespace

void each(int count, const std::function<void(int)>& paint) {
  for (int number = 0; number < count; ++number) step(number, paint);
}

}  // namespace canvas
