// Objects of classes that inherit: members of the base, and of what is derived from it.
#include <cstdio>
#include <memory>
#include <vector>

namespace shapes {

class Shape {
 public:
  explicit Shape(int id) : id_(id) {}
  virtual ~Shape() = default;
  virtual double area() const = 0;
  int id() const { return id_; }
  Shape* behind = nullptr;

 private:
  int id_;
};

class Circle final : public Shape {
 public:
  Circle(int id, double radius) : Shape(id), radius_(radius) {}
  [[gnu::noipa]] double area() const override { return radius_ * radius_ * 3; }

 private:
  char padding_[168] = {};
  double radius_;
};

template <class T>
struct Pair {
  T first, second;
  char padding[112];
};

}  // namespace shapes

[[gnu::noipa]] static double areas(const std::vector<std::unique_ptr<shapes::Shape>>& all) {
  double sum = 0;
  for (const auto& each : all) sum += each->area();
  return sum;
}

[[gnu::noipa]] static long ids(const shapes::Shape* first) {
  long sum = 0;
  for (const shapes::Shape* at = first; at != nullptr; at = at->behind) sum += at->id();
  return sum;
}

[[gnu::noipa]] static long seconds(const std::vector<shapes::Pair<long>>& pairs) {
  long sum = 0;
  for (const auto& each : pairs) sum += each.second;
  return sum;
}

int main() {
  std::vector<std::unique_ptr<shapes::Shape>> all;
  for (int i = 0; i < 4096; ++i) all.push_back(std::make_unique<shapes::Circle>(i, i));
  for (int i = 0; i + 1 < 4096; ++i) all[(i * 1601) % 4096]->behind = all[((i + 1) * 1601) % 4096].get();
  const std::vector<shapes::Pair<long>> pairs(4096);
  double sum = 0;
  for (int i = 0; i < 3; ++i) sum += areas(all) + static_cast<double>(ids(all[0].get()) + seconds(pairs));
  std::printf("%g\n", sum);
  return 0;
}
