#include "elf/debug_section_hosted.h"

#include <elf.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace orrery::elf {
namespace {

constexpr u32 kZlib = 1, kZstd = 2;  // ch_type; glibc 2.36's elf.h has no name for the second
/// Compressed bytes may stand for a thousand times as many. Nothing that is shown needs more than this.
constexpr u64 kExpandedMost = u64{256} << 20;
constexpr u64 kStep = 64 << 10;

}  // namespace

/// Hands out the next bytes of a compressed stream.
struct DebugSection::Expander {
  std::span<const u8> input;
  u32 type = 0;
  bool ended = false;
  z_stream zlib{};
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> zstd{nullptr, ZSTD_freeDCtx};
  u64 zstd_read = 0;

  Expander(std::span<const u8> bytes, u32 wanted) : input(bytes), type(wanted) {
    if (type == kZstd) {
      zstd.reset(ZSTD_createDCtx());
      ended = zstd == nullptr;
      return;
    }
    zlib.next_in = const_cast<u8*>(input.data());  // zlib reads only
    zlib.avail_in = static_cast<uInt>(std::min<u64>(input.size(), ~uInt{0}));
    ended = type != kZlib || inflateInit(&zlib) != Z_OK;
  }
  ~Expander() {
    if (type == kZlib) inflateEnd(&zlib);
  }
  Expander(const Expander&) = delete;
  Expander& operator=(const Expander&) = delete;

  /// How many bytes of `room` were written. Damaged input ends the stream.
  u64 next(std::span<u8> room) {
    if (ended) return 0;
    if (type == kZstd) {
      ZSTD_outBuffer out{room.data(), room.size(), 0};
      ZSTD_inBuffer in{input.data(), input.size(), zstd_read};
      const size_t code = ZSTD_decompressStream(zstd.get(), &out, &in);
      ended = ZSTD_isError(code) != 0 || (out.pos < out.size && in.pos == in.size);
      zstd_read = in.pos;
      return out.pos;
    }
    zlib.next_out = room.data();
    zlib.avail_out = static_cast<uInt>(room.size());
    ended = inflate(&zlib, Z_NO_FLUSH) != Z_OK;
    return room.size() - zlib.avail_out;
  }
};

DebugSection::~DebugSection() = default;

DebugSection::DebugSection(ElfFile& file, std::string_view name) : section_(file.find_section(name)) {
  if (!section_) {
    section_ = file.find_section(".z" + std::string(name.substr(1)));
    if (!section_) return;
  }
  if (!section_->has_file_bytes()) {  // what `strip` took away
    section_.reset();
    return;
  }
  bytes_ = FileBytes(file.contents(*section_), file.bytes().wide(), file.bytes().big_endian());
  size_ = bytes_.size();
  find_compression(file, file.section_name(*section_));
}

void DebugSection::find_compression(ElfFile& file, std::string_view name) {
  u64 head = 0;
  u32 type = kZlib;
  if ((section_->flags & SHF_COMPRESSED) != 0) {
    Fields fields(bytes_, 0);
    type = fields.word();
    if (bytes_.wide()) fields.word();
    size_ = fields.address();
    fields.address();
    head = fields.offset();
  } else if (name.starts_with(".z") && bytes_.size() > 12 &&
             std::memcmp(bytes_.all().data(), "ZLIB", 4) == 0) {
    size_ = FileBytes(bytes_.all(), true, true).number(4, 8);
    head = 12;
  } else {
    return;
  }
  if (type != kZlib && type != kZstd) {
    file.damaged(section_->offset, "section " + std::string(name) +
                                       " is compressed in an unknown way: " + std::to_string(type));
  }
  expander_ = std::make_unique<Expander>(bytes_.part(head, bytes_.size()), type);
  size_ = std::min(size_, kExpandedMost);
  bytes_ = FileBytes({}, bytes_.wide(), bytes_.big_endian());
}

const FileBytes& DebugSection::up_to(u64 end) {
  if (!expander_) return bytes_;
  const u64 wanted = std::min(end, size_);
  while (expanded_.size() < wanted && !expander_->ended) {
    const u64 have = expanded_.size(), room = std::min(std::max(kStep, have), size_ - have);
    expanded_.resize(have + room);
    expanded_.resize(have + expander_->next(std::span(expanded_).subspan(have)));
  }
  bytes_ = FileBytes(expanded_, bytes_.wide(), bytes_.big_endian());
  return bytes_;
}

std::string DebugSection::text(u64 offset) {
  constexpr u64 kTextMost = 64 << 10;
  const std::span<const u8> bytes = up_to(offset + kTextMost).part(offset, kTextMost);
  const void* end = bytes.empty() ? nullptr : std::memchr(bytes.data(), 0, bytes.size());
  if (end == nullptr) return "";
  const char* text = reinterpret_cast<const char*>(bytes.data());
  return {text, static_cast<std::size_t>(static_cast<const char*>(end) - text)};
}

u64 DebugSection::file_offset(u64 offset) const {
  if (!section_) return 0;
  return expander_ ? section_->offset : section_->offset + offset;
}

}  // namespace orrery::elf
