// Objects, references, virtual calls, templates, lambdas and exceptions.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes {

struct Point {
  double x = 0, y = 0;
};

class Shape {
 public:
  explicit Shape(Point at) : at_(at) {}
  virtual ~Shape() = default;
  virtual double area(const Point& scale) const = 0;

 protected:
  Point at_;
};

class Square final : public Shape {
 public:
  Square(Point at, double side) : Shape(at), side_(side) {}
  double area(const Point& scale) const override {
    const double wide = side_ * scale.x, high = side_ * scale.y;
    std::putchar(wide > high ? 'w' : 'h');
    return wide * high;
  }

 private:
  double side_;
};

enum class Mode : unsigned char { plain, scaled };

}  // namespace shapes

template <class T>
__attribute__((noinline)) T sum_of(const std::vector<T>& values, T& largest) {
  T sum{};
  for (const T& value : values) {
    sum += value;
    largest = std::max(largest, value);
  }
  return sum;
}

static __attribute__((noinline)) int parse(const std::string& text) {
  const int number = std::stoi(text);
  if (number < 0) throw std::out_of_range("negative: " + text);
  return number;
}

int main() {
  std::vector<std::unique_ptr<shapes::Shape>> all;
  for (int i = 1; i < 6; i++)
    all.push_back(std::make_unique<shapes::Square>(shapes::Point{1.0 * i, 2.5}, i * 0.5));
  std::map<std::string, int> counts;
  std::vector<double> areas;
  const shapes::Point scale{2, 3};
  for (const auto& shape : all) areas.push_back(shape->area(scale));
  double largest = 0;
  const double sum = sum_of(areas, largest);
  const shapes::Mode mode = sum > 10 ? shapes::Mode::scaled : shapes::Mode::plain;
  for (const char* word : {"12", "x", "-7", "40"}) {
    try {
      counts[word] = parse(word);
    } catch (const std::exception& problem) {
      counts[problem.what()]++;
    }
  }
  const auto print = [&](const std::string& name, int count) {
    std::printf("%s %d %d\n", name.c_str(), count, static_cast<int>(mode));
    std::fflush(stdout);
  };
  for (const auto& [name, count] : counts) print(name, count);
  std::sort(areas.begin(), areas.end(), [](double left, double right) { return left > right; });
  std::printf("%g %g %zu\n", sum, largest, areas.size());
  return 0;
}
