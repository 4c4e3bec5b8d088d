// The header of a .tir file: every field against wrong values, with and
// without a right header checksum.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

namespace {

struct Field {
  const char *name;
  size_t offset;
  size_t size;
};

const Field kFields[] = {{"magic", 0, 8},          {"major", 8, 2},
                         {"minor", 10, 2},         {"flags", 12, 4},
                         {"graph_bytes", 16, 8},   {"tensor_offset", 24, 8},
                         {"tensor_bytes", 32, 8},  {"file_bytes", 40, 8},
                         {"graph_hash", 48, 8},    {"reserved first", 56, 8},
                         {"reserved last", 112, 8}};

class SerializeHeader : public testing::Test {
 protected:
  void SetUp() override {
    context_ = MakeContext();
    const Owned<tir_module> module(MakeStepModule(context_.get()));
    bytes_ = SaveBytes(module.get());
  }

  static uint64_t Get(const std::string &bytes, const Field &field) {
    uint64_t value = 0;
    memcpy(&value, bytes.data() + field.offset, field.size);
    return value;
  }
  static std::string With(std::string bytes, const Field &field,
                          uint64_t value) {
    memcpy(&bytes[field.offset], &value, field.size);
    return bytes;
  }
  static std::string Rehash(std::string bytes) {
    const uint64_t hash = tir_base_hash(bytes.data(), 120);
    memcpy(&bytes[120], &hash, 8);
    return bytes;
  }
  tir_status Load(const std::string &bytes, tir_error *error) {
    *error = tir_error{};
    const Owned<tir_module> module(LoadBytes(context_.get(), bytes, error));
    return error->status;
  }

  Owned<tir_context> context_;
  std::string bytes_;
  tir_error error_ = {};
};

}  // namespace

TEST_F(SerializeHeader, EveryFieldAgainstExtremes) {
  for (const Field &field : kFields) {
    const uint64_t good = Get(bytes_, field);
    const uint64_t max =
        field.size == 8 ? UINT64_MAX : (uint64_t{1} << (8 * field.size)) - 1;
    for (const uint64_t value :
         {uint64_t{0}, uint64_t{1}, max, max - 1, max / 2, max / 2 + 1,
          good - 1, good + 1, good + 64, good + 4096}) {
      if ((value & max) == good) continue;
      const std::string bad = With(bytes_, field, value & max);
      SCOPED_TRACE(field.name);
      SCOPED_TRACE(value & max);
      // The checksum of the header finds it …
      EXPECT_EQ(Load(bad, &error_), TIR_ERR_FORMAT);
      // … and when that fits, the field itself, except a newer minor.
      const tir_status status = Load(Rehash(bad), &error_);
      if (field.offset == 10) {
        EXPECT_EQ(status, TIR_OK) << error_.message;
      } else if (field.offset == 8 || field.offset == 12) {
        EXPECT_EQ(status, TIR_ERR_UNSUPPORTED);
      } else {
        EXPECT_EQ(status, TIR_ERR_FORMAT);
      }
      if (status != TIR_OK) {
        EXPECT_LT(error_.byte_offset, uint64_t{TIR_SER_HEADER_BYTES} + 1);
      }
    }
  }
}

// Sizes that agree with each other but not with the file, and sums that wrap.
TEST_F(SerializeHeader, AgreeingSizesThatAreWrong) {
  for (const uint64_t tensor_bytes :
       {uint64_t{0}, uint64_t{1} << 40, uint64_t{1} << 62,
        uint64_t{INT64_MAX} - 4095, UINT64_MAX - 64, UINT64_MAX - 8191}) {
    std::string bad = With(bytes_, kFields[6], tensor_bytes);
    bad = With(bad, kFields[7], tensor_bytes + Get(bad, kFields[5]));
    EXPECT_EQ(Load(Rehash(bad), &error_), TIR_ERR_FORMAT) << tensor_bytes;
  }
  for (const uint64_t graph_bytes :
       {uint64_t{1} << 31, uint64_t{1} << 33, UINT64_MAX - 127}) {
    std::string bad = With(bytes_, kFields[4], graph_bytes);
    bad = With(bad, kFields[5], (graph_bytes + 128 + 4095) & ~uint64_t{4095});
    EXPECT_EQ(Load(Rehash(bad), &error_), TIR_ERR_FORMAT) << graph_bytes;
  }
}

TEST_F(SerializeHeader, MessagesSayWhatIsWrong) {
  Load("", &error_);
  EXPECT_STREQ(error_.message, "load: file is empty");
  Load("PK\x03\x04 a zip file", &error_);
  EXPECT_STREQ(error_.message,
               "load: not a .tir file: it does not start with TAPEIR");
  Load(bytes_.substr(0, 100), &error_);
  EXPECT_STREQ(error_.message, "load: file has 100 bytes, a header has 128");
  EXPECT_EQ(error_.byte_offset, 100u);
  Load(bytes_ + "x", &error_);
  EXPECT_NE(std::string(error_.message).find("bytes were added"),
            std::string::npos);
  Load(bytes_.substr(0, bytes_.size() - 1), &error_);
  EXPECT_NE(std::string(error_.message).find("it was cut short"),
            std::string::npos);
  Load(Rehash(With(bytes_, kFields[1], 7)), &error_);
  EXPECT_STREQ(error_.message,
               "load: file format 7.1 is not known: this version reads 0.x");
  EXPECT_EQ(error_.byte_offset, 8u);
  Load(Rehash(With(bytes_, kFields[3], 0x20)), &error_);
  EXPECT_STREQ(error_.message,
               "load: file format 0.1 needs features 0x20 that this version "
               "does not know");
  // A transfer that rewrites line ends.
  std::string text = bytes_;
  text.erase(6, 1);
  EXPECT_EQ(Load(text, &error_), TIR_ERR_FORMAT);
}

TEST_F(SerializeHeader, WritesTheLowestVersion) {
  EXPECT_EQ(Get(bytes_, kFields[1]), 0u);
  EXPECT_EQ(Get(bytes_, kFields[2]), 1u);
  EXPECT_EQ(Get(bytes_, kFields[3]), 0u);
}
