#include "cli/place_text.h"

#include "base/base_name.h"
#include "lens/code_place.h"

namespace orrery::cli {

std::string line_text(const std::optional<std::string>& file, const std::optional<u32>& line) {
  if (!file || !line) return "";
  return std::string(base_name(*file)) + ":" + std::to_string(*line);
}

std::string object_text(const std::optional<std::string>& object) {
  return "[" + (object ? std::string(base_name(*object)) : "made at run time") + "]";
}

std::string function_text(const std::optional<std::string>& function) {
  return function ? lens::short_function(*function) : "code without a symbol";
}

}  // namespace orrery::cli
