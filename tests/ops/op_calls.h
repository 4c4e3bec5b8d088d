// Valid calls of every op, as types and attributes: what the tests of
// inference and of gradient rules start from.
//
// Dims of size `n` that carry the symbol "n" are what changes when a graph is
// inferred again; no attribute here depends on them.
#ifndef TAPEIR_TESTS_OPS_OP_CALLS_H
#define TAPEIR_TESTS_OPS_OP_CALLS_H

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "tests/support/custom_ops.h"
#include "tests/support/internal.h"

// A dim, and whether it carries the symbol "n".
struct CallDim {
  CallDim(int64_t the_size) : size(the_size) {}
  CallDim(int64_t the_size, bool is_symbol)
      : size(the_size), symbol(is_symbol) {}
  int64_t size;
  bool symbol = false;
};

struct CallType {
  tir_dtype dtype;
  std::vector<CallDim> dims;
};

struct OpCall {
  tir_op op;
  std::vector<CallType> in;     // of a DECLARED op: the type of the output
  std::vector<uint64_t> attrs;  // words of the attribute struct

  const tir_op_desc *desc() const { return tir_ir_op_desc(op); }
  bool is_declared() const {
    return (desc()->traits & TIR_TRAIT_DECLARED) != 0;
  }
  // The gradient call below has two variables, custom ops one result.
  size_t n_out() const {
    if (desc()->n_outputs) return desc()->n_outputs;
    return op == TIR_OP_GRADIENT ? 2 : 1;
  }
};

inline CallType F32(std::vector<CallDim> dims) {
  return {TIR_DTYPE_F32, std::move(dims)};
}
inline CallType F64(std::vector<CallDim> dims) {
  return {TIR_DTYPE_F64, std::move(dims)};
}
inline CallType I32(std::vector<CallDim> dims) {
  return {TIR_DTYPE_I32, std::move(dims)};
}
inline CallType I64(std::vector<CallDim> dims) {
  return {TIR_DTYPE_I64, std::move(dims)};
}
inline CallType Bool(std::vector<CallDim> dims) {
  return {TIR_DTYPE_BOOL, std::move(dims)};
}

inline tir_ir_ints List(std::initializer_list<int64_t> values) {
  tir_ir_ints list = {};
  for (int64_t v : values) list.v[list.n++] = v;
  return list;
}

inline OpCall Call(tir_op op, std::vector<CallType> in) {
  const size_t n = tir_ir_op_desc(op)->attrs_size / sizeof(uint64_t);
  return {op, std::move(in), std::vector<uint64_t>(n)};
}

template <typename Attrs>
OpCall Call(tir_op op, std::vector<CallType> in, const Attrs &attrs) {
  OpCall call = Call(op, std::move(in));
  EXPECT_EQ(call.desc()->attrs_size, sizeof attrs) << call.desc()->name;
  memcpy(call.attrs.data(), &attrs, sizeof attrs);
  return call;
}

inline tir_attrs_reduce Axes(std::initializer_list<int64_t> axes,
                             int64_t keep_dims = 0) {
  return {List(axes), keep_dims};
}
inline tir_attrs_dims Dims(std::initializer_list<int64_t> dims) {
  return {List(dims)};
}
inline tir_attrs_axes Perm(std::initializer_list<int64_t> axes) {
  return {List(axes)};
}
inline tir_attrs_axis Axis(int64_t axis) { return {axis}; }
inline tir_attrs_slice Range(std::initializer_list<int64_t> starts,
                             std::initializer_list<int64_t> stops,
                             std::initializer_list<int64_t> steps = {}) {
  return {List(starts), List(stops), List(steps)};
}

// A call of one of custom_ops::RegisterTestOps.
inline tir_attrs_custom Product(const char *name, double factor) {
  tir_attrs_custom attrs = {};
  EXPECT_LT(strlen(name), sizeof attrs.op.text);
  memcpy(attrs.op.text, name, strlen(name));
  attrs.version = 1;
  attrs.floats = {1, {factor}};
  return attrs;
}

// Every op at least once. Long because it is a table.
inline std::vector<OpCall> ValidCalls(int64_t n) {
  const CallDim N(n, true);
  std::vector<OpCall> calls = {
      Call(TIR_OP_INPUT, {F32({N, 3})}),
      Call(TIR_OP_PARAM, {F32({3, 2})}, tir_attrs_param{TIR_PARAM_STATE}),
      Call(TIR_OP_CONSTANT, {F32({3})}, tir_attrs_constant{0x3f800000, 0}),
      Call(TIR_OP_GRADIENT, {F32({N}), F32({N}), F32({N, 3}), F64({2})},
           tir_attrs_gradient{1, 0}),
      Call(TIR_OP_ASSIGN, {F32({N, 3}), F32({N, 3})}),
      Call(TIR_OP_STOP_GRADIENT, {F32({N, 3})}),
      Call(TIR_OP_CUT, {F32({N, 3})}),
      Call(TIR_OP_CUSTOM, {F32({N, 3}), F32({N, 3})},
           Product("test.effect", 2)),
      Call(TIR_OP_CUSTOM_PURE, {F64({N}), F64({N})}, Product("test.pure", 3)),
      Call(TIR_OP_ARANGE, {}, tir_attrs_arange{TIR_DTYPE_I64, 5}),
      Call(TIR_OP_DIM_PRODUCT, {F32({N, 3, 2})},
           tir_attrs_dim_product{TIR_DTYPE_F32, List({0, -1})}),
      Call(TIR_OP_DIM_PRODUCT, {F32({N, 3})},
           tir_attrs_dim_product{TIR_DTYPE_I64, List({})}),
      Call(TIR_OP_CAST, {F32({N, 3})}, tir_attrs_dtype{TIR_DTYPE_F64}),
      Call(TIR_OP_CAST, {F32({N, 3})}, tir_attrs_dtype{TIR_DTYPE_I32}),
      Call(TIR_OP_ADD_N, {F32({N, 3}), F32({N, 3}), F32({N, 3})}),
      Call(TIR_OP_WHERE, {Bool({N, 3}), F32({3}), F32({N, 1})}),
      Call(TIR_OP_WHERE, {Bool({}), F32({N, 3}), F32({})}),
      Call(TIR_OP_CLIP, {F32({N, 3}), F32({}), F32({})}),
      Call(TIR_OP_CLIP, {F32({3}), F32({N, 1}), F32({2, 1, 1})}),
      Call(TIR_OP_CLIP, {F32({N}), F32({1}), F32({N})}),
      Call(TIR_OP_ARGMAX, {F32({N, 3})}, tir_attrs_argmax{1, 0}),
      Call(TIR_OP_ARGMIN, {F32({N, 3})}, tir_attrs_argmax{1, 0}),
      Call(TIR_OP_LOGSUMEXP, {F32({N, 3})}, tir_attrs_argmax{-1, 0}),
      Call(TIR_OP_LOGSUMEXP, {F32({N, 3})}, tir_attrs_argmax{0, 1}),
      Call(TIR_OP_REDUCE_TO, {F32({2, N, 3}), F32({3})}),
      Call(TIR_OP_REDUCE_TO, {F32({2, N, 3}), F32({N, 1})}),
      Call(TIR_OP_MATMUL, {F32({N, 3}), F32({3, 2})}),
      Call(TIR_OP_MATMUL, {F32({3, N}), F32({2, 3})}, tir_attrs_matmul{1, 1}),
      Call(TIR_OP_MATMUL, {F32({N, 3}), F32({N, 2})}, tir_attrs_matmul{1, 0}),
      Call(TIR_OP_MATMUL, {F32({N, 3}), F32({2, 3})}, tir_attrs_matmul{0, 1}),
      Call(TIR_OP_MATMUL, {F32({2, N, 5, 3}), F32({N, 3, 2})}),
      Call(TIR_OP_MATMUL, {F32({3, 5}), F32({2, N, 2, 3})},
           tir_attrs_matmul{1, 1}),
      Call(TIR_OP_RESHAPE, {F32({N, 3, 2})}, Dims({-1, 6})),
      Call(TIR_OP_RESHAPE, {F32({2, N, 3})}, Dims({-1})),
      Call(TIR_OP_RESHAPE_LIKE, {F32({N, 6}), F32({2, N, 3})}),
      Call(TIR_OP_EXPAND_DIMS, {F32({N, 3})}, Perm({0, -1})),
      Call(TIR_OP_TRANSPOSE, {F32({N, 3, 2})}, Perm({2, 0, 1})),
      Call(TIR_OP_BROADCAST_TO, {F32({N, 1})}, Dims({2, -1, 3})),
      Call(TIR_OP_BROADCAST_LIKE, {F32({3}), F32({N, 3})}),
      Call(TIR_OP_BROADCAST_LIKE, {F32({N, 1}), F32({2, N, 3})}),
      Call(TIR_OP_CONCAT, {F32({N, 3}), F32({N, 1}), F32({N, 2})}, Axis(1)),
      Call(TIR_OP_CONCAT, {F32({N, 3}), F32({2, 3})}, Axis(0)),
      Call(TIR_OP_CONCAT_PART, {F32({N, 3}), F32({N, 1}), F32({N, 2})},
           tir_attrs_concat_part{-1, 1}),
      Call(TIR_OP_SLICE, {F32({N, 9, 2})},
           Range({0, -8}, {INT64_MAX, 7}, {1, 3})),
      Call(TIR_OP_SLICE, {F32({N, 4})}, Range({0}, {INT64_MAX})),
      Call(TIR_OP_UNSLICE, {F32({N, 2, 2}), F32({N, 9, 2})},
           Range({0, -8}, {INT64_MAX, 7}, {1, 3})),
      Call(TIR_OP_PAD, {F32({N, 3}), F32({})},
           tir_attrs_pad{List({0, 1}), List({0, 2})}),
      Call(TIR_OP_PAD, {F32({N, 3}), F32({})},
           tir_attrs_pad{List({1}), List({2})}),
      Call(TIR_OP_FLIP, {F32({N, 3, 2})}, Perm({0, -1})),
      Call(TIR_OP_FLIP, {F32({N, 3})}, Perm({})),
      Call(TIR_OP_TRIL, {F32({2, N, 3})}, tir_attrs_triangle{-1}),
      Call(TIR_OP_TRIU, {F32({N, N})}, tir_attrs_triangle{1}),
      Call(TIR_OP_CUMSUM, {F32({N, 3})}, tir_attrs_scan{0, 0, 1}),
      Call(TIR_OP_CUMSUM, {F32({N, 3})}, tir_attrs_scan{-1, 1, 0}),
      Call(TIR_OP_GATHER, {F32({7, 3}), I64({N, 2})}, Axis(0)),
      Call(TIR_OP_GATHER, {F32({N, 3}), I32({2})}, Axis(-1)),
      Call(TIR_OP_SCATTER_ADD, {F32({7, 3}), I64({N}), F32({N, 3})}, Axis(0)),
      Call(TIR_OP_SCATTER_ADD, {F32({N, 3}), I32({}), F32({N})}, Axis(1)),
      Call(TIR_OP_ONE_HOT, {I64({N, 2})}, tir_attrs_one_hot{3, TIR_DTYPE_F32}),
      Call(TIR_OP_CHECK_RANGE, {I64({N}), F32({N, 3})}, tir_attrs_window{1, 2}),
      Call(TIR_OP_CHECK_RANGE, {I32({}), F32({N, 3}), F32({N, 2})},
           tir_attrs_window{-1, 0}),
      Call(TIR_OP_SLICE_AT, {F32({N, 7, 3}), I64({})}, tir_attrs_window{1, 4}),
      Call(TIR_OP_SLICE_AT, {F32({7, N, 3}), I32({7}), F32({7, N, 3})},
           tir_attrs_window{-2, 0}),
      Call(TIR_OP_UPDATE_SLICE, {F32({N, 7, 3}), F32({N, 2, 3}), I64({N})},
           Axis(1)),
      Call(TIR_OP_UPDATE_SLICE, {F32({7, N}), F32({3, N}), I32({})}, Axis(0)),
      Call(TIR_OP_ATTENTION, {F32({N, 3, 2}), F32({N, 5, 2}), F32({5, 4})},
           tir_attrs_attention{1, 0, 0}),
      Call(TIR_OP_ATTENTION,
           {F32({2, N, 3}), F32({1, N, 3}), F32({N, 3}), F32({N, N})},
           tir_attrs_attention{0, 1, 0}),
      Call(TIR_OP_ATTENTION,
           {F32({2, 3, N, 3}), F32({3, 7, 3}), F32({7, 3}), I32({2})},
           tir_attrs_attention{1, 0, 1}),
      Call(TIR_OP_ATTENTION,
           {F32({2, 3}), F32({N, 3}), F32({N, 3}), F32({N}), I64({})},
           tir_attrs_attention{0, 1, 1}),
      Call(TIR_OP_SOFTMAX, {F32({N, 3})}, Axis(-1)),
      Call(TIR_OP_LOG_SOFTMAX, {F32({N, 3})}, Axis(0)),
      Call(TIR_OP_NORMALIZE, {F32({N, 3, 2}), F32({})}, Perm({-1, 0})),
      Call(TIR_OP_NORMALIZE, {F32({2, N}), F32({})}, Perm({0})),
      Call(TIR_OP_NORMALIZE, {F32({N, 3}), F32({})}, Perm({})),
      Call(TIR_OP_RMS_NORMALIZE, {F32({N, 3}), F32({})}, Perm({1})),
      Call(TIR_OP_RMS_NORMALIZE, {F32({N, 3}), F32({})}, Perm({0})),
      Call(TIR_OP_CROSS_ENTROPY, {F32({N, 3}), I64({N})}),
      Call(TIR_OP_CROSS_ENTROPY, {F32({3}), I32({})}),
      Call(TIR_OP_SGD, {F32({3}), F32({3}), F32({})}),
      Call(TIR_OP_MOMENTUM, {F32({3}), F32({3}), F32({3}), F32({}), F32({})}),
      Call(TIR_OP_ADAM, {F32({3}), F32({3}), F32({3}), F32({3}), F32({}),
                         F32({}), F32({}), F32({}), I64({})}),
      Call(TIR_OP_NESTEROV, {F32({3}), F32({3}), F32({3}), F32({}), F32({})}),
      Call(TIR_OP_ADAMW, {F32({3}), F32({3}), F32({3}), F32({3}), F32({}),
                          F32({}), F32({}), F32({}), F32({}), I64({})}),
      Call(TIR_OP_RMSPROP,
           {F32({3}), F32({3}), F32({3}), F32({}), F32({}), F32({})}),
      Call(TIR_OP_ADAGRAD, {F32({3}), F32({3}), F32({3}), F32({}), F32({})}),
      Call(TIR_OP_ADADELTA,
           {F32({3}), F32({3}), F32({3}), F32({3}), F32({}), F32({}), F32({})}),
      Call(TIR_OP_LION,
           {F32({3}), F32({3}), F32({3}), F32({}), F32({}), F32({}), F32({})}),
  };
  for (tir_op op :
       {TIR_OP_NEG, TIR_OP_ABS, TIR_OP_SQUARE, TIR_OP_SQRT, TIR_OP_EXP,
        TIR_OP_LOG, TIR_OP_TANH, TIR_OP_SIGMOID, TIR_OP_RELU, TIR_OP_RSQRT,
        TIR_OP_EXPM1, TIR_OP_LOG1P, TIR_OP_ERF, TIR_OP_SIN, TIR_OP_COS,
        TIR_OP_SOFTPLUS, TIR_OP_SILU, TIR_OP_GELU, TIR_OP_GELU_TANH})
    calls.push_back(Call(op, {F32({N, 3})}));
  for (tir_op op :
       {TIR_OP_ADD, TIR_OP_SUB, TIR_OP_MUL, TIR_OP_DIV, TIR_OP_POW,
        TIR_OP_MAXIMUM, TIR_OP_MINIMUM, TIR_OP_EQUAL, TIR_OP_NOT_EQUAL,
        TIR_OP_LESS, TIR_OP_LESS_EQUAL, TIR_OP_GREATER, TIR_OP_GREATER_EQUAL}) {
    calls.push_back(Call(op, {F32({N, 3}), F32({N, 3})}));
    calls.push_back(Call(op, {F32({N, 1}), F32({2, 1, 3})}));
    calls.push_back(Call(op, {F32({}), F32({N})}));
    calls.push_back(Call(op, {F32({N}), F32({1})}));
  }
  for (tir_op op : {TIR_OP_REDUCE_SUM, TIR_OP_REDUCE_MEAN, TIR_OP_REDUCE_PROD,
                    TIR_OP_REDUCE_MAX, TIR_OP_REDUCE_MIN, TIR_OP_NORM}) {
    calls.push_back(Call(op, {F32({N, 3, 2})}, Axes({0, -1})));
    calls.push_back(Call(op, {F32({N, 3, 2})}, Axes({1}, 1)));
    calls.push_back(Call(op, {F32({N, 3})}, Axes({})));
    calls.push_back(Call(op, {F32({N, 3})}, Axes({}, 1)));
    calls.push_back(Call(op, {F32({})}, Axes({})));
  }
  for (tir_op op : {TIR_OP_RANDOM_UNIFORM, TIR_OP_RANDOM_NORMAL}) {
    calls.push_back(Call(op, {I64({2}), I64({})},
                         tir_attrs_random{TIR_DTYPE_F32, List({4, 3})}));
    calls.push_back(Call(op, {I64({2}), I64({}), F32({N, 3})},
                         tir_attrs_random{TIR_DTYPE_F64, List({})}));
  }
  return calls;
}

// A graph that calls are made in: each operand is an input node.
class CallGraph {
 public:
  CallGraph() {
    EXPECT_EQ(tir_context_create(nullptr, &context_, &error_), TIR_OK);
    custom_ops::RegisterTestOps(context_);
    EXPECT_EQ(tir_ir_graph_create(context_, "main", &ir_, &error_), TIR_OK);
    EXPECT_EQ(tir_ir_recorder_create(context_, ir_, &tape_, &error_), TIR_OK);
    EXPECT_TRUE(tir_base_strings_intern(&ir_->strings, "n", 1, &symbol_));
  }
  ~CallGraph() {
    tir_ir_recorder_destroy(tape_);
    tir_ir_graph_destroy(ir_);
    tir_context_destroy(context_);
  }
  CallGraph(const CallGraph &) = delete;
  CallGraph &operator=(const CallGraph &) = delete;

  tir_context *context() const { return context_; }
  tir_ir_graph *ir() const { return ir_; }
  tir_tape *tape() const { return tape_; }

  tir_ir_type Type(const CallType &from) const {
    tir_ir_type type = {};
    type.dtype = from.dtype;
    type.rank = static_cast<int>(from.dims.size());
    for (size_t i = 0; i < from.dims.size() && i < TIR_MAX_RANK; i++) {
      type.dims[i] = from.dims[i].size;
      type.symbols[i] = from.dims[i].symbol ? symbol_ : 0;
    }
    return type;
  }
  tir_value Input(const CallType &from, const char *name = nullptr) {
    const tir_ir_type type = Type(from);
    return tir_ir_record_declared(tape_, TIR_OP_INPUT, nullptr, &type, name);
  }
  // Inference of a call alone; the message of a failure, "" if it succeeds.
  // The output types of a success are checked.
  std::string Infer(const OpCall &call,
                    const std::vector<const char *> &names = {}) {
    std::vector<uint32_t> operands;
    std::vector<tir_ir_type> declared;
    if (call.is_declared()) {
      declared.push_back(Type(call.in[0]));
    } else {
      for (size_t i = 0; i < call.in.size(); i++) {
        const char *name = i < names.size() ? names[i] : nullptr;
        const tir_value v = Input(call.in[i], name);
        EXPECT_EQ(tir_tape_check(tape_, &error_), TIR_OK) << error_.message;
        operands.push_back(tir_ir_peek(tape_, v).id);
      }
    }
    return InferIds(call, operands, declared);
  }
  std::string InferIds(const OpCall &call,
                       const std::vector<uint32_t> &operands,
                       const std::vector<tir_ir_type> &declared = {}) {
    const tir_ir_call query = {call.op,
                               operands.data(),
                               operands.size(),
                               call.attrs.data(),
                               declared.empty() ? nullptr : declared.data(),
                               call.n_out()};
    tir_ir_call_types types;
    error_ = {};
    status_ = tir_ir_infer_call(ir_, &query, &types, &error_);
    std::string message = error_.message;
    if (status_ == TIR_OK) {
      EXPECT_EQ(message, "") << "an error was left behind";
      out_.assign(types.out, types.out + call.n_out());
      for (const tir_ir_type &type : out_)
        EXPECT_EQ(tir_ir_type_check(&type, &error_), TIR_OK)
            << call.desc()->name << ": " << error_.message;
    } else {
      EXPECT_EQ(status_, error_.status);
      EXPECT_EQ(message.rfind(std::string(call.desc()->name) + ": ", 0), 0u)
          << "must begin with the op: " << message;
      EXPECT_LT(message.size(), sizeof error_.message - 1) << message;
    }
    tir_ir_call_types_free(ir_, &types);
    return message;
  }
  tir_status status() const { return status_; }
  const std::vector<tir_ir_type> &out() const { return out_; }

 private:
  tir_context *context_ = nullptr;
  tir_ir_graph *ir_ = nullptr;
  tir_tape *tape_ = nullptr;
  uint32_t symbol_ = 0;
  tir_error error_ = {};
  tir_status status_ = TIR_OK;
  std::vector<tir_ir_type> out_;
};

#endif
