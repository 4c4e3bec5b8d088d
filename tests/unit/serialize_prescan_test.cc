// The pre-scan: malformed wire format, depth, counts.
#include <gtest/gtest.h>
#include <pthread.h>

#include "tapeir.pb-c.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/prescan.h"
#include "serialize/wire.h"
}

namespace {

tir_status Scan(const ProtobufCMessageDescriptor *root,
                const std::string &bytes, tir_error *error,
                std::vector<tir_ser_count> counts = {},
                uint32_t first_extra = 1000) {
  tir_ser_prescan scan = {};
  scan.root = root;
  scan.bytes = reinterpret_cast<const uint8_t *>(bytes.data());
  scan.size = bytes.size();
  scan.bytes_are_text = true;
  scan.first_extra = first_extra;
  scan.counts = counts.data();
  scan.n_counts = counts.size();
  *error = tir_error{};
  return tir_ser_prescan_run(&scan, error);
}

tir_status ScanFile(const std::string &bytes, tir_error *error) {
  return Scan(&tapeir__file__descriptor, bytes, error);
}

std::string Hex(const std::string &digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 3)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

// message Nest { Nest inner = 1; }, which no schema of ours has.
struct Nest {
  Nest() {
    field.name = "inner";
    field.id = 1;
    field.label = PROTOBUF_C_LABEL_NONE;
    field.type = PROTOBUF_C_TYPE_MESSAGE;
    field.descriptor = &message;
    message.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC;
    message.name = message.short_name = "Nest";
    message.n_fields = 1;
    message.fields = &field;
    message.n_field_ranges = 1;
    message.field_ranges = ranges;
  }
  ProtobufCFieldDescriptor field = {};
  ProtobufCMessageDescriptor message = {};
  ProtobufCIntRange ranges[2] = {{1, 0}, {0, 1}};
};

// `depth` messages inside each other, the outermost included.
std::string Nested(int depth) {
  std::vector<std::string> lengths;
  size_t size = 0;
  for (int i = 1; i < depth; i++) {
    lengths.push_back("\x0a" + Wire::VarintBytes(size));
    size += lengths.back().size();
  }
  std::string bytes;
  for (size_t i = lengths.size(); i > 0; i--) bytes += lengths[i - 1];
  return bytes;
}

}  // namespace

TEST(SerializePrescan, MalformedWireFormat) {
  const struct {
    const char *bytes;
    const char *message;  // nullptr: well-formed
  } cases[] = {
      {"", nullptr},
      {"0a 00 ", nullptr},
      {"0a 80 80 80 80 00 ", "File: varint is longer than it needs to be"},
      {"0a ff ff ff ff 0f ", "File: content runs past the end"},
      {"0a 01 ", "File: content runs past the end"},
      {"0a 80 ", "File: varint runs past the end"},
      {"0a ", "File: varint runs past the end"},
      {"80 ", "File: varint runs past the end"},
      {"8a 00 00 ", "File: varint is longer than it needs to be"},
      {"0a ff ff ff ff ff ff ff ff ff ff 01 ",
       "File: varint does not fit 64 bits"},
      {"0a ff ff ff ff ff ff ff ff ff 02 ",
       "File: varint does not fit 64 bits"},
      {"0b ", "File: group fields are not allowed"},
      {"0c ", "File: group fields are not allowed"},
      {"0e ", "File: wire type is not known"},
      {"0f ", "File: wire type is not known"},
      {"00 00 ", "File: field number is out of range"},
      {"02 00 ", "File: field number is out of range"},
      {"ff ff ff ff 7f 00 ", "File: field number is out of range"},
      // Tensor: dtype, dims, offset, xxh3 by other wire types.
      {"08 00 ", "File.tensors: wire type does not match the schema"},
      {"0a 02 08 00 ", "Tensor.dtype: wire type does not match the schema"},
      {"0a 05 15 00 00 00 00 ",
       "Tensor.dims: wire type does not match the schema"},
      {"0a 02 1a 00 ", "Tensor.offset: wire type does not match the schema"},
      {"0a 02 28 00 ", "Tensor.xxh3: wire type does not match the schema"},
      {"0a 06 29 00 00 00 00 00 ", "Tensor: 8-byte field runs past the end"},
      {"0a 04 2d 00 00 00 ", "Tensor: 4-byte field runs past the end"},
      // Packed and unpacked numbers.
      {"0a 04 12 02 01 02 ", nullptr},
      {"0a 04 10 01 10 02 ", nullptr},
      {"0a 03 12 01 80 ", "Tensor.dims: varint runs past the end"},
      {"0a 04 12 02 80 00 ",
       "Tensor.dims: varint is longer than it needs to be"},
      // A param's tensor number is 32 bits wide.
      {"12 06 18 ff ff ff ff 0f ", nullptr},
      {"12 06 18 80 80 80 80 10 ", "Param.tensor: value does not fit 32 bits"},
      // A truth value is 0 or 1.
      {"1a 06 32 04 22 02 20 01 ", nullptr},
      {"1a 06 32 04 22 02 20 02 ", "Attribute.truth: bool is neither 0 nor 1"},
      // Text.
      {"22 03 0a 01 41 ", nullptr},
      {"22 03 0a 01 00 ", "Metadata.key: string is not UTF-8 without NUL"},
      {"22 03 0a 01 ff ", "Metadata.key: string is not UTF-8 without NUL"},
      {"22 04 0a 02 c0 80 ", "Metadata.key: string is not UTF-8 without NUL"},
      {"22 05 0a 03 ed a0 80 ",
       "Metadata.key: string is not UTF-8 without NUL"},
      // Unknown fields: refused below 1000, skipped from there on.
      {"30 00 ",
       "File: field 6 is not known to this version: the file needs a "
       "newer one"},
      {"b8 3e 00 ",
       "File: field 999 is not known to this version: the file "
       "needs a newer one"},
      {"c0 3e 00 ", nullptr},
      {"c2 3e 03 ff ff ff ", nullptr},
  };
  for (const auto &c : cases) {
    tir_error error = {};
    const tir_status status = ScanFile(Hex(c.bytes), &error);
    EXPECT_STREQ(error.message, c.message ? c.message : "") << c.bytes;
    EXPECT_EQ(status == TIR_OK, c.message == nullptr) << c.bytes;
  }
}

TEST(SerializePrescan, LengthOfEveryMessageOffByOne) {
  const std::string inner = Wire().Bytes(1, "f32").Packed(2, {3, 4});
  for (const int delta : {-1, 1}) {
    std::string bytes = "\x0a";
    bytes += Wire::VarintBytes(inner.size() + static_cast<size_t>(delta));
    tir_error error = {};
    EXPECT_EQ(ScanFile(bytes + inner, &error), TIR_ERR_FORMAT) << delta;
    EXPECT_NE(error.byte_offset, UINT64_MAX);
  }
}

TEST(SerializePrescan, Depth) {
  static const Nest nest;
  tir_error error = {};
  for (int depth = 1; depth <= 200; depth++) {
    const tir_status status = Scan(&nest.message, Nested(depth), &error);
    EXPECT_EQ(status, depth <= TIR_SER_MAX_DEPTH ? TIR_OK : TIR_ERR_LIMIT)
        << depth;
  }
  EXPECT_STREQ(error.message, "Nest.inner: nesting deeper than 32");
  for (const int depth : {3000, 100000})
    EXPECT_EQ(Scan(&nest.message, Nested(depth), &error), TIR_ERR_LIMIT);
}

TEST(SerializePrescan, DepthOnASmallStack) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 128 << 10);
  pthread_t thread;
  const auto run = [](void *) -> void * {
    static const Nest nest;
    tir_error error = {};
    EXPECT_EQ(Scan(&nest.message, Nested(100000), &error), TIR_ERR_LIMIT);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attr, run, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
}

TEST(SerializePrescan, CountsFieldsAndPackedElements) {
  const std::string dims = Wire().Packed(2, {1, 2, 300}).Varint(2, 4);
  const std::string bytes = Wire().Bytes(1, dims).Bytes(1, dims).Bytes(2, "");
  const auto count = [&bytes](const ProtobufCMessageDescriptor *message,
                              uint32_t field, uint64_t limit,
                              tir_error *error) {
    return Scan(&tapeir__file__descriptor, bytes, error,
                {{message, field, "things", limit, 0}});
  };
  tir_error error = {};
  EXPECT_EQ(count(&tapeir__tensor__descriptor, 2, 8, &error), TIR_OK);
  EXPECT_EQ(count(&tapeir__tensor__descriptor, 2, 7, &error), TIR_ERR_LIMIT);
  EXPECT_STREQ(error.message, "more than 7 things");
  EXPECT_EQ(count(&tapeir__file__descriptor, 1, 2, &error), TIR_OK);
  EXPECT_EQ(count(&tapeir__file__descriptor, 1, 1, &error), TIR_ERR_LIMIT);
  EXPECT_EQ(count(&tapeir__param__descriptor, 1, 0, &error), TIR_OK);
}

// Whatever passes, protobuf-c unpacks; whatever it would cut or misread, the
// pre-scan refuses. Random small messages, many of them nearly right.
TEST(SerializePrescan, WhatPassesUnpacks) {
  uint64_t state = 1;
  const auto next = [&state] {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return state >> 33;
  };
  int n_passed = 0;
  for (int i = 0; i < 20000; i++) {
    std::string bytes;
    const int n = static_cast<int>(next() % 12);
    for (int k = 0; k < n; k++)
      bytes += static_cast<char>(next() % 3 ? next() % 48 : next());
    tir_error error = {};
    const tir_status status =
        Scan(&tapeir__node__descriptor, bytes, &error, {}, 0);
    if (status != TIR_OK) continue;
    n_passed++;
    Tapeir__Node *node = tapeir__node__unpack(
        nullptr, bytes.size(), reinterpret_cast<const uint8_t *>(bytes.data()));
    ASSERT_NE(node, nullptr) << i;
    tapeir__node__free_unpacked(node, nullptr);
  }
  EXPECT_GT(n_passed, 500);
}
