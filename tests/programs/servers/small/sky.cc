#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "config.h"

namespace {
int brightest(const std::vector<std::string>& names) {
  std::map<std::string, int> found;
  for (const auto& name : names) found[name] = static_cast<int>(name.size());
  return std::max_element(found.begin(), found.end(), [](auto& a, auto& b) { return a.second < b.second; })
      ->second;
}
}  // namespace

extern "C" int sky() {
  int result = 0;
  std::thread([&] { result = brightest({"Vega", "Sirius", PROJECT}); }).join();
  return result;
}
