// Writes through a null pointer, three inlined functions deep, called back from a library.
#include <cstdio>
#include <string>
#include <vector>

#include "canvas.h"

namespace geometry {

template <class Cell>
struct Grid {
  Cell* cells;
  __attribute__((always_inline)) Cell& at(int index) { return cells[index]; }
};

template <class Cell>
inline __attribute__((always_inline)) void put(Grid<Cell>& grid, int index, Cell value) {
  grid.at(index) = value;
}

struct Painter {
  std::string name;
  __attribute__((noinline)) int paint(Grid<long>& grid, const std::vector<int>& places);
};

int Painter::paint(Grid<long>& grid, const std::vector<int>& places) {
  int painted = 0;
  for (const int place : places) {
    put(grid, place, 7L);
    painted += place;
  }
  return painted + static_cast<int>(name.size());
}

}  // namespace geometry

int main(int argc, char** argv) {
  geometry::Grid<long> grid{argc > 9 ? new long[9] : nullptr};
  geometry::Painter painter{argv[0]};
  int painted = 0;
  canvas::each(3, [&](int number) { painted += painter.paint(grid, {1, number}); });
  std::printf("%d\n", painted);
  return 0;
}
