#include <gtest/gtest.h>

#include "base/md5_hosted.h"

namespace orrery {
namespace {

TEST(Md5, IsAsTheRfcSays) {
  EXPECT_EQ(md5_digits(md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_digits(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(
      md5_digits(md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890")),
      "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  const std::span<const u8> bytes(reinterpret_cast<const u8*>(text.data()), text.size());
  for (u64 size = 0; size <= text.size(); ++size)
    for (const u64 piece : {u64{1}, u64{13}, u64{63}, u64{64}, u64{65}}) {
      Md5Sum sum;
      for (u64 at = 0; at < size; at += piece) sum.add(bytes.subspan(at, std::min(piece, size - at)));
      EXPECT_EQ(sum.end(), md5(bytes.first(size))) << size;
    }
}

TEST(Md5, ReadsItsOwnDigitsOnly) {
  EXPECT_EQ(parse_md5("900150983cd24fb0d6963f7d28e17f72"), md5("abc"));
  for (const char* wrong : {"", "900150983cd24fb0d6963f7d28e17f7", "900150983cd24fb0d6963f7d28e17f7/",
                            "900150983CD24FB0D6963F7D28E17F72", "../../../../../../../../etc/passwd"})
    EXPECT_FALSE(parse_md5(wrong)) << wrong;
}

}  // namespace
}  // namespace orrery
