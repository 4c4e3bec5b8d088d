// Reductions and the softmax family against the reference.

#include <algorithm>

#include "tests/support/kernel_call.h"

namespace tapeir_test {
namespace {

const std::vector<tir_dtype> kFloats = {TIR_DTYPE_F32, TIR_DTYPE_F64};
const std::vector<tir_dtype> kNumbers = {
    TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I8, TIR_DTYPE_U8,
    TIR_DTYPE_I16, TIR_DTYPE_I32, TIR_DTYPE_I64};

std::vector<int64_t> Reduced(const std::vector<int64_t> &dims,
                             const std::vector<int64_t> &axes) {
  std::vector<int64_t> out;
  for (size_t a = 0; a < dims.size(); a++) {
    bool gone = axes.empty();
    for (int64_t axis : axes) gone |= axis == static_cast<int64_t>(a);
    if (!gone) out.push_back(dims[a]);
  }
  return out;
}

struct Shape {
  std::vector<int64_t> dims, axes;
};

// Rows, columns, both, ranks that merge and ranks that do not, and sizes on
// either side of every block of the trees.
const std::vector<Shape> &Shapes() {
  static const std::vector<Shape> shapes = {
      {{}, {}},
      {{1}, {0}},
      {{1, 1}, {1}},
      {{5}, {}},
      {{31}, {0}},
      {{32}, {0}},
      {{33}, {0}},
      {{1023}, {0}},
      {{1024}, {0}},
      {{1025}, {0}},
      {{5000}, {0}},
      {{3, 7}, {1}},
      {{3, 7}, {0}},
      {{40, 3}, {1}},
      {{6, 200}, {1}},
      {{200, 6}, {0}},
      {{31, 130}, {0}},
      {{32, 129}, {0}},
      {{33, 128}, {0}},
      {{65, 127}, {0}},
      {{2, 3, 4}, {0, 2}},
      {{2, 3, 4}, {1}},
      {{2, 3, 4, 5}, {0, 1}},
      {{2, 3, 4, 5}, {2, 3}},
      {{2, 3, 4, 5}, {1, 3}},
      {{2, 3, 4, 5}, {0, 2}},
      {{4, 5, 300}, {0, 2}},
      {{3, 40, 7}, {1}},
      {{3, 1, 7}, {1}},
      {{2, 1100, 3}, {1}},
      {{0, 4}, {0}},
      {{4, 0}, {1}},
      {{0, 4}, {1}},
      {{3, 4}, {0, 1}},
      {{1, 9}, {0}},
  };
  return shapes;
}

double Gamma(double k, tir_dtype dtype) {
  const double u = dtype == TIR_DTYPE_F64 ? 0x1p-53 : 0x1p-24;
  return k * u / (1 - k * u);
}

void Check(tir_op op, tir_dtype dtype, const Shape &shape, bool tricky,
           uint64_t seed) {
  TestRandom random(seed);
  Buffer x(TypeOf(dtype, shape.dims), seed % 3 * tir_dtype_size(dtype));
  if (tricky)
    FillTricky(&x, &random);
  else
    FillUniform(&x, &random);
  tir_attrs_reduce attrs = {};
  attrs.axes = IntsOf(shape.axes);
  KernelCall call(op);
  const std::vector<int64_t> out = Reduced(shape.dims, shape.axes);
  call.Attrs(attrs).In(x).Out(TypeOf(dtype, out));
  const tir_status wanted = call.Reference();
  const double terms = static_cast<double>(x.count());
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    ASSERT_EQ(call.Run(options), wanted);
    if (wanted != TIR_OK) continue;
    const bool exact = op == TIR_OP_REDUCE_MAX || !tir_ir_dtype_is_float(dtype);
    ASSERT_TRUE(
        exact ? SameBits(call.out(), call.wanted())
              : WithinBound(call.out(), call.wanted(),
                            2 * Gamma(terms + 2, dtype) * std::max(1.0, terms)))
        << tir_ir_op_desc(op)->name << " " << tir_dtype_name(dtype) << " shape "
        << &shape - Shapes().data() << " level " << level;
  }
}

TEST(ReduceKernels, SumAgreesWithReference) {
  for (tir_dtype dtype : kNumbers)
    for (const Shape &shape : Shapes())
      Check(TIR_OP_REDUCE_SUM, dtype, shape, !tir_ir_dtype_is_float(dtype), 1);
}

TEST(ReduceKernels, MeanAgreesWithReference) {
  for (tir_dtype dtype : kFloats)
    for (const Shape &shape : Shapes())
      Check(TIR_OP_REDUCE_MEAN, dtype, shape, false, 2);
}

TEST(ReduceKernels, MaxAgreesWithReferenceBitForBit) {
  for (tir_dtype dtype : kNumbers)
    for (const Shape &shape : Shapes())
      for (uint64_t seed = 0; seed < 3; seed++)
        Check(TIR_OP_REDUCE_MAX, dtype, shape, seed > 0, seed);
}

TEST(ReduceKernels, NormAgreesWithReference) {
  for (tir_dtype dtype : kFloats)
    for (const Shape &shape : Shapes())
      Check(TIR_OP_NORM, dtype, shape, false, 3);
}

// A sum of −0 alone is −0: lanes that hold nothing must not add +0.
TEST(ReduceKernels, KeepNegativeZero) {
  for (tir_dtype dtype : kFloats)
    for (const Shape &shape : Shapes()) {
      Buffer x(TypeOf(dtype, shape.dims));
      for (size_t e = 0; e < x.count(); e++) x.Set(e, -0.0);
      tir_attrs_reduce attrs = {};
      attrs.axes = IntsOf(shape.axes);
      KernelCall call(TIR_OP_REDUCE_SUM);
      call.Attrs(attrs).In(x).Out(
          TypeOf(dtype, Reduced(shape.dims, shape.axes)));
      ASSERT_EQ(call.Reference(), TIR_OK);
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        ASSERT_EQ(call.Run(options), TIR_OK);
        ASSERT_TRUE(SameBits(call.out(), call.wanted()))
            << "shape " << &shape - Shapes().data();
      }
    }
}

// The fold is a function of the shape: every level gives the same bits, since
// sums use no fused operations.
TEST(ReduceKernels, SumsHaveTheSameBitsAtEveryLevel) {
  TestRandom random(9);
  for (const Shape &shape : Shapes()) {
    Buffer x(TypeOf(TIR_DTYPE_F32, shape.dims));
    FillUniform(&x, &random);
    tir_attrs_reduce attrs = {};
    attrs.axes = IntsOf(shape.axes);
    KernelCall call(TIR_OP_REDUCE_SUM);
    call.Attrs(attrs).In(x).Out(
        TypeOf(TIR_DTYPE_F32, Reduced(shape.dims, shape.axes)));
    ASSERT_EQ(call.Run(KernelOptions()), TIR_OK);
    const Buffer baseline = call.out();
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      ASSERT_EQ(call.Run(options), TIR_OK);
      ASSERT_TRUE(SameBits(call.out(), baseline));
    }
  }
}

TEST(ReduceKernels, NormNeitherOverflowsNorVanishes) {
  struct Row {
    tir_dtype dtype;
    double x, wanted;
  };
  for (const Row &row : {Row{TIR_DTYPE_F64, 0x1p1020, 0x1p1021},
                         Row{TIR_DTYPE_F64, 0x1p-1074, 0x1p-1073},
                         Row{TIR_DTYPE_F64, 0x1p-600, 0x1p-599},
                         Row{TIR_DTYPE_F32, 0x1p126, 0x1p127},
                         Row{TIR_DTYPE_F32, 0x1p-149, 0x1p-148}}) {
    Buffer x(TypeOf(row.dtype, {4}));
    for (size_t e = 0; e < 4; e++) x.Set(e, e % 2 ? row.x : -row.x);
    KernelCall call(TIR_OP_NORM);
    call.Attrs(tir_attrs_reduce{}).In(x).Out(TypeOf(row.dtype, {}));
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      ASSERT_EQ(call.Run(options), TIR_OK);
      EXPECT_EQ(call.out().F64(0), row.wanted);
    }
  }
}

TEST(ReduceKernels, NormPassesNanThenInfinity) {
  for (tir_dtype dtype : kFloats)
    for (bool with_nan : {false, true}) {
      Buffer x(TypeOf(dtype, {40}));
      for (size_t e = 0; e < 40; e++) x.Set(e, 1);
      x.Set(7, -HUGE_VAL);
      if (with_nan) x.Set(30, NAN);
      KernelCall call(TIR_OP_NORM);
      call.Attrs(tir_attrs_reduce{}).In(x).Out(TypeOf(dtype, {}));
      ASSERT_EQ(call.Reference(), TIR_OK);
      ASSERT_EQ(call.Run(KernelOptions()), TIR_OK);
      EXPECT_TRUE(SameBits(call.out(), call.wanted()));
    }
}

TEST(ReduceKernels, ArgmaxAgreesWithReference) {
  for (tir_dtype dtype : kNumbers)
    for (const std::vector<int64_t> &dims : std::vector<std::vector<int64_t>>{
             {1}, {67}, {5, 33}, {33, 5}, {3, 20, 150}, {2, 3, 1}, {0, 3}})
      for (size_t axis = 0; axis < dims.size(); axis++)
        for (uint64_t seed = 0; seed < 4; seed++) {
          TestRandom random(seed);
          Buffer x(TypeOf(dtype, dims));
          FillTricky(&x, &random);
          std::vector<int64_t> out = dims;
          out.erase(out.begin() + static_cast<ptrdiff_t>(axis));
          tir_attrs_argmax attrs = {};
          attrs.axis = static_cast<int64_t>(axis);
          KernelCall call(TIR_OP_ARGMAX);
          call.Attrs(attrs).In(x).Out(TypeOf(TIR_DTYPE_I64, out));
          const tir_status wanted = call.Reference();
          for (int level : Levels()) {
            KernelOptions options;
            options.level = level;
            ASSERT_EQ(call.Run(options), wanted);
            if (wanted == TIR_OK) {
              ASSERT_TRUE(SameBits(call.out(), call.wanted()));
            }
          }
        }
}

TEST(ReduceKernels, MaximumOfNothingIsAFault) {
  Buffer x(TypeOf(TIR_DTYPE_F32, {3, 0}));
  tir_attrs_reduce attrs = {};
  attrs.axes = IntsOf({1});
  KernelCall call(TIR_OP_REDUCE_MAX);
  call.Attrs(attrs).In(x).Out(TypeOf(TIR_DTYPE_F32, {3}));
  EXPECT_EQ(call.Run(KernelOptions()), TIR_ERR_VALUE);
  EXPECT_EQ(call.message(), "no maximum over an empty axis");
}

TEST(ReduceKernels, ReduceToUndoesBroadcasting) {
  const std::vector<std::vector<int64_t>> shapes[] = {
      {{4, 3}, {3}},       {{4, 3}, {4, 1}},
      {{4, 3}, {}},        {{4, 3}, {4, 3}},
      {{2, 4, 3}, {4, 1}}, {{2, 4, 3}, {1, 4, 3}},
      {{128, 10}, {10}},   {{0, 3}, {3}},
      {{5, 1}, {1, 1}},    {{2, 3, 4, 5}, {3, 1, 5}}};
  for (const auto &pair : shapes) {
    TestRandom random(4);
    Buffer x(TypeOf(TIR_DTYPE_F64, pair[0]));
    FillUniform(&x, &random);
    KernelCall call(TIR_OP_REDUCE_TO);
    call.In(x).Shape(TypeOf(TIR_DTYPE_F64, pair[1]));
    call.Out(TypeOf(TIR_DTYPE_F64, pair[1]));
    ASSERT_EQ(call.Reference(), TIR_OK);
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      ASSERT_EQ(call.Run(options), TIR_OK);
      EXPECT_TRUE(WithinBound(call.out(), call.wanted(), 1e-12));
    }
  }
}

// --- softmax ---------------------------------------------------------------

void CheckSoftmax(tir_op op, tir_dtype dtype, const std::vector<int64_t> &dims,
                  int64_t axis, double scale) {
  TestRandom random(5);
  Buffer x(TypeOf(dtype, dims));
  FillUniform(&x, &random, -scale, scale);
  KernelCall call(op);
  call.Attrs(tir_attrs_axis{axis}).In(x).Out(TypeOf(dtype, dims));
  ASSERT_EQ(call.Reference(), TIR_OK);
  const double unit = dtype == TIR_DTYPE_F64 ? 0x1p-53 : 0x1p-24;
  const double n = static_cast<double>(dims[static_cast<size_t>(axis)]);
  const double bound =
      op == TIR_OP_SOFTMAX ? (n + 8) * unit : (n + 8 + 4 * scale) * unit;
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    ASSERT_EQ(call.Run(options), TIR_OK);
    ASSERT_TRUE(WithinBound(call.out(), call.wanted(), bound))
        << tir_ir_op_desc(op)->name << " level " << level;
    const Buffer apart = call.out();
    options.alias = 0;
    ASSERT_EQ(call.Run(options), TIR_OK);
    EXPECT_TRUE(SameBits(call.out(), apart)) << "in place";
  }
}

TEST(SoftmaxKernels, AgreeWithReference) {
  for (tir_op op : {TIR_OP_SOFTMAX, TIR_OP_LOG_SOFTMAX})
    for (tir_dtype dtype : kFloats) {
      for (int64_t n = 1; n <= 67; n++) CheckSoftmax(op, dtype, {3, n}, 1, 5);
      for (int64_t n : {511, 512, 513, 1300})
        CheckSoftmax(op, dtype, {2, n}, 1, 5);
      CheckSoftmax(op, dtype, {7, 3}, 0, 5);
      CheckSoftmax(op, dtype, {3, 5, 150}, 1, 5);
      CheckSoftmax(op, dtype, {0, 3}, 1, 5);
      CheckSoftmax(op, dtype, {3, 40}, 1, 1000);
    }
}

TEST(SoftmaxKernels, TreatSpecialRowsAsTheReference) {
  const std::vector<std::vector<double>> rows = {
      {3e38, 3e38, -3e38}, {-HUGE_VAL, 0, 1}, {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL},
      {HUGE_VAL, 0, 1},    {NAN, 0, 1},       {0, NAN, HUGE_VAL}};
  for (tir_op op : {TIR_OP_SOFTMAX, TIR_OP_LOG_SOFTMAX})
    for (const auto &row : rows) {
      Buffer x(TypeOf(TIR_DTYPE_F32, {3}));
      for (size_t e = 0; e < 3; e++) x.Set(e, row[e]);
      KernelCall call(op);
      call.Attrs(tir_attrs_axis{0}).In(x).Out(TypeOf(TIR_DTYPE_F32, {3}));
      ASSERT_EQ(call.Reference(), TIR_OK);
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        ASSERT_EQ(call.Run(options), TIR_OK);
        EXPECT_TRUE(WithinUlps(call.out(), call.wanted(), 4));
      }
    }
}

TEST(SoftmaxKernels, CrossEntropyAgreesWithReference) {
  for (tir_dtype dtype : kFloats)
    for (tir_dtype index : {TIR_DTYPE_I32, TIR_DTYPE_I64})
      for (int64_t classes : {1, 3, 10, 33, 600})
        for (int64_t rows : {1, 5, 128}) {
          TestRandom random(6);
          Buffer x(TypeOf(dtype, {rows, classes})), t(TypeOf(index, {rows}));
          FillUniform(&x, &random, -4, 4);
          for (size_t r = 0; r < t.count(); r++)
            t.SetI64(r, static_cast<int64_t>(
                            random.Below(2 * static_cast<uint64_t>(classes))) -
                            classes);
          KernelCall call(TIR_OP_CROSS_ENTROPY);
          call.In(x).In(t).Out(TypeOf(dtype, {rows}));
          call.Out(TypeOf(dtype, {rows, classes}));
          ASSERT_EQ(call.Reference(), TIR_OK);
          const double unit = dtype == TIR_DTYPE_F64 ? 0x1p-53 : 0x1p-24;
          const double bound = (static_cast<double>(classes) + 40) * unit;
          for (int level : Levels())
            for (uint32_t unused = 0; unused < 4; unused++) {
              KernelOptions options;
              options.level = level;
              options.unused_outputs = unused;
              ASSERT_EQ(call.Run(options), TIR_OK);
              for (size_t i = 0; i < 2; i++)
                if (!(unused >> i & 1)) {
                  EXPECT_TRUE(WithinBound(call.out(i), call.wanted(i), bound));
                }
            }
        }
}

TEST(SoftmaxKernels, CrossEntropyNamesABadTarget) {
  Buffer x(TypeOf(TIR_DTYPE_F32, {4, 5})), t(TypeOf(TIR_DTYPE_I32, {4}));
  for (size_t e = 0; e < x.count(); e++) x.Set(e, 0);
  for (size_t e = 0; e < 4; e++) t.SetI64(e, e == 3 ? 7 : -5);
  KernelCall call(TIR_OP_CROSS_ENTROPY);
  call.In(x).In(t).Out(TypeOf(TIR_DTYPE_F32, {4}));
  call.Out(TypeOf(TIR_DTYPE_F32, {4, 5}));
  EXPECT_EQ(call.Run(KernelOptions()), TIR_ERR_VALUE);
  EXPECT_EQ(call.message(), "index 7 at position 3 is out of range for size 5");
  EXPECT_EQ(call.out(0).data()[0], 0xA5) << "was written";
  EXPECT_EQ(call.out(1).data()[0], 0xA5) << "was written";
  // The fault does not depend on who reads the loss.
  KernelOptions options;
  options.unused_outputs = 3;
  EXPECT_EQ(call.Run(options), TIR_ERR_VALUE);
}

}  // namespace
}  // namespace tapeir_test
