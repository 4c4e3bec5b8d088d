// Reference evaluator: reductions, products, movement, indexing, softmax,
// constants, optimiser steps.

#include <cmath>
#include <limits>

#include "tests/support/reference_call.h"

namespace tapeir_test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr tir_dtype F32 = TIR_DTYPE_F32;
constexpr tir_dtype F64 = TIR_DTYPE_F64;
using V = std::vector<double>;
using I = std::vector<int64_t>;

V Reduce(tir_reference_fn fn, const I &dims, const V &x, tir_ir_ints axes,
         const I &out_dims, tir_dtype dtype = F64) {
  tir_attrs_reduce attrs = {axes, 0};
  ReferenceCall call;
  call.In(dtype, dims, x).Out(dtype, out_dims);
  EXPECT_EQ(call.Run(fn, &attrs), TIR_OK) << call.Message();
  return call.F64();
}

TEST(ReferenceReduce, SumOverAxes) {
  const V x = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {2, 3}, x, Ints({0}), {3}),
            (V{5, 7, 9}));
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {2, 3}, x, Ints({-1}), {2, 1}),
            (V{6, 15}));
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {2, 3}, x, Ints({}), {}), V{21});
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {1, 2, 3}, x, Ints({0, 2}), {2}),
            (V{6, 15}));
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {}, {7}, Ints({}), {}), V{7});
}

TEST(ReferenceReduce, IntegerSumsWrap) {
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {3}, {100, 100, 100}, Ints({}), {},
                   TIR_DTYPE_I8),
            V{44});
}

TEST(ReferenceReduce, EmptyAxis) {
  EXPECT_EQ(Reduce(tir_reference_reduce_sum, {2, 0}, {}, Ints({1}), {2}),
            (V{0, 0}));
  EXPECT_EQ(Reduce(tir_reference_norm, {2, 0}, {}, Ints({1}), {2}), (V{0, 0}));
  EXPECT_TRUE(
      std::isnan(Reduce(tir_reference_reduce_mean, {0}, {}, Ints({}), {})[0]));
  tir_attrs_reduce attrs = {Ints({1}), 0};
  ReferenceCall call;
  call.In(F32, {2, 0}, {}).Out(F32, {2});
  EXPECT_EQ(call.Run(tir_reference_reduce_max, &attrs), TIR_ERR_VALUE);
  EXPECT_EQ(call.Message(),
            "no maximum over an empty axis: operand is f32[2, 0]");
}

TEST(ReferenceReduce, ResultWithoutElementsIsFine) {
  EXPECT_EQ(Reduce(tir_reference_reduce_max, {0, 3}, {}, Ints({1}), {0}), V{});
}

TEST(ReferenceReduce, MaxPassesNanAtAnyPosition) {
  for (size_t at = 0; at < 4; at++) {
    V x = {-1, kInf, 3, -kInf};
    x[at] = kNan;
    EXPECT_TRUE(
        std::isnan(Reduce(tir_reference_reduce_max, {4}, x, Ints({}), {})[0]));
  }
  EXPECT_EQ(Reduce(tir_reference_reduce_max, {2}, {-kInf, -kInf}, Ints({}), {}),
            V{-kInf});
  EXPECT_FALSE(std::signbit(
      Reduce(tir_reference_reduce_max, {2}, {-0.0, 0.0}, Ints({}), {})[0]));
}

TEST(ReferenceReduce, NormDoesNotOverflow) {
  // 3, 4, 5 times a power of two, so that the answer is exact.
  for (int exponent : {-1000, -600, 0, 600, 1000}) {
    const double unit = std::ldexp(1.0, exponent);
    EXPECT_EQ(
        Reduce(tir_reference_norm, {2}, {3 * unit, 4 * unit}, Ints({}), {}),
        V{5 * unit});
  }
  EXPECT_EQ(Reduce(tir_reference_norm, {2}, {-kInf, 1}, Ints({}), {}), V{kInf});
  EXPECT_TRUE(std::isnan(
      Reduce(tir_reference_norm, {2}, {kInf, kNan}, Ints({}), {})[0]));
}

TEST(ReferenceReduce, BadAxisIsAnError) {
  tir_attrs_reduce attrs = {Ints({2}), 0};
  ReferenceCall call;
  call.In(F32, {1, 1}, {0}).Out(F32, {1});
  EXPECT_EQ(call.Run(tir_reference_reduce_sum, &attrs), TIR_ERR_ARGUMENT);
}

TEST(ReferenceArgmax, FirstNanElseFirstMaximum) {
  auto argmax = [](const V &x) {
    tir_attrs_argmax attrs = {0, 0};
    ReferenceCall call;
    call.In(F32, {static_cast<int64_t>(x.size())}, x).Out(TIR_DTYPE_I64, {});
    EXPECT_EQ(call.Run(tir_reference_argmax, &attrs), TIR_OK);
    return call.I64()[0];
  };
  EXPECT_EQ(argmax({1, 3, 3, 2}), 1);
  EXPECT_EQ(argmax({1, kNan, 5, kNan}), 1);
  EXPECT_EQ(argmax({kNan}), 0);
  EXPECT_EQ(argmax({-0.0, 0.0}), 0);
  EXPECT_EQ(argmax({-kInf, -kInf}), 0);
}

TEST(ReferenceReduceTo, SumsWhatBroadcastingRepeated) {
  ReferenceCall call;
  call.In(F32, {2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
      .Shape(F32, {2, 1})
      .Out(F32, {2, 1});
  ASSERT_EQ(call.Run(tir_reference_reduce_to), TIR_OK);
  EXPECT_EQ(call.F64(), (V{30, 48}));
}

TEST(ReferenceMatmul, FlagsAndBatches) {
  const V a = {1, 2, 3, 4, 5, 6};
  const V b = {1, 0, 0, 1, 1, 1};
  for (int flags = 0; flags < 4; flags++) {
    const bool ta = flags & 1, tb = flags & 2;
    tir_attrs_matmul attrs = {ta, tb};
    // a is [2, 3] or, stored transposed, [3, 2] with the same meaning.
    V at = {1, 4, 2, 5, 3, 6}, bt = {1, 0, 1, 0, 1, 1};
    ReferenceCall call;
    call.In(F32, ta ? I{3, 2} : I{2, 3}, ta ? at : a)
        .In(F32, tb ? I{2, 3} : I{3, 2}, tb ? bt : b)
        .Out(F32, {2, 2});
    ASSERT_EQ(call.Run(tir_reference_matmul, &attrs), TIR_OK);
    EXPECT_EQ(call.F64(), (V{4, 5, 10, 11})) << flags;
  }
}

TEST(ReferenceMatmul, BroadcastBatch) {
  tir_attrs_matmul attrs = {0, 0};
  ReferenceCall call;
  call.In(F32, {2, 1, 1, 2}, {1, 2, 3, 4})
      .In(F32, {3, 2, 1}, {1, 1, 2, 2, 3, 3})
      .Out(F32, {2, 3, 1, 1});
  ASSERT_EQ(call.Run(tir_reference_matmul, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{3, 6, 9, 7, 14, 21}));
}

TEST(ReferenceMatmul, NoInnerElementsGiveZeros) {
  tir_attrs_matmul attrs = {0, 0};
  ReferenceCall call;
  call.In(F32, {2, 0}, {}).In(F32, {0, 2}, {}).Out(F32, {2, 2});
  ASSERT_EQ(call.Run(tir_reference_matmul, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{0, 0, 0, 0}));
}

TEST(ReferenceMatmul, ZeroTimesInfinityIsNan) {
  tir_attrs_matmul attrs = {0, 0};
  ReferenceCall call;
  call.In(F32, {1, 1}, {0}).In(F32, {1, 1}, {kInf}).Out(F32, {1, 1});
  ASSERT_EQ(call.Run(tir_reference_matmul, &attrs), TIR_OK);
  EXPECT_TRUE(std::isnan(call.F64()[0]));
}

TEST(ReferenceMovement, Transpose) {
  tir_attrs_axes attrs = {Ints({2, 0, 1})};
  ReferenceCall call;
  call.In(F32, {1, 2, 3}, {0, 1, 2, 3, 4, 5}).Out(F32, {3, 1, 2});
  ASSERT_EQ(call.Run(tir_reference_transpose, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{0, 3, 1, 4, 2, 5}));
  tir_attrs_axes reversed = {Ints({})};
  ReferenceCall other;
  other.In(F32, {2, 3}, {0, 1, 2, 3, 4, 5}).Out(F32, {3, 2});
  ASSERT_EQ(other.Run(tir_reference_transpose, &reversed), TIR_OK);
  EXPECT_EQ(other.F64(), (V{0, 3, 1, 4, 2, 5}));
}

TEST(ReferenceMovement, ConcatAndItsParts) {
  tir_attrs_axis axis = {-1};
  ReferenceCall call;
  call.In(F32, {2, 1}, {1, 2})
      .In(F32, {2, 0}, {})
      .In(F32, {2, 2}, {3, 4, 5, 6})
      .Out(F32, {2, 3});
  ASSERT_EQ(call.Run(tir_reference_concat, &axis), TIR_OK);
  EXPECT_EQ(call.F64(), (V{1, 3, 4, 2, 5, 6}));
  const I widths = {1, 0, 2};
  const V expected[] = {{1, 2}, {}, {3, 4, 5, 6}};
  for (int64_t i = 0; i < 3; i++) {
    tir_attrs_concat_part attrs = {-1, i};
    ReferenceCall part;
    part.In(F32, {2, 3}, call.F64());
    for (int64_t w : widths) part.Shape(F32, {2, w});
    part.Out(F32, {2, widths[static_cast<size_t>(i)]});
    ASSERT_EQ(part.Run(tir_reference_concat_part, &attrs), TIR_OK);
    EXPECT_EQ(part.F64(), expected[i]);
  }
}

TEST(ReferenceMovement, SliceAndUnslice) {
  tir_attrs_slice attrs = {Ints({1, -3}), Ints({100, INT64_MAX}), Ints({1, 2})};
  ReferenceCall call;
  call.In(F32, {2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}).Out(F32, {1, 2});
  ASSERT_EQ(call.Run(tir_reference_slice, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{5, 7}));
  ReferenceCall back;
  back.In(F32, {1, 2}, {5, 7}).Shape(F32, {2, 4}).Out(F32, {2, 4});
  ASSERT_EQ(back.Run(tir_reference_unslice, &attrs), TIR_OK);
  EXPECT_EQ(back.F64(), (V{0, 0, 0, 0, 0, 5, 0, 7}));
}

TEST(ReferenceMovement, BroadcastTo) {
  ReferenceCall call;
  call.In(TIR_DTYPE_BOOL, {2, 1}, {1, 0}).Out(TIR_DTYPE_BOOL, {2, 2, 2});
  tir_attrs_dims attrs = {Ints({2, 2, 2})};
  ASSERT_EQ(call.Run(tir_reference_broadcast_to, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{1, 1, 0, 0, 1, 1, 0, 0}));
}

TEST(ReferenceIndexing, GatherAcceptsNegativeIndices) {
  tir_attrs_axis attrs = {1};
  ReferenceCall call;
  call.In(F32, {2, 3}, {0, 1, 2, 3, 4, 5})
      .In(TIR_DTYPE_I32, {2, 1}, {-1, 0})
      .Out(F32, {2, 2, 1});
  ASSERT_EQ(call.Run(tir_reference_gather, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{2, 0, 5, 3}));
}

TEST(ReferenceIndexing, OutOfRangeSaysWhere) {
  for (int64_t bad : {int64_t{3}, int64_t{-4}, INT64_MAX, INT64_MIN}) {
    tir_attrs_axis attrs = {0};
    ReferenceCall call;
    call.In(F32, {3}, {0, 1, 2}).InI64({2}, {0, bad}).Out(F32, {2});
    EXPECT_EQ(call.Run(tir_reference_gather, &attrs), TIR_ERR_VALUE);
    EXPECT_EQ(call.Message(), "index " + std::to_string(bad) +
                                  " at position 1 is out of range for size 3");
  }
}

TEST(ReferenceIndexing, ScatterAddSumsEqualIndices) {
  tir_attrs_axis attrs = {0};
  ReferenceCall call;
  call.In(F32, {3, 2}, {1, 1, 1, 1, 1, 1})
      .InI64({3}, {2, 0, -1})
      .In(F32, {3, 2}, {10, 20, 30, 40, 50, 60})
      .Out(F32, {3, 2});
  ASSERT_EQ(call.Run(tir_reference_scatter_add, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{31, 41, 1, 1, 61, 81}));
}

TEST(ReferenceIndexing, OneHot) {
  tir_attrs_one_hot attrs = {3, TIR_DTYPE_I32};
  ReferenceCall call;
  call.InI64({2}, {1, -1}).Out(TIR_DTYPE_I32, {2, 3});
  ASSERT_EQ(call.Run(tir_reference_one_hot, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{0, 1, 0, 0, 0, 1}));
  ReferenceCall bad;
  bad.InI64({1}, {3}).Out(TIR_DTYPE_I32, {1, 3});
  EXPECT_EQ(bad.Run(tir_reference_one_hot, &attrs), TIR_ERR_VALUE);
}

TEST(ReferenceSoftmax, DoesNotOverflow) {
  tir_attrs_axis attrs = {-1};
  ReferenceCall call;
  call.In(F64, {2, 2}, {1e300, 1e300, 0, -1e300}).Out(F64, {2, 2});
  ASSERT_EQ(call.Run(tir_reference_softmax, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{0.5, 0.5, 1, 0}));
  ASSERT_EQ(call.Run(tir_reference_log_softmax, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{-std::log(2.0), -std::log(2.0), 0, -1e300}));
}

TEST(ReferenceSoftmax, AxisAndNan) {
  tir_attrs_axis attrs = {0};
  ReferenceCall call;
  call.In(F64, {2, 2}, {0, kNan, 0, 1}).Out(F64, {2, 2});
  ASSERT_EQ(call.Run(tir_reference_softmax, &attrs), TIR_OK);
  EXPECT_EQ(call.F64()[0], 0.5);
  EXPECT_EQ(call.F64()[2], 0.5);
  EXPECT_TRUE(std::isnan(call.F64()[1]));
  EXPECT_TRUE(std::isnan(call.F64()[3]));
}

TEST(ReferenceSoftmax, CrossEntropyGivesLossesAndSoftmax) {
  ReferenceCall call;
  call.In(F64, {2, 2}, {0, 0, 1e300, 0}).InI64({2}, {0, -1});
  call.Out(F64, {2}).Out(F64, {2, 2});
  ASSERT_EQ(call.Run(tir_reference_cross_entropy), TIR_OK);
  EXPECT_EQ(call.F64(0), (V{std::log(2.0), 1e300}));
  EXPECT_EQ(call.F64(1), (V{0.5, 0.5, 1, 0}));
  ReferenceCall bad;
  bad.In(F64, {1, 2}, {0, 0}).InI64({1}, {2});
  bad.Out(F64, {1}).Out(F64, {1, 2});
  EXPECT_EQ(bad.Run(tir_reference_cross_entropy), TIR_ERR_VALUE);
  EXPECT_EQ(bad.Message(), "index 2 at position 0 is out of range for size 2");
}

TEST(ReferenceStructure, Constants) {
  const float x = -0.0f;
  uint32_t bits;
  memcpy(&bits, &x, 4);
  tir_attrs_constant attrs = {bits, 0};
  ReferenceCall call;
  call.Out(F32, {2});
  ASSERT_EQ(call.Run(tir_reference_constant, &attrs), TIR_OK);
  EXPECT_TRUE(std::signbit(call.F64()[0]));
  EXPECT_TRUE(std::signbit(call.F64()[1]));
}

TEST(ReferenceStructure, ArangeAndDimProduct) {
  tir_attrs_arange attrs = {F32, 3};
  ReferenceCall call;
  call.Out(F32, {3});
  ASSERT_EQ(call.Run(tir_reference_arange, &attrs), TIR_OK);
  EXPECT_EQ(call.F64(), (V{0, 1, 2}));
  tir_attrs_dim_product product = {TIR_DTYPE_I64, Ints({0, -1})};
  ReferenceCall dims;
  dims.Shape(F32, {2, 3, 5}).Out(TIR_DTYPE_I64, {});
  ASSERT_EQ(dims.Run(tir_reference_dim_product, &product), TIR_OK);
  EXPECT_EQ(dims.I64(), I{10});
}

TEST(ReferenceStructure, OpsWithoutAValueRefuse) {
  ReferenceCall call;
  call.Out(F32, {});
  EXPECT_NE(call.Run(tir_reference_input), TIR_OK);
  EXPECT_NE(call.Run(tir_reference_param), TIR_OK);
  EXPECT_EQ(call.Run(tir_reference_gradient), TIR_ERR_STATE);
  tir_reference_call raw = {};
  EXPECT_EQ(tir_reference_eval(TIR_N_OPS, &raw), TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_reference_eval(TIR_OP_NONE, &raw), TIR_ERR_ARGUMENT);
}

TEST(ReferenceOptim, Sgd) {
  ReferenceCall call;
  call.In(F64, {2}, {1, 2}).In(F64, {2}, {10, 20}).In(F64, {}, {0.5});
  call.Out(F64, {2});
  ASSERT_EQ(call.Run(tir_reference_sgd), TIR_OK);
  EXPECT_EQ(call.F64(), (V{-4, -8}));
}

TEST(ReferenceOptim, Momentum) {
  ReferenceCall call;
  call.In(F64, {1}, {1}).In(F64, {1}, {4}).In(F64, {1}, {10});
  call.In(F64, {}, {0.5}).In(F64, {}, {0.25});
  call.Out(F64, {1}).Out(F64, {1});
  ASSERT_EQ(call.Run(tir_reference_momentum), TIR_OK);
  EXPECT_EQ(call.F64(0), V{-4.5});
  EXPECT_EQ(call.F64(1), V{11});
}

}  // namespace
}  // namespace tapeir_test
