// objects ROUNDS: what object-oriented C++ does all day: virtual calls over a mixed population, ordered
// and hashed maps of strings, and many small allocations.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

class Body {
 public:
  explicit Body(std::uint32_t seed) : state_(seed) {}
  virtual ~Body() = default;
  virtual std::uint32_t step(std::uint32_t input) = 0;

 protected:
  std::uint32_t state_;
};

class Planet final : public Body {
 public:
  using Body::Body;
  std::uint32_t step(std::uint32_t input) override { return state_ = state_ * 1664525u + input; }
};

class Moon final : public Body {
 public:
  using Body::Body;
  std::uint32_t step(std::uint32_t input) override { return state_ ^= (state_ << 5) + (input >> 3); }
};

class Comet final : public Body {
 public:
  using Body::Body;
  std::uint32_t step(std::uint32_t input) override { return state_ += (input & 1) ? state_ >> 1 : input; }
};

std::unique_ptr<Body> make_body(std::uint32_t kind) {
  switch (kind % 3) {
    case 0:
      return std::make_unique<Planet>(kind);
    case 1:
      return std::make_unique<Moon>(kind);
    default:
      return std::make_unique<Comet>(kind);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 10;
  std::vector<std::unique_ptr<Body>> bodies;
  std::uint32_t value = 12345;
  for (std::uint32_t i = 0; i < 1000; i++) bodies.push_back(make_body(value = value * 1103515245u + 12345u));
  std::map<std::string, std::uint32_t> ordered;
  std::unordered_map<std::string, std::uint32_t> hashed;
  for (long round = 0; round < rounds; round++) {
    for (int pass = 0; pass < 20; pass++)
      for (auto& body : bodies) value = body->step(value);
    for (int i = 0; i < 1000; i++) {
      value = value * 1664525u + 1013904223u;
      const std::string name = "body " + std::to_string(value % 5000);
      ordered[name] += value;
      hashed[name] ^= value;
    }
    if (round % 50 == 49) {
      ordered.clear();
      bodies[static_cast<std::size_t>(round) % bodies.size()] = make_body(value);
    }
  }
  std::uint32_t sum = value;
  for (const auto& [name, count] : ordered) sum += count + static_cast<std::uint32_t>(name.size());
  for (const auto& [name, count] : hashed) sum ^= count;
  std::printf("%u\n", sum);
}
