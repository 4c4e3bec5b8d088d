// Attributes through their schema.
#include <math.h>

#include <limits>

#include "tests/support/text_graph.h"

extern "C" {
#include "ir/attr.h"
}

namespace {

struct Attrs {
  int64_t count;
  double ratio;
  int64_t flag;
  int64_t dtype;
  tir_ir_ints axes;
};

const tir_ir_attr kSchema[] = {
    {"count", TIR_ATTR_I64, offsetof(Attrs, count), -1, 0, false},
    {"ratio", TIR_ATTR_F64, offsetof(Attrs, ratio), 0, 0.5, false},
    {"flag", TIR_ATTR_BOOL, offsetof(Attrs, flag), 1, 0, false},
    {"dtype", TIR_ATTR_DTYPE, offsetof(Attrs, dtype), TIR_DTYPE_F32, 0, true},
    {"axes", TIR_ATTR_INTS, offsetof(Attrs, axes), 0, 0, false},
};

tir_op_desc Desc() {
  tir_op_desc desc = {};
  desc.name = "op";
  desc.attrs = kSchema;
  desc.n_attrs = 5;
  desc.attrs_size = sizeof(Attrs);
  return desc;
}

Attrs Default(const tir_op_desc &desc) {
  Attrs attrs;
  memset(&attrs, 0xee, sizeof attrs);
  tir_ir_attrs_default(&desc, &attrs);
  return attrs;
}

TEST(Attr, Defaults) {
  const tir_op_desc desc = Desc();
  const Attrs attrs = Default(desc);
  EXPECT_EQ(attrs.count, -1);
  EXPECT_EQ(attrs.ratio, 0.5);
  EXPECT_EQ(attrs.flag, 1);
  EXPECT_EQ(attrs.dtype, TIR_DTYPE_F32);
  EXPECT_EQ(attrs.axes.n, 0);
  EXPECT_EQ(attrs.axes.v[7], 0);
  for (const tir_ir_attr &attr : kSchema)
    EXPECT_EQ(tir_ir_attr_is_default(&attr, &attrs), !attr.required);
}

TEST(Attr, FindByName) {
  const tir_op_desc desc = Desc();
  EXPECT_EQ(tir_ir_attr_find(&desc, "flag", 4), &kSchema[2]);
  EXPECT_EQ(tir_ir_attr_find(&desc, "flags", 5), nullptr);
  EXPECT_EQ(tir_ir_attr_find(&desc, "fla", 3), nullptr);
  EXPECT_EQ(tir_ir_attr_find(&desc, "", 0), nullptr);
}

TEST(Attr, EveryFieldCountsForEqualityAndHash) {
  const tir_op_desc desc = Desc();
  const Attrs a = Default(desc);
  const auto differs = [&](Attrs b) {
    EXPECT_FALSE(tir_ir_attrs_equal(&desc, &a, &b));
    EXPECT_FALSE(tir_ir_attrs_equal(&desc, &b, &a));
    EXPECT_NE(tir_ir_attrs_hash(&desc, &a), tir_ir_attrs_hash(&desc, &b));
  };
  Attrs b = a;
  EXPECT_TRUE(tir_ir_attrs_equal(&desc, &a, &b));
  EXPECT_EQ(tir_ir_attrs_hash(&desc, &a), tir_ir_attrs_hash(&desc, &b));
  differs((b = a, b.count = 0, b));
  differs((b = a, b.ratio = 0.25, b));
  differs((b = a, b.flag = 0, b));
  differs((b = a, b.dtype = TIR_DTYPE_I64, b));
  differs((b = a, b.axes.n = 1, b));
}

TEST(Attr, FloatsCompareAsBits) {
  const tir_op_desc desc = Desc();
  Attrs a = Default(desc), b = a;
  a.ratio = 0.0;
  b.ratio = -0.0;
  EXPECT_FALSE(tir_ir_attrs_equal(&desc, &a, &b));
  a.ratio = b.ratio = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(tir_ir_attrs_equal(&desc, &a, &b));
}

TEST(Attr, EntriesPastTheListDoNotCount) {
  const tir_op_desc desc = Desc();
  Attrs a = Default(desc);
  a.axes = {2, {1, 2}};
  Attrs b = a;
  b.axes.v[2] = 99;
  EXPECT_TRUE(tir_ir_attrs_equal(&desc, &a, &b));
  EXPECT_EQ(tir_ir_attrs_hash(&desc, &a), tir_ir_attrs_hash(&desc, &b));
  b.axes.v[1] = 99;
  EXPECT_FALSE(tir_ir_attrs_equal(&desc, &a, &b));
}

TEST(Attr, WithoutASchemaAllBytesCount) {
  tir_op_desc desc = {};
  EXPECT_TRUE(tir_ir_attrs_equal(&desc, "", ""));
  EXPECT_EQ(tir_ir_attrs_hash(&desc, ""), 0u);
  desc.attrs_size = 16;
  const uint64_t a[2] = {1, 2}, b[2] = {1, 3};
  EXPECT_TRUE(tir_ir_attrs_equal(&desc, a, a));
  EXPECT_FALSE(tir_ir_attrs_equal(&desc, a, b));
  EXPECT_NE(tir_ir_attrs_hash(&desc, a), tir_ir_attrs_hash(&desc, b));
}

TEST(Attr, CheckRefusesWhatTheKindForbids) {
  const tir_op_desc desc = Desc();
  const Attrs good = Default(desc);
  tir_error error = {};
  EXPECT_EQ(tir_ir_attrs_check(&desc, &good, &error), TIR_OK);
  const auto refuses = [&](Attrs b, const char *message) {
    EXPECT_EQ(tir_ir_attrs_check(&desc, &b, &error), TIR_ERR_ARGUMENT);
    EXPECT_STREQ(error.message, message);
    EXPECT_EQ(tir_ir_attrs_check(&desc, &b, nullptr), TIR_ERR_ARGUMENT);
  };
  Attrs b;
  refuses((b = good, b.flag = 2, b), "op: flag is 2, expected 0 or 1");
  refuses((b = good, b.dtype = 0, b), "op: dtype is 0, which is no dtype");
  refuses((b = good, b.dtype = TIR_N_DTYPES, b),
          "op: dtype is 11, which is no dtype");
  refuses((b = good, b.axes.n = 9, b),
          "op: axes has 9 entries, expected 0 to 8");
  refuses((b = good, b.axes.n = INT64_MIN, b),
          "op: axes has -9223372036854775808 entries, expected 0 to 8");
}

}  // namespace
