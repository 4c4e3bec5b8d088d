// Types: equality, text, checks, broadcasting, axes.
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "tests/support/internal.h"

namespace {

tir_ir_type Type(tir_dtype dtype, std::initializer_list<int64_t> dims,
                 std::initializer_list<uint32_t> symbols = {}) {
  tir_ir_type type = {};
  type.dtype = dtype;
  for (int64_t dim : dims) type.dims[type.rank++] = dim;
  int i = 0;
  for (uint32_t symbol : symbols) type.symbols[i++] = symbol;
  return type;
}

tir_ir_type F32(std::initializer_list<int64_t> dims,
                std::initializer_list<uint32_t> symbols = {}) {
  return Type(TIR_DTYPE_F32, dims, symbols);
}

std::string Text(const tir_ir_type &type) {
  char buffer[TIR_TYPE_TEXT_MAX];
  return tir_ir_type_text(&type, buffer);
}

TEST(Type, Equality) {
  const tir_ir_type a = F32({4, 3}), symbolic = F32({4, 3}, {7, 0});
  const tir_ir_type f64 = Type(TIR_DTYPE_F64, {4, 3}), other = F32({4, 2});
  const tir_ir_type longer = F32({4, 3, 1});
  EXPECT_TRUE(tir_ir_type_equal(&a, &a));
  EXPECT_FALSE(tir_ir_type_equal(&a, &symbolic));
  EXPECT_FALSE(tir_ir_type_equal(&a, &f64));
  EXPECT_FALSE(tir_ir_type_equal(&a, &other));
  EXPECT_FALSE(tir_ir_type_equal(&a, &longer));
  EXPECT_TRUE(tir_ir_same_shape(&a, &symbolic));
  EXPECT_TRUE(tir_ir_same_shape(&a, &f64));
  EXPECT_FALSE(tir_ir_same_shape(&a, &other));
  EXPECT_FALSE(tir_ir_same_shape(&a, &longer));
}

// What lies behind the rank is no part of the type.
TEST(Type, DimsBehindTheRankDoNotCount) {
  tir_ir_type a = F32({4}), b = F32({4});
  a.dims[1] = 9;
  a.symbols[1] = 3;
  EXPECT_TRUE(tir_ir_type_equal(&a, &b));
}

TEST(Type, TextAndSizes) {
  EXPECT_EQ(Text(F32({})), "f32[]");
  EXPECT_EQ(Text(Type(TIR_DTYPE_BF16, {4, 0})), "bf16[4, 0]");
  const int64_t big = INT64_MIN;
  const tir_ir_type widest =
      Type(TIR_DTYPE_BOOL, {big, big, big, big, big, big, big, big});
  EXPECT_EQ(Text(widest).size(), 4 + 2 + 8 * 20 + 7 * 2u);
  char buffer[TIR_TYPE_TEXT_MAX];
  const tir_ir_type type = F32({4, 3});
  EXPECT_STREQ(tir_ir_shape_text(&type, buffer), "[4, 3]");
  EXPECT_EQ(tir_ir_type_numel(&type), 12);
  EXPECT_EQ(tir_ir_type_bytes(&type), 48u);
}

TEST(Type, Check) {
  tir_error error;
  tir_ir_type type = F32({4, 0});
  EXPECT_EQ(tir_ir_type_check(&type, &error), TIR_OK);
  type.dtype = TIR_DTYPE_INVALID;
  EXPECT_EQ(tir_ir_type_check(&type, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "dtype 0 does not exist");
  type = F32({4, -1});
  EXPECT_EQ(tir_ir_type_check(&type, &error), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "dim 1 is -1, expected 0 or more");
  type = F32({INT64_C(1) << 61});
  EXPECT_EQ(tir_ir_type_check(&type, &error), TIR_ERR_LIMIT);
  EXPECT_STREQ(error.message,
               "f32[2305843009213693952] takes more than "
               "9223372036854775807 bytes");
  type.rank = 9;
  EXPECT_EQ(tir_ir_type_check(&type, &error), TIR_ERR_ARGUMENT);
  type.rank = -1;
  EXPECT_EQ(tir_ir_type_check(&type, nullptr), TIR_ERR_ARGUMENT);
}

struct BroadcastCase {
  tir_ir_type a, b;
  bool fits;
  tir_ir_type out;
};

TEST(Type, Broadcast) {
  const std::vector<BroadcastCase> cases = {
      {F32({}), F32({}), true, F32({})},
      {F32({4, 3}), F32({}), true, F32({4, 3})},
      {F32({4, 3}), F32({3}), true, F32({4, 3})},
      {F32({4, 1}), F32({1, 3}), true, F32({4, 3})},
      {F32({4, 3}), F32({4}), false, F32({})},
      {F32({2, 1, 3}), F32({5, 1}), true, F32({2, 5, 3})},
      {F32({0}), F32({1}), true, F32({0})},
      {F32({0}), F32({4}), false, F32({})},
      {F32({0, 3}), F32({3}), true, F32({0, 3})},
      // Symbols: stretched by, kept beside a fixed dim, of two the first.
      {F32({4}, {7}), F32({1}), true, F32({4}, {7})},
      {F32({4}, {7}), F32({4}), true, F32({4}, {7})},
      {F32({4}, {7}), F32({4}, {8}), true, F32({4}, {7})},
      {F32({1}, {7}), F32({1}), true, F32({1}, {7})},
      {F32({1}, {7}), F32({4}), true, F32({4})},
      {F32({3}), F32({4, 3}, {7, 0}), true, F32({4, 3}, {7, 0})},
  };
  for (const BroadcastCase &c : cases) {
    tir_ir_type out = F32({99});
    ASSERT_EQ(tir_ir_broadcast(&c.a, &c.b, &out), c.fits)
        << Text(c.a) << " " << Text(c.b);
    const tir_ir_type untouched = F32({99});
    EXPECT_TRUE(tir_ir_type_equal(&out, c.fits ? &c.out : &untouched))
        << Text(c.a) << " " << Text(c.b) << " " << Text(out);
    ASSERT_EQ(tir_ir_broadcast(&c.b, &c.a, &out), c.fits);
    if (c.fits) {
      EXPECT_TRUE(tir_ir_same_shape(&out, &c.out));
    }
  }
}

TEST(Type, BroadcastInPlaceKeepsTheDtype) {
  tir_ir_type a = Type(TIR_DTYPE_I64, {1, 3});
  const tir_ir_type b = F32({4, 1});
  ASSERT_TRUE(tir_ir_broadcast(&a, &b, &a));
  EXPECT_EQ(Text(a), "i64[4, 3]");
}

TEST(Type, Axis) {
  for (int rank = 0; rank <= TIR_MAX_RANK; rank++)
    for (int64_t axis = -10; axis <= 10; axis++) {
      int out = 55;
      const bool in_range = axis >= -rank && axis < rank;
      ASSERT_EQ(tir_ir_axis(axis, rank, &out), in_range);
      ASSERT_EQ(
          out, !in_range ? 0 : static_cast<int>(axis < 0 ? axis + rank : axis));
    }
  int out = 0;
  EXPECT_FALSE(tir_ir_axis(INT64_MIN, 4, &out));
  EXPECT_FALSE(tir_ir_axis(INT64_MAX, 4, &out));
}

}  // namespace
