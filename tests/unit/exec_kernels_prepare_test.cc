// What holds for the kernels of all ops: there is one, preparing survives
// every failing allocation, and empty operands need no memory.

#include "tests/support/context_fixture.h"
#include "tests/support/kernel_call.h"

namespace tapeir_test {
namespace {

TEST(KernelTable, HasEveryOp) {
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_exec_kernel_desc *kernel =
        tir_exec_kernel(static_cast<tir_op>(op));
    ASSERT_NE(kernel, nullptr);
    const bool bound_outside = op == TIR_OP_INPUT || op == TIR_OP_PARAM ||
                               op == TIR_OP_CONSTANT || op == TIR_OP_GRADIENT;
    EXPECT_EQ(kernel->prepare == nullptr, bound_outside)
        << tir_ir_op_desc(static_cast<tir_op>(op))->name;
  }
}

// A call of `op` whose arrays have n rows (0: all empty). Long because
// of a case per op.
KernelCall Call(tir_op op, int64_t n) {
  const tir_ir_type vector = TypeOf(TIR_DTYPE_F32, {n});
  const tir_ir_type matrix = TypeOf(TIR_DTYPE_F32, {n, 3});
  const tir_ir_type scalar = TypeOf(TIR_DTYPE_F32, {});
  const auto zeros = [](const tir_ir_type &type) {
    Buffer buffer(type);
    for (size_t e = 0; e < buffer.count(); e++) buffer.SetI64(e, 0);
    return buffer;
  };
  const Buffer x = zeros(matrix), v = zeros(vector), s = zeros(scalar);
  const Buffer indices = zeros(TypeOf(TIR_DTYPE_I64, {n}));
  KernelCall call(op);
  switch (op) {
    case TIR_OP_ASSIGN:
      return std::move(call.Shape(matrix).In(x).Out(matrix));
    case TIR_OP_ARANGE:
      return std::move(
          call.Attrs(tir_attrs_arange{TIR_DTYPE_F32, n}).Out(vector));
    case TIR_OP_DIM_PRODUCT: {
      tir_attrs_dim_product attrs = {};
      attrs.dtype = TIR_DTYPE_F32;
      return std::move(call.Attrs(attrs).Shape(matrix).Out(scalar));
    }
    case TIR_OP_CAST:
      return std::move(call.Attrs(tir_attrs_dtype{TIR_DTYPE_I8})
                           .In(x)
                           .Out(TypeOf(TIR_DTYPE_I8, {n, 3})));
    case TIR_OP_ADD:
    case TIR_OP_SUB:
    case TIR_OP_MUL:
    case TIR_OP_DIV:
    case TIR_OP_POW:
    case TIR_OP_MAXIMUM:
    case TIR_OP_MINIMUM:
      return std::move(call.In(x).In(s).Out(matrix));
    case TIR_OP_CLIP:
      return std::move(call.In(x).In(s).In(s).Out(matrix));
    case TIR_OP_ADD_N:
      return std::move(call.In(x).In(x).In(x).Out(matrix));
    case TIR_OP_EQUAL:
    case TIR_OP_NOT_EQUAL:
    case TIR_OP_LESS:
    case TIR_OP_LESS_EQUAL:
    case TIR_OP_GREATER:
    case TIR_OP_GREATER_EQUAL:
      return std::move(call.In(x).In(x).Out(TypeOf(TIR_DTYPE_BOOL, {n, 3})));
    case TIR_OP_WHERE:
      return std::move(call.In(zeros(TypeOf(TIR_DTYPE_BOOL, {n, 3})))
                           .In(x)
                           .In(s)
                           .Out(matrix));
    case TIR_OP_REDUCE_SUM:
    case TIR_OP_REDUCE_MEAN:
    case TIR_OP_REDUCE_PROD:
    case TIR_OP_REDUCE_MAX:
    case TIR_OP_REDUCE_MIN:
    case TIR_OP_NORM: {
      tir_attrs_reduce attrs = {};
      attrs.axes = IntsOf({1});
      return std::move(call.Attrs(attrs).In(x).Out(vector));
    }
    case TIR_OP_LOGSUMEXP:
      return std::move(call.Attrs(tir_attrs_argmax{1, 0}).In(x).Out(vector));
    case TIR_OP_CUMSUM:
      return std::move(call.Attrs(tir_attrs_scan{1, 0, 0}).In(x).Out(matrix));
    case TIR_OP_PAD:
      return std::move(call.Attrs(tir_attrs_pad{}).In(x).In(s).Out(matrix));
    case TIR_OP_ARGMAX:
    case TIR_OP_ARGMIN:
      return std::move(call.Attrs(tir_attrs_argmax{1, 0})
                           .In(x)
                           .Out(TypeOf(TIR_DTYPE_I64, {n})));
    case TIR_OP_REDUCE_TO:
      return std::move(call.In(x)
                           .Shape(TypeOf(TIR_DTYPE_F32, {n, 1}))
                           .Out(TypeOf(TIR_DTYPE_F32, {n, 1})));
    case TIR_OP_MATMUL:
      return std::move(call.Attrs(tir_attrs_matmul{0, 1})
                           .In(x)
                           .In(x)
                           .Out(TypeOf(TIR_DTYPE_F32, {n, n})));
    case TIR_OP_RESHAPE_LIKE:
    case TIR_OP_BROADCAST_LIKE:
      return std::move(call.In(x).Shape(matrix).Out(matrix));
    case TIR_OP_TRANSPOSE:
      return std::move(call.Attrs(tir_attrs_axes{})
                           .In(x)
                           .Out(TypeOf(TIR_DTYPE_F32, {3, n})));
    case TIR_OP_CONCAT:
      return std::move(call.Attrs(tir_attrs_axis{0})
                           .In(x)
                           .In(x)
                           .Out(TypeOf(TIR_DTYPE_F32, {2 * n, 3})));
    case TIR_OP_CONCAT_PART:
      return std::move(call.Attrs(tir_attrs_concat_part{0, 0})
                           .In(x)
                           .Shape(matrix)
                           .Out(matrix));
    case TIR_OP_SLICE:
    case TIR_OP_UNSLICE: {
      tir_attrs_slice attrs = {};
      attrs.starts = IntsOf({0});
      attrs.stops = IntsOf({n});
      call.Attrs(attrs).In(x);
      if (op == TIR_OP_UNSLICE) call.Shape(matrix);
      return std::move(call.Out(matrix));
    }
    case TIR_OP_GATHER:
      return std::move(
          call.Attrs(tir_attrs_axis{0}).In(x).In(indices).Out(matrix));
    case TIR_OP_SCATTER_ADD:
      return std::move(
          call.Attrs(tir_attrs_axis{0}).In(x).In(indices).In(x).Out(matrix));
    case TIR_OP_ONE_HOT:
      return std::move(call.Attrs(tir_attrs_one_hot{3, TIR_DTYPE_F32})
                           .In(indices)
                           .Out(matrix));
    case TIR_OP_SOFTMAX:
    case TIR_OP_LOG_SOFTMAX:
      return std::move(call.Attrs(tir_attrs_axis{1}).In(x).Out(matrix));
    case TIR_OP_NORMALIZE:
    case TIR_OP_RMS_NORMALIZE: {
      const tir_ir_type stat = TypeOf(TIR_DTYPE_F32, {n, 1});
      call.Attrs(tir_attrs_axes{IntsOf({1})}).In(x).In(s).Out(matrix).Out(stat);
      if (op == TIR_OP_NORMALIZE) call.Out(stat).Out(stat);
      return call;
    }
    case TIR_OP_CROSS_ENTROPY:
      return std::move(call.In(x).In(indices).Out(vector).Out(matrix));
    case TIR_OP_RANDOM_UNIFORM:
    case TIR_OP_RANDOM_NORMAL: {
      tir_attrs_random attrs = {};
      attrs.dtype = TIR_DTYPE_F32;
      return std::move(call.Attrs(attrs)
                           .In(zeros(TypeOf(TIR_DTYPE_I64, {2})))
                           .In(zeros(TypeOf(TIR_DTYPE_I64, {})))
                           .Out(vector));
    }
    case TIR_OP_SGD:
      return std::move(call.In(x).In(x).In(s).Out(matrix));
    case TIR_OP_MOMENTUM:
      return std::move(
          call.In(x).In(x).In(x).In(s).In(s).Out(matrix).Out(matrix));
    case TIR_OP_ADAM:
      call.In(x).In(x).In(x).In(x).In(s).In(s).In(s).In(s);
      call.In(zeros(TypeOf(TIR_DTYPE_I64, {})));
      return std::move(call.Out(matrix).Out(matrix).Out(matrix));
    case TIR_OP_NESTEROV:
    case TIR_OP_ADAGRAD:
      return std::move(
          call.In(x).In(x).In(x).In(s).In(s).Out(matrix).Out(matrix));
    case TIR_OP_RMSPROP:
      return std::move(
          call.In(x).In(x).In(x).In(s).In(s).In(s).Out(matrix).Out(matrix));
    case TIR_OP_LION:
      call.In(x).In(x).In(x).In(s).In(s).In(s).In(s);
      return std::move(call.Out(matrix).Out(matrix));
    case TIR_OP_ADADELTA:
      call.In(x).In(x).In(x).In(x).In(s).In(s).In(s);
      return std::move(call.Out(matrix).Out(matrix).Out(matrix));
    case TIR_OP_ADAMW:
      call.In(x).In(x).In(x).In(x).In(s).In(s).In(s).In(s).In(s);
      call.In(zeros(TypeOf(TIR_DTYPE_I64, {})));
      return std::move(call.Out(matrix).Out(matrix).Out(matrix));
    case TIR_OP_CHECK_RANGE:
      return std::move(call.Attrs(tir_attrs_window{0, n})
                           .In(zeros(TypeOf(TIR_DTYPE_I64, {})))
                           .Shape(matrix)
                           .Out(TypeOf(TIR_DTYPE_I64, {})));
    case TIR_OP_SLICE_AT:
      return std::move(call.Attrs(tir_attrs_window{0, n})
                           .In(x)
                           .In(zeros(TypeOf(TIR_DTYPE_I64, {})))
                           .Out(matrix));
    case TIR_OP_UPDATE_SLICE:
      return std::move(call.Attrs(tir_attrs_axis{0})
                           .In(x)
                           .In(x)
                           .In(zeros(TypeOf(TIR_DTYPE_I64, {})))
                           .Out(matrix));
    case TIR_OP_ATTENTION:
      return std::move(
          call.Attrs(tir_attrs_attention{}).In(x).In(x).In(x).Out(matrix));
    default:
      return std::move(call.Attrs(tir_attrs_dims{}).In(x).Out(matrix));
  }
}

// All but loops, branches and custom ops, which need more than a call: see
// tests/control/ and the custom_ tests.
template <typename Test>
void ForEachKernel(Test test) {
  for (int op = 1; op < TIR_N_OPS; op++) {
    const tir_op_desc *desc = tir_ir_op_desc(static_cast<tir_op>(op));
    if (tir_exec_kernel(static_cast<tir_op>(op))->prepare &&
        !tir_ir_has_bodies(desc) && !desc->count_outputs) {
      SCOPED_TRACE(desc->name);
      test(static_cast<tir_op>(op));
    }
  }
}

TEST(KernelPrepare, SurvivesEveryFailingAllocation) {
  ForEachKernel([](tir_op op) {
    ForEachFailingAllocation([op](FailingAllocator &allocator) {
      const TestContext context(&allocator);
      if (context.status() != TIR_OK) return context.status();
      tir_base_arena arena;
      tir_base_arena_init(&arena, context);
      KernelCall call = Call(op, 4);
      const tir_status status = call.RunIn(&arena, KernelOptions());
      if (status == TIR_ERR_MEMORY) {
        EXPECT_NE(call.message(), "");
      }
      tir_base_arena_free(&arena);
      return status;
    });
  });
}

TEST(KernelPrepare, AcceptsEmptyOperands) {
  ForEachKernel([](tir_op op) {
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      KernelCall call = Call(op, 0);
      EXPECT_EQ(call.Run(options), TIR_OK) << call.message();
    }
  });
}

TEST(KernelPrepare, NamesADtypeWithoutKernel) {
  for (tir_op op : {TIR_OP_ADD, TIR_OP_EXP, TIR_OP_REDUCE_SUM, TIR_OP_MATMUL,
                    TIR_OP_SOFTMAX, TIR_OP_SGD, TIR_OP_ARGMAX}) {
    const tir_ir_type type = TypeOf(TIR_DTYPE_F16, {2, 2});
    KernelCall call(op);
    call.Attrs(tir_attrs_slice{}).In(Buffer(type)).In(Buffer(type));
    call.In(Buffer(type)).Out(type);
    EXPECT_EQ(call.Run(KernelOptions()), TIR_ERR_UNSUPPORTED);
    EXPECT_EQ(call.message(),
              std::string(tir_ir_op_desc(op)->name) + ": no kernel for f16");
  }
}

}  // namespace
}  // namespace tapeir_test
