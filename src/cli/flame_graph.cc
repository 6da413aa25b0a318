#include "cli/flame_graph.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/recording_text.h"

namespace orrery::cli {
namespace {

constexpr double kWidth = 1200, kMargin = 10, kRow = 18, kTitle = 40, kLetter = 7.3;
/// Narrower boxes cannot be seen; what is above them is narrower still.
constexpr double kWidthLeast = 0.4;
/// A recursion may go on for long; what lies above is drawn as one.
constexpr std::size_t kDepthMost = 200;

struct Box {
  u64 value = 0;
  std::map<std::string, std::unique_ptr<Box>> above{};
};

void add(Box& root, const std::vector<std::string>& stack, u64 value) {
  Box* at = &root;
  at->value += value;
  for (std::size_t depth = 0; depth < std::min(stack.size(), kDepthMost); ++depth) {
    std::unique_ptr<Box>& next = at->above[depth + 1 < kDepthMost ? stack[depth] : "(deeper)"];
    if (!next) next = std::make_unique<Box>();
    at = next.get();
    at->value += value;
  }
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char each : printable(text)) {
    switch (each) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += each;
    }
  }
  return out;
}

template <class... Values>
void put(std::string& out, const char* format, Values... values) {
  char line[256];
  const int length = std::snprintf(line, sizeof line, format, values...);
  out.append(line, static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(sizeof line) - 1)));
}

class Drawing {
 public:
  Drawing(const FlameGraph& graph, double top, std::string& out) : graph_(graph), top_(top), out_(out) {
    for (const auto& [stack, value] : graph.stacks) {
      add(root_, stack, value);
      depth_ = std::max(depth_, std::min(stack.size(), kDepthMost));
    }
  }
  double height() const { return kTitle + (static_cast<double>(depth_) + 1) * kRow + kMargin; }

  void draw() {
    put(out_, "<text x=\"%g\" y=\"%g\" class=\"title\">", kMargin, top_ + kTitle / 2 + 5);
    out_ += escaped(graph_.title + ": " + graph_.words(root_.value)) + "</text>\n";
    if (root_.value != 0) box("all", root_, 0, kMargin, kWidth - 2 * kMargin);
  }

 private:
  void box(const std::string& name, const Box& drawn, std::size_t depth, double x, double width) {
    if (width < kWidthLeast) return;
    const double y = top_ + kTitle + static_cast<double>(depth_ - depth) * kRow;
    const double share = 100 * static_cast<double>(drawn.value) / static_cast<double>(root_.value);
    out_ += "<g><title>" + escaped(name) + "\n" + escaped(graph_.words(drawn.value));
    put(out_, " (%.1f %%)</title><rect x=\"%.2f\" y=\"%g\" width=\"%.2f\" height=\"%g\" fill=\"%s\"/>", share,
        x, y, width, kRow - 1, colour(name).c_str());
    const auto letters = static_cast<std::size_t>(std::max(0.0, (width - 6) / kLetter));
    if (letters >= 3) {
      const bool fits = name.size() <= letters;
      put(out_, "<text x=\"%.2f\" y=\"%g\">", x + 3, y + kRow - 5);
      out_ += escaped(fits ? name : name.substr(0, letters - 2) + "..") + "</text>";
    }
    out_ += "</g>\n";
    double at = x;
    for (const auto& [above_name, above] : drawn.above) {
      const double above_width = width * static_cast<double>(above->value) / static_cast<double>(drawn.value);
      box(above_name, *above, depth + 1, at, above_width);
      at += above_width;
    }
  }

  /// A function has the same in every graph.
  static std::string colour(const std::string& name) {
    u32 hash = 2166136261;  // FNV-1a
    for (const char each : name) hash = (hash ^ static_cast<u8>(each)) * 16777619;
    char text[32];
    std::snprintf(text, sizeof text, "hsl(%u,%u%%,%u%%)", 15 + hash % 40, 70 + hash / 64 % 20,
                  66 + hash / 4096 % 10);
    return text;
  }

  const FlameGraph& graph_;
  double top_;
  std::string& out_;
  Box root_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string flame_graph_svg(const std::vector<FlameGraph>& graphs) {
  std::string body;
  double height = 0;
  for (const FlameGraph& graph : graphs) {
    Drawing drawing(graph, height, body);
    drawing.draw();
    height += drawing.height();
  }
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  put(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\">\n",
      kWidth, height, kWidth, height);
  out +=
      "<style>text{font:12px monospace;pointer-events:none}.title{font:bold 15px sans-serif}"
      "rect:hover{stroke:#000}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  return out + body + "</svg>\n";
}

}  // namespace orrery::cli
