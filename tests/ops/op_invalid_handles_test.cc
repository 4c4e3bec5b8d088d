// Every op function with every operand invalid: an error that names it, and an
// invalid value. With no tape at all: an invalid value.
#include <functional>
#include <utility>

#include "tapeir/tapeir.h"
#include "tests/ops/op_calls.h"

namespace {

using Builder = std::function<tir_value(tir_tape *, tir_value)>;
// Long because it is a table: a row for each op function.
const std::vector<std::pair<const char *, Builder>> &Builders() {
  static const int axis = 0;
  static const int64_t dim = 3;
  static const std::vector<std::pair<const char *, Builder>> all = {
#define UNARY(name)                                                   \
  {                                                                   \
#name, [](tir_tape * t, tir_value x) { return tir_##name(t, x); } \
  }
#define BINARY(name)                                                     \
  {                                                                      \
#name, [](tir_tape * t, tir_value x) { return tir_##name(t, x, x); } \
  }
#define SCALAR(name)                                                     \
  {                                                                      \
#name, [](tir_tape * t, tir_value x) { return tir_##name(t, x, 2); } \
  }
#define REDUCE(name)                                                     \
  {                                                                      \
#name, [](tir_tape * t,                                              \
              tir_value x) { return tir_##name(t, x, &axis, 1, false); } \
  }
      UNARY(neg),
      UNARY(abs),
      UNARY(square),
      UNARY(sqrt),
      UNARY(exp),
      UNARY(log),
      UNARY(tanh),
      UNARY(sigmoid),
      UNARY(relu),
      UNARY(rsqrt),
      UNARY(expm1),
      UNARY(log1p),
      UNARY(erf),
      UNARY(sin),
      UNARY(cos),
      UNARY(softplus),
      UNARY(silu),
      UNARY(gelu),
      UNARY(gelu_tanh),
      UNARY(zeros_like),
      UNARY(ones_like),
      UNARY(stop_gradient),
      UNARY(detach),
      BINARY(add),
      BINARY(sub),
      BINARY(mul),
      BINARY(div),
      BINARY(pow),
      BINARY(maximum),
      BINARY(minimum),
      BINARY(equal),
      BINARY(not_equal),
      BINARY(less),
      BINARY(less_equal),
      BINARY(greater),
      BINARY(greater_equal),
      BINARY(matmul),
      BINARY(dot),
      BINARY(mse),
      BINARY(cross_entropy),
      BINARY(bce_with_logits),
      BINARY(embedding),
      BINARY(reshape_like),
      BINARY(broadcast_like),
      BINARY(reduce_to),
      BINARY(assign),
      SCALAR(add_scalar),
      SCALAR(sub_scalar),
      SCALAR(mul_scalar),
      SCALAR(div_scalar),
      SCALAR(pow_scalar),
      SCALAR(maximum_scalar),
      SCALAR(minimum_scalar),
      SCALAR(leaky_relu),
      SCALAR(rsub_scalar),
      SCALAR(rdiv_scalar),
      SCALAR(full_like),
      REDUCE(sum),
      REDUCE(mean),
      REDUCE(prod),
      REDUCE(max),
      REDUCE(min),
      REDUCE(logsumexp),
      REDUCE(norm),
      {"cast",
       [](tir_tape *t, tir_value x) { return tir_cast(t, x, TIR_DTYPE_F64); }},
      {"where", [](tir_tape *t, tir_value x) { return tir_where(t, x, x, x); }},
      {"argmax",
       [](tir_tape *t, tir_value x) { return tir_argmax(t, x, 0, false); }},
      {"argmin",
       [](tir_tape *t, tir_value x) { return tir_argmin(t, x, 0, false); }},
      {"clip", [](tir_tape *t, tir_value x) { return tir_clip(t, x, x, x); }},
      {"clip_scalar",
       [](tir_tape *t, tir_value x) { return tir_clip_scalar(t, x, 0, 1); }},
      {"matmul_t",
       [](tir_tape *t, tir_value x) {
         return tir_matmul_t(t, x, x, true, false);
       }},
      {"reshape",
       [](tir_tape *t, tir_value x) { return tir_reshape(t, x, &dim, 1); }},
      {"expand_dims",
       [](tir_tape *t, tir_value x) {
         return tir_expand_dims(t, x, &axis, 1);
       }},
      {"transpose",
       [](tir_tape *t, tir_value x) {
         return tir_transpose(t, x, nullptr, 0);
       }},
      {"broadcast_to",
       [](tir_tape *t, tir_value x) {
         return tir_broadcast_to(t, x, &dim, 1);
       }},
      {"concat",
       [](tir_tape *t, tir_value x) { return tir_concat(t, &x, 1, 0); }},
      {"stack",
       [](tir_tape *t, tir_value x) { return tir_stack(t, &x, 1, 0); }},
      {"split",
       [](tir_tape *t, tir_value x) {
         tir_value part = {};
         tir_split(t, x, &dim, 1, 0, &part);
         return part;
       }},
      {"pad", [](tir_tape *t,
                 tir_value x) { return tir_pad(t, x, &dim, &dim, 1, 0); }},
      {"flip",
       [](tir_tape *t, tir_value x) { return tir_flip(t, x, &axis, 1); }},
      {"tril", [](tir_tape *t, tir_value x) { return tir_tril(t, x, 0); }},
      {"triu", [](tir_tape *t, tir_value x) { return tir_triu(t, x, 0); }},
      {"cumsum", [](tir_tape *t,
                    tir_value x) { return tir_cumsum(t, x, 0, false, false); }},
      {"normalize",
       [](tir_tape *t, tir_value x) {
         return tir_normalize(t, x, &axis, 1, 0, nullptr, nullptr);
       }},
      {"rms_normalize",
       [](tir_tape *t, tir_value x) {
         return tir_rms_normalize(t, x, &axis, 1, 0);
       }},
      {"layer_norm",
       [](tir_tape *t, tir_value x) {
         return tir_layer_norm(t, x, x, x, 1, 0);
       }},
      {"rms_norm",
       [](tir_tape *t, tir_value x) { return tir_rms_norm(t, x, x, 1, 0); }},
      {"group_norm",
       [](tir_tape *t, tir_value x) {
         return tir_group_norm(t, x, x, x, 1, 0);
       }},
      {"batch_norm",
       [](tir_tape *t, tir_value x) {
         return tir_batch_norm(t, x, x, x, x, x, .9, 0);
       }},
      {"attention",
       [](tir_tape *t, tir_value x) {
         return tir_attention(t, x, x, x, x, true, 0);
       }},
      {"slice",
       [](tir_tape *t, tir_value x) {
         return tir_slice(t, x, &dim, &dim, nullptr, 1);
       }},
      {"gather",
       [](tir_tape *t, tir_value x) { return tir_gather(t, x, x, 0); }},
      {"scatter_add",
       [](tir_tape *t, tir_value x) { return tir_scatter_add(t, x, x, x, 0); }},
      {"attention_prefix",
       [](tir_tape *t, tir_value x) {
         return tir_attention_prefix(t, x, x, x, x, x, true, 0);
       }},
      {"slice_at",
       [](tir_tape *t, tir_value x) { return tir_slice_at(t, x, x, 0, 1); }},
      {"update_slice",
       [](tir_tape *t, tir_value x) {
         return tir_update_slice(t, x, x, x, 0);
       }},
      {"assign_slice",
       [](tir_tape *t, tir_value x) {
         return tir_assign_slice(t, x, x, x, 0);
       }},
      {"one_hot",
       [](tir_tape *t, tir_value x) {
         return tir_one_hot(t, x, 3, TIR_DTYPE_F32);
       }},
      {"softmax",
       [](tir_tape *t, tir_value x) { return tir_softmax(t, x, 0); }},
      {"log_softmax",
       [](tir_tape *t, tir_value x) { return tir_log_softmax(t, x, 0); }},
      {"dropout",
       [](tir_tape *t, tir_value x) { return tir_dropout(t, x, 0.5); }},
#undef UNARY
#undef BINARY
#undef SCALAR
#undef REDUCE
  };
  return all;
}

class InvalidHandles : public testing::Test {
 protected:
  std::string Error() {
    tir_error error = {};
    return tir_tape_check(t_, &error) == TIR_OK ? "" : error.message;
  }

  CallGraph graph_;
  tir_tape *t_ = graph_.tape();
  tir_value x_ = graph_.Input(F32({2, 3}), "x");
  tir_value v_ = graph_.Input(F32({3}), "v");
  tir_value s_ = graph_.Input(F32({}), "s");
};

TEST_F(InvalidHandles, AreRefused) {
  CallGraph other;
  const tir_value foreign = other.Input(F32({3}));
  tir_value stale;
  tir_scope_begin(t_);
  stale = tir_neg(t_, v_);
  tir_scope_end(t_);
  tir_softmax(t_, s_, 0);
  const tir_value failed = tir_softmax(t_, s_, 0);
  EXPECT_NE(Error(), "");
  for (const auto &[name, build] : Builders())
    for (tir_value bad : {tir_value{}, foreign, stale, failed}) {
      const uint32_t n_before = tir_ir_n_nodes(graph_.ir());
      const tir_value out = build(t_, bad);
      EXPECT_FALSE(tir_value_is_valid(t_, out)) << name;
      const std::string message = Error();
      EXPECT_NE(message.find(": "), std::string::npos)
          << name << ": " << message;
      EXPECT_EQ(tir_ir_n_nodes(graph_.ir()), n_before) << name;
    }
}

TEST_F(InvalidHandles, SayWhichCallMadeThem) {
  const tir_value bad = tir_mse(t_, x_, v_);
  EXPECT_NE(Error(), "");
  tir_tanh(t_, bad);
  EXPECT_EQ(Error(), "tanh: x is the result of a failed call of mse");
  tir_add_scalar(t_, bad, 1);
  EXPECT_EQ(Error(), "add: a is the result of a failed call of mse");
}

TEST(WithoutTape, OpsGiveInvalidValues) {
  for (const auto &[name, build] : Builders()) {
    const tir_value out = build(nullptr, tir_value{});
    EXPECT_EQ(out.slot, 0u) << name;
  }
  const int64_t dim = 3;
  EXPECT_EQ(tir_zeros(nullptr, TIR_DTYPE_F32, &dim, 1).slot, 0u);
  EXPECT_EQ(tir_arange(nullptr, TIR_DTYPE_F32, 3).slot, 0u);
  EXPECT_EQ(tir_uniform(nullptr, TIR_DTYPE_F32, &dim, 1, 0, 1).slot, 0u);
  EXPECT_EQ(tir_normal(nullptr, TIR_DTYPE_F32, &dim, 1, 0, 2).slot, 0u);
  tir_value none = {};
  tir_sgd(nullptr, &none, 1, none, false);
  tir_momentum(nullptr, &none, &none, 1, none, none, false);
  tir_adam(nullptr, &none, &none, &none, 1, {}, false);
  tir_nesterov(nullptr, &none, &none, 1, none, none, false);
  tir_adamw(nullptr, &none, &none, &none, 1, {}, false);
  tir_lamb(nullptr, &none, &none, &none, 1, {}, false);
  tir_rmsprop(nullptr, &none, &none, 1, none, none, none, false);
  tir_adagrad(nullptr, &none, &none, 1, none, none, false);
  tir_adadelta(nullptr, &none, &none, &none, 1, none, none, none, false);
  tir_lion(nullptr, &none, &none, 1, {}, false);
}

TEST_F(InvalidHandles, NothingIsRecordedWhileAnErrorStands) {
  tir_tanh(t_, tir_value{});
  ASSERT_NE(tir_tape_status(t_), TIR_OK);
  const uint32_t n_before = tir_ir_n_nodes(graph_.ir());
  for (const auto &[name, build] : Builders()) {
    const tir_value out = build(t_, v_);
    // dropout outside training hands its operand back, recording nothing.
    if (strcmp(name, "dropout") != 0) {
      EXPECT_FALSE(tir_value_is_valid(t_, out)) << name;
    }
  }
  EXPECT_EQ(tir_ir_n_nodes(graph_.ir()), n_before);
  EXPECT_EQ(Error(), "tanh: x is not a value: an all-zero handle");
}

}  // namespace
