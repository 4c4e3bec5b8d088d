// What op functions check by themselves, before anything is recorded, and
// what the composed ones record.
#include <limits.h>

#include "tests/ops/op_calls.h"

extern "C" {
#include "ir/text.h"
}
#include "tapeir/tapeir.h"

namespace {

// A recorder with a few inputs: x f32[2, 3] "x", i i32[3], v f32[3], s f32[].
class OpBuilders : public testing::Test {
 protected:
  std::string Error() {
    tir_error error = {};
    return tir_tape_check(t_, &error) == TIR_OK ? "" : error.message;
  }
  // The text of the nodes recorded after the inputs, one line each, without
  // indentation.
  std::string Recorded(tir_value out) {
    EXPECT_EQ(Error(), "");
    tir_error error = {};
    EXPECT_EQ(tir_ir_add_output(graph_.ir(), tir_ir_peek(t_, out), "", &error),
              TIR_OK);
    tir_ir_text text;
    tir_ir_text_init(&text, graph_.context());
    tir_ir_print_graph(graph_.ir(), nullptr, nullptr, &text);
    std::string all(text.bytes.data, text.bytes.count);
    tir_ir_text_free(&text);
    const size_t first = all.find('\n') + 1;
    return all.substr(first, all.rfind('}') - first);
  }

  CallGraph graph_;
  tir_tape *t_ = graph_.tape();
  tir_value x_ = graph_.Input(F32({2, 3}), "x");
  tir_value i_ = graph_.Input(I32({3}), "i");
  tir_value v_ = graph_.Input(F32({3}), "v");
  tir_value s_ = graph_.Input(F32({}), "s");
  tir_value d_ = graph_.Input(F64({2, 3}), "d");
};

TEST_F(OpBuilders, RefuseBadShapes) {
  const int64_t dims[] = {2, -1};
  tir_zeros(t_, TIR_DTYPE_F32, dims, 2);
  EXPECT_EQ(Error(), "zeros: dim 1 is -1, expected 0 or more");
  tir_ones(t_, TIR_DTYPE_F32, dims, 9);
  EXPECT_EQ(Error(), "ones: dims has 9 entries, expected 0 to 8");
  tir_ones(t_, TIR_DTYPE_F32, dims, -1);
  EXPECT_EQ(Error(), "ones: dims has -1 entries, expected 0 to 8");
  tir_full(t_, TIR_DTYPE_F32, nullptr, 1, 2.0);
  EXPECT_EQ(Error(), "full: dims is NULL, expected 1 entries");
  tir_full(t_, TIR_DTYPE_INVALID, dims, 1, 2.0);
  EXPECT_EQ(Error(), "full: dtype 0 does not exist");
  tir_uniform(t_, static_cast<tir_dtype>(77), dims, 1, 0, 1);
  EXPECT_EQ(Error(), "uniform: dtype 77 does not exist");
  const int64_t big[] = {INT64_MAX, 2};
  tir_zeros(t_, TIR_DTYPE_F32, big, 2);
  EXPECT_EQ(Error(),
            "zeros: f32[9223372036854775807, 2] takes more than "
            "9223372036854775807 bytes");
}

TEST_F(OpBuilders, RefuseNumbersThatTheDtypeDoesNotHold) {
  tir_add_scalar(t_, i_, 0.5);
  EXPECT_EQ(Error(), "add_scalar: 0.5 is not a number of dtype i32");
  tir_rsub_scalar(t_, i_, 2147483648.0);
  EXPECT_EQ(Error(), "rsub_scalar: 2147483648 is not a number of dtype i32");
  tir_mul_scalar(t_, i_, NAN);
  EXPECT_NE(Error().find("is not a number of dtype i32"), std::string::npos);
  tir_maximum_scalar(t_, i_, INFINITY);
  EXPECT_EQ(Error(), "maximum_scalar: inf is not a number of dtype i32");
  const int64_t one = 1;
  tir_full(t_, TIR_DTYPE_U8, &one, 1, -1);
  EXPECT_EQ(Error(), "full: -1 is not a number of dtype u8");
  tir_full_like(t_, i_, 1e300);
  EXPECT_EQ(Error().rfind("full_like: 1.0", 0), 0u);
  tir_add_scalar(t_, i_, -2147483648.0);
  EXPECT_EQ(Error(), "");
  const tir_value n = tir_arange(t_, TIR_DTYPE_I64, 3);
  tir_add_scalar(t_, n, -0x1p63);
  EXPECT_EQ(Error(), "");
  tir_add_scalar(t_, n, 0x1p63);
  EXPECT_EQ(Error(),
            "add_scalar: 9.2233720368547758e+18 is not a number of dtype i64");
  tir_mul_scalar(t_, x_, NAN);
  tir_mul_scalar(t_, x_, 1e300);
  EXPECT_EQ(Error(), "") << "floats round";
}

TEST_F(OpBuilders, RefuseBadLists) {
  const int axes[] = {0, 1, 0, 1, 0, 1, 0, 1, 0};
  tir_sum(t_, x_, axes, 9, false);
  EXPECT_EQ(Error(), "reduce_sum: axes has 9 entries, expected 0 to 8");
  tir_sum(t_, x_, nullptr, 1, false);
  EXPECT_EQ(Error(), "reduce_sum: axes is NULL, expected 1 entries");
  tir_mean(t_, x_, axes, -1, false);
  EXPECT_EQ(Error(), "reduce_mean: axes has -1 entries, expected 0 to 8");
  tir_expand_dims(t_, x_, axes, 9);
  EXPECT_EQ(Error(), "expand_dims: axes has 9 entries, expected 0 to 8");
  tir_transpose(t_, x_, axes, 3);
  EXPECT_EQ(Error(),
            "transpose: perm has 3 entries, x \"x\" f32[2, 3] has rank 2");
  const int64_t dims[] = {6};
  tir_reshape(t_, x_, dims, 9);
  EXPECT_EQ(Error(), "reshape: dims has 9 entries, expected 0 to 8");
  tir_slice(t_, x_, dims, nullptr, nullptr, 1);
  EXPECT_EQ(Error(), "slice: stops is NULL, expected 1 entries");
  tir_concat(t_, nullptr, 3, 0);
  EXPECT_EQ(Error(), "concat: values is NULL, expected 3 entries");
  tir_concat(t_, &x_, 0, 0);
  EXPECT_EQ(Error(), "concat: no values given, expected at least 1");
  tir_max(t_, x_, axes, 3, false);
  EXPECT_EQ(Error(), "reduce_max: axis 0 is given twice");
  const int out[] = {INT_MIN};
  tir_norm(t_, x_, out, 1, false);
  EXPECT_EQ(Error(),
            "norm: axis -2147483648 is out of range for x \"x\" f32[2, 3] of "
            "rank 2");
}

TEST_F(OpBuilders, ClipScalarWantsOrderedBounds) {
  tir_clip_scalar(t_, x_, 2, 1);
  EXPECT_EQ(Error(), "clip_scalar: low is 2, expected at most high, 1");
  tir_clip_scalar(t_, x_, NAN, 1);
  EXPECT_EQ(Error(), "clip_scalar: low is nan, expected at most high, 1");
  tir_clip_scalar(t_, i_, 0, 1.5);
  EXPECT_EQ(Error(), "clip_scalar: 1.5 is not a number of dtype i32");
  tir_clip_scalar(t_, x_, -INFINITY, INFINITY);
  tir_clip_scalar(t_, i_, 1, 1);
  EXPECT_EQ(Error(), "");
}

TEST_F(OpBuilders, LogsumexpTakesOneAxisAfterTheOther) {
  const int axes[] = {0, -1, 1}, far[] = {0, 2};
  tir_logsumexp(t_, x_, axes, 3, false);
  EXPECT_EQ(Error(), "logsumexp: axis 1 is given twice");
  tir_logsumexp(t_, x_, far, 2, false);
  EXPECT_EQ(Error(),
            "logsumexp: axis 2 is out of range for x \"x\" f32[2, 3] of rank "
            "2");
  tir_logsumexp(t_, x_, axes, 9, false);
  EXPECT_EQ(Error(), "logsumexp: axes has 9 entries, expected 0 to 8");
  EXPECT_EQ(Recorded(tir_logsumexp(t_, x_, axes, 2, false)),
            "  %0 = logsumexp %x {axis = 1} : f32[2]\n"
            "  %1 = logsumexp %0 {axis = 0} : f32[]\n"
            "  return %1\n");
}

TEST_F(OpBuilders, LogsumexpOfAScalarIsTheScalar) {
  const tir_value y = tir_logsumexp(t_, s_, nullptr, 0, false);
  EXPECT_EQ(tir_ir_peek(t_, y).id, tir_ir_peek(t_, s_).id);
  tir_logsumexp(t_, i_, nullptr, 0, true);
  EXPECT_EQ(Error(),
            "logsumexp: wrong dtype: x \"i\" i32[3], expected f32 or f64");
}

TEST_F(OpBuilders, PadTakesLists) {
  const int64_t one[] = {1};
  tir_pad(t_, x_, one, nullptr, 1, 0);
  EXPECT_EQ(Error(), "pad: after is NULL, expected 1 entries");
  tir_pad(t_, x_, one, one, 9, 0);
  EXPECT_EQ(Error(), "pad: before has 9 entries, expected 0 to 8");
  tir_pad(t_, i_, one, one, 1, 0.5);
  EXPECT_EQ(Error(), "pad: 0.5 is not a number of dtype i32");
}

TEST_F(OpBuilders, StackWantsOneType) {
  const tir_value mixed[] = {x_, d_}, shapes[] = {v_, s_};
  tir_stack(t_, mixed, 2, 0);
  EXPECT_EQ(Error(),
            "stack: types differ: values[0] \"x\" f32[2, 3], values[1] \"d\" "
            "f64[2, 3]");
  tir_stack(t_, shapes, 2, 0);
  EXPECT_EQ(Error(),
            "stack: types differ: values[0] \"v\" f32[3], values[1] \"s\" "
            "f32[]");
  tir_stack(t_, nullptr, 2, 0);
  EXPECT_EQ(Error(), "stack: values is NULL, expected 2 entries");
  tir_stack(t_, shapes, 0, 0);
  EXPECT_EQ(Error(), "stack: no values given, expected at least 1");
  tir_stack(t_, &v_, 1, 2);
  EXPECT_EQ(Error(),
            "expand_dims: axis 2 is out of range for a result of rank 2");
  const tir_value same[] = {v_, v_};
  EXPECT_EQ(Recorded(tir_stack(t_, same, 2, -1)),
            "  %0 = expand_dims %v {axes = [1]} : f32[3, 1]\n"
            "  %1 = expand_dims %v {axes = [1]} : f32[3, 1]\n"
            "  %2 = concat %0, %1 {axis = 1} : f32[3, 2]\n"
            "  return %2\n");
}

TEST_F(OpBuilders, SplitWantsSizesThatAddUp) {
  tir_value parts[3];
  const int64_t few[] = {1, 1}, many[] = {2, -1, 2}, two[] = {-1, -1};
  const int64_t negative[] = {-2}, huge[] = {INT64_MAX, 1};
  tir_split(t_, x_, few, 2, 1, parts);
  EXPECT_EQ(Error(),
            "split: the parts have 2 elements along the axis, x \"x\" f32[2, "
            "3] has 3");
  tir_split(t_, x_, many, 3, 1, parts);
  EXPECT_EQ(Error(),
            "split: the parts have at least 4 elements along the axis, x \"x\" "
            "f32[2, 3] has 3");
  tir_split(t_, x_, two, 2, 1, parts);
  EXPECT_EQ(Error(),
            "split: sizes[1] is -1, expected 0 or more, and -1 at most once");
  tir_split(t_, x_, negative, 1, 1, parts);
  EXPECT_EQ(Error(),
            "split: sizes[0] is -2, expected 0 or more, and -1 at most once");
  tir_split(t_, x_, huge, 2, 1, parts);
  EXPECT_EQ(Error(),
            "split: sizes[1] is 1, expected 0 or more, and -1 at most once");
  tir_split(t_, x_, few, 2, 2, parts);
  EXPECT_EQ(Error(),
            "split: axis 2 is out of range for x \"x\" f32[2, 3] of rank 2");
  tir_split(t_, x_, few, 0, 1, parts);
  EXPECT_EQ(Error(),
            "split: 0 parts, sizes not NULL, out_parts not NULL: expected at "
            "least 1 part and both lists");
  tir_split(t_, x_, nullptr, 1, 1, parts);
  EXPECT_NE(Error(), "");
  tir_split(t_, x_, few, 1, 1, nullptr);
  EXPECT_NE(Error(), "");
  EXPECT_FALSE(tir_value_is_valid(t_, parts[0]));
}

// The types of the parts of a value at two sizes of its symbolic dim.
TEST_F(OpBuilders, SplitFollowsASymbolicDim) {
  const tir_value x = graph_.Input(F32({3, CallDim(6, true)}), "long");
  const int64_t sizes[] = {1, 0, -1, 2, 0};
  tir_value parts[5];
  tir_split(t_, x, sizes, 5, -1, parts);
  ASSERT_EQ(Error(), "");
  tir_error error = {};
  for (int64_t n : {6, 9, 3}) {
    ASSERT_EQ(tir_ir_set_symbol(graph_.ir(), "n", n, &error), TIR_OK);
    ASSERT_EQ(tir_ir_infer_graph(graph_.ir(), &error), TIR_OK) << error.message;
    const int64_t wanted[] = {1, 0, n - 3, 2, 0};
    for (int i = 0; i < 5; i++) {
      tir_ir_type type;
      tir_ir_type_of(graph_.ir(), tir_ir_peek(t_, parts[i]), &type);
      EXPECT_EQ(type.dims[1], wanted[i]) << "part " << i << " of " << n;
    }
  }
}

TEST_F(OpBuilders, EmbeddingWantsATable) {
  tir_embedding(t_, v_, i_);
  EXPECT_EQ(Error(), "embedding: table \"v\" f32[3] has rank 1, expected 2");
  tir_embedding(t_, x_, v_);
  EXPECT_EQ(Error(),
            "gather: wrong dtype: indices \"v\" f32[3], expected i32 or i64");
  EXPECT_EQ(Recorded(tir_embedding(t_, x_, i_)),
            "  %0 = gather %x, %i : f32[3, 3]\n  return %0\n");
}

TEST_F(OpBuilders, LeakyReluIsForFloats) {
  tir_leaky_relu(t_, i_, 0.1);
  EXPECT_EQ(Error(),
            "leaky_relu: wrong dtype: x \"i\" i32[3], expected f32 or f64");
}

TEST_F(OpBuilders, RefuseLossesOfDifferentShapes) {
  tir_mse(t_, x_, v_);
  EXPECT_EQ(Error(), "mse: types differ: a \"x\" f32[2, 3], b \"v\" f32[3]");
  tir_mse(t_, x_, d_);
  EXPECT_EQ(Error(), "mse: types differ: a \"x\" f32[2, 3], b \"d\" f64[2, 3]");
  tir_bce_with_logits(t_, x_, v_);
  EXPECT_EQ(Error(),
            "bce_with_logits: types differ: logits \"x\" f32[2, 3], target "
            "\"v\" f32[3]");
  tir_bce_with_logits(t_, i_, i_);
  EXPECT_EQ(Error(), "softplus: wrong dtype: x i32[3], expected f32 or f64");
  tir_mse(t_, i_, i_);
  EXPECT_EQ(Error(), "reduce_mean: wrong dtype: x i32[3], expected f32 or f64");
  tir_cross_entropy(t_, x_, i_);
  EXPECT_EQ(Error(),
            "cross_entropy: target \"i\" i32[3] does not name a class for each "
            "row of logits \"x\" f32[2, 3]");
}

TEST_F(OpBuilders, DotTakesVectorsOrMatrices) {
  tir_dot(t_, x_, v_);
  EXPECT_EQ(Error(),
            "dot: expected two vectors of one type: a \"x\" f32[2, 3], b "
            "\"v\" f32[3]");
  tir_dot(t_, v_, tir_ones(t_, TIR_DTYPE_F32, nullptr, 0));
  EXPECT_EQ(Error(),
            "dot: expected two vectors of one type: a \"v\" f32[3], b f32[]");
  const int64_t one = 1;
  tir_dot(t_, v_, tir_ones(t_, TIR_DTYPE_F32, &one, 1));
  EXPECT_EQ(Error(),
            "dot: expected two vectors of one type: a \"v\" f32[3], b f32[1]")
      << "a vector of one element must not be broadcast";
  tir_dot(t_, x_, d_);
  EXPECT_EQ(Error().rfind("matmul: dtypes differ", 0), 0u);
  EXPECT_EQ(Recorded(tir_dot(t_, v_, v_)).find("matmul"), std::string::npos);
}

TEST_F(OpBuilders, RandomChecksItsNumbers) {
  const int64_t dims[] = {4};
  tir_uniform(t_, TIR_DTYPE_F32, dims, 1, 2, 1);
  EXPECT_EQ(Error(), "uniform: low is 2, expected at most high, 1");
  tir_uniform(t_, TIR_DTYPE_F32, dims, 1, NAN, 1);
  EXPECT_NE(Error(), "");
  tir_uniform(t_, TIR_DTYPE_F32, dims, 1, -INFINITY, 1);
  EXPECT_EQ(Error(), "uniform: the bounds -inf and 1 are not finite");
  tir_normal(t_, TIR_DTYPE_F32, dims, 1, 0, -1);
  EXPECT_EQ(Error(), "normal: standard deviation is -1, expected 0 or more");
  tir_normal(t_, TIR_DTYPE_F32, dims, 1, NAN, 1);
  EXPECT_EQ(Error(),
            "normal: mean nan and standard deviation 1 are not both finite");
  tir_normal(t_, TIR_DTYPE_F32, dims, 1, 0, INFINITY);
  EXPECT_EQ(Error(),
            "normal: mean 0 and standard deviation inf are not both finite");
  for (double p : {1.0, -0.1, 1.5, static_cast<double>(NAN)}) {
    tir_dropout(t_, x_, p);
    EXPECT_EQ(Error().rfind("dropout: p is ", 0), 0u) << p;
  }
  tir_dropout(t_, i_, 0.5);
  EXPECT_EQ(Error(),
            "dropout: wrong dtype: x \"i\" i32[3], expected f32 or f64");
}

TEST_F(OpBuilders, DropoutOutsideTrainingIsItsOperand) {
  const uint32_t n_before = tir_ir_n_nodes(graph_.ir());
  const tir_value y = tir_dropout(t_, x_, 0.5);
  EXPECT_EQ(tir_ir_peek(t_, y).id, tir_ir_peek(t_, x_).id);
  EXPECT_EQ(tir_ir_n_nodes(graph_.ir()), n_before);
}

TEST_F(OpBuilders, NormaliseAxes) {
  // Equal calls must look equal to passes, however the axis was written.
  EXPECT_NE(Recorded(tir_softmax(t_, x_, -2)).find("{axis = 0}"),
            std::string::npos);
  const int axes[] = {-1};
  EXPECT_NE(Recorded(tir_sum(t_, x_, axes, 1, true))
                .find("{axes = [1], keep_dims = true}"),
            std::string::npos);
  EXPECT_NE(Recorded(tir_expand_dims(t_, v_, axes, 1)).find("{axes = [1]}"),
            std::string::npos);
  const int perm[] = {-1, -2};
  EXPECT_NE(Recorded(tir_transpose(t_, x_, perm, 2)).find("{perm = [1, 0]}"),
            std::string::npos);
  EXPECT_NE(Recorded(tir_concat(t_, &x_, 1, -1)).find("{axis = 1}"),
            std::string::npos);
}

TEST_F(OpBuilders, FillsOfShapesAreConstants) {
  const int64_t dims[] = {2, 3};
  EXPECT_EQ(Recorded(tir_full(t_, TIR_DTYPE_F32, dims, 2, -0.0)),
            "  %0 = constant {value = -0.0} : f32[2, 3]\n  return %0\n");
}

TEST_F(OpBuilders, FillsLikeAValueFollowIt) {
  EXPECT_EQ(Recorded(tir_ones_like(t_, x_)),
            "  %0 = constant {value = 1} : f32[]\n"
            "  %1 = broadcast_like %0, %x : f32[2, 3]\n"
            "  return %1\n");
}

TEST_F(OpBuilders, AFillLikeAScalarIsTheScalar) {
  EXPECT_EQ(Recorded(tir_zeros_like(t_, s_)),
            "  %0 = constant {value = 0} : f32[]\n  return %0\n");
}

TEST_F(OpBuilders, AssignRebindsTheHandle) {
  const tir_ir_value before = tir_ir_peek(t_, v_);
  const tir_value now = tir_assign(t_, v_, tir_mul_scalar(t_, v_, 2));
  EXPECT_EQ(Error(), "");
  EXPECT_NE(tir_ir_peek(t_, v_).id, before.id);
  EXPECT_EQ(tir_ir_peek(t_, v_).id, tir_ir_peek(t_, now).id);
  tir_assign(t_, v_, x_);
  EXPECT_EQ(Error(),
            "assign: shapes differ: target f32[3], value \"x\" f32[2, 3]");
  EXPECT_EQ(tir_ir_peek(t_, v_).id, tir_ir_peek(t_, now).id);
}

}  // namespace
