// Templates, allocation and the standard library.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

/// Not by memcmp, whose way depends on where the strings lie.
struct Before {
  bool operator()(const std::string& left, const std::string& right) const {
    if (left.size() != right.size()) return left.size() < right.size();
    for (std::size_t at = 0; at < left.size(); ++at)
      if (left[at] != right[at]) return left[at] < right[at];
    return false;
  }
};

int main() {
  std::map<std::string, int, Before> words;
  std::unordered_map<int, std::vector<int>> buckets;
  unsigned state = 7;
  for (int i = 0; i < 2000; ++i) {
    state = state * 1103515245 + 12345;
    words["word" + std::to_string(state % 500)] += i;
    buckets[static_cast<int>(state % 97)].push_back(i);
  }
  long sum = 0;
  for (auto& [word, count] : words) sum += count * static_cast<long>(word.size());
  for (auto& [key, all] : buckets) {
    std::sort(all.begin(), all.end(),
              [](int x, int y) { return x % 10 != y % 10 ? x % 10 < y % 10 : x < y; });
    sum += all.front() * key;
  }
  std::printf("%ld\n", sum);
}
