// Calls that the program chooses when it runs: virtual functions, pointers to functions and to members.
#include <cstdio>
#include <memory>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual long area() const = 0;
  long twice() const { return 2 * area(); }
};
struct Square : Shape {
  long side;
  explicit Square(long length) : side(length) {}
  long area() const override { return side * side; }
};
struct Rectangle : Square {
  long other;
  Rectangle(long width, long height) : Square(width), other(height) {}
  long area() const override { return Square::area() / side * other; }
};

static long add(long x, long y) { return x + y; }
static long mix(long x, long y) { return x ^ (y * 31); }

int main() {
  std::vector<std::unique_ptr<Shape>> shapes;
  for (long i = 1; i < 300; ++i) {
    if (i % 3 == 0)
      shapes.push_back(std::make_unique<Rectangle>(i, i + 1));
    else
      shapes.push_back(std::make_unique<Square>(i));
  }
  long (*volatile folds[])(long, long) = {add, mix};
  long (Shape::*volatile member)() const = &Shape::twice;
  long sum = 0;
  for (int round = 0; round < 20; ++round)
    for (const auto& shape : shapes)
      sum = folds[round % 2](sum, round % 3 == 0 ? (shape.get()->*member)() : shape->area());
  std::printf("%ld\n", sum);
}
