// Large steps are cut into units, whatever their shape; what is one chain asks
// between pieces of it whether to go on.
#include "tests/support/kernel_call.h"

namespace tapeir_test {
namespace {

constexpr int64_t kMany = 1 << 19;

Buffer Zeros(tir_dtype dtype, const std::vector<int64_t> &dims) {
  return Buffer(TypeOf(dtype, dims), 0, 0);
}

Buffer Ones(tir_dtype dtype, const std::vector<int64_t> &dims) {
  Buffer buffer(TypeOf(dtype, dims));
  for (size_t e = 0; e < buffer.count(); e++) buffer.Set(e, 1);
  return buffer;
}

// Whole numbers, unlike their neighbours.
Buffer Some(tir_dtype dtype, const std::vector<int64_t> &dims) {
  Buffer buffer(TypeOf(dtype, dims));
  for (size_t e = 0; e < buffer.count(); e++)
    buffer.Set(e, static_cast<double>(e % 251));
  return buffer;
}

Buffer Indices(const std::vector<int64_t> &dims, uint64_t size) {
  Buffer buffer(TypeOf(TIR_DTYPE_I64, dims));
  for (size_t e = 0; e < buffer.count(); e++)
    buffer.SetI64(e, static_cast<int64_t>((e * 7 + 1) % size));
  return buffer;
}

// At least eight units, and the bits of the reference, as in one piece.
void ExpectCut(KernelCall *call, const char *what) {
  SCOPED_TRACE(what);
  KernelOptions options;
  options.level = Levels().back();
  ASSERT_EQ(call->RunWithUsualCut(options), TIR_OK) << call->message();
  EXPECT_GE(call->n_units(), 8u);
  ASSERT_EQ(call->Reference(), TIR_OK) << call->message();
  EXPECT_TRUE(SameBits(call->out(), call->wanted()));
}

// Stops at the first question, and asks at least so often.
void ExpectAsks(KernelCall *call, const char *what, int least = 1) {
  SCOPED_TRACE(what);
  int n_asked = 0;
  tir_exec_poll poll = {};
  poll.user = &n_asked;
  poll.ask = [](void *user) {
    ++*static_cast<int *>(user);
    return TIR_OK;
  };
  ASSERT_EQ(call->RunPolled(&poll), TIR_OK) << call->message();
  EXPECT_GE(n_asked, least);
  poll.ask = [](void *) { return TIR_ERR_CANCELLED; };
  EXPECT_EQ(call->RunPolled(&poll), TIR_ERR_CANCELLED);
}

// --- copies ------------------------------------------------------------------

tir_attrs_slice SliceOf(const std::vector<int64_t> &starts,
                        const std::vector<int64_t> &stops,
                        const std::vector<int64_t> &steps) {
  tir_attrs_slice attrs = {};
  attrs.starts = IntsOf(starts);
  attrs.stops = IntsOf(stops);
  attrs.steps = IntsOf(steps);
  return attrs;
}

TEST(LargeSteps, UnsliceAndPadAreCut) {
  const tir_ir_type whole = TypeOf(TIR_DTYPE_F32, {kMany});
  KernelCall back(TIR_OP_UNSLICE);
  back.Attrs(SliceOf({7}, {kMany / 2}, {}));
  back.In(Some(TIR_DTYPE_F32, {kMany / 2 - 7})).Shape(whole).Out(whole);
  ExpectCut(&back, "unslice");
  KernelCall stepped(TIR_OP_UNSLICE);
  stepped.Attrs(SliceOf({1}, {kMany}, {4}));
  stepped.In(Some(TIR_DTYPE_F32, {kMany / 4})).Shape(whole).Out(whole);
  ExpectCut(&stepped, "unslice with steps");
  tir_attrs_pad attrs = {};
  attrs.before = IntsOf({3, 5});
  attrs.after = IntsOf({3, 1});
  KernelCall pad(TIR_OP_PAD);
  pad.Attrs(attrs).In(Some(TIR_DTYPE_F32, {1024, 1024}));
  pad.In(Some(TIR_DTYPE_F32, {})).Out(TypeOf(TIR_DTYPE_F32, {1030, 1030}));
  ExpectCut(&pad, "pad");
}

// Few places along the first axis, or few operands.
TEST(LargeSteps, CopiesAreCutWhereTheyAreLong) {
  KernelCall turn(TIR_OP_TRANSPOSE);
  turn.Attrs(tir_attrs_axes{}).In(Some(TIR_DTYPE_F32, {kMany, 2}));
  turn.Out(TypeOf(TIR_DTYPE_F32, {2, kMany}));
  ExpectCut(&turn, "transpose");
  KernelCall repeat(TIR_OP_BROADCAST_TO);
  repeat.Attrs(tir_attrs_dims{}).In(Some(TIR_DTYPE_F32, {kMany}));
  repeat.Out(TypeOf(TIR_DTYPE_F32, {2, kMany}));
  ExpectCut(&repeat, "broadcast_to");
  KernelCall concat(TIR_OP_CONCAT);
  concat.Attrs(tir_attrs_axis{0}).In(Some(TIR_DTYPE_F32, {kMany}));
  concat.In(Some(TIR_DTYPE_F32, {3})).Out(TypeOf(TIR_DTYPE_F32, {kMany + 3}));
  ExpectCut(&concat, "concat");
  KernelCall flip(TIR_OP_FLIP);
  flip.Attrs(tir_attrs_axes{IntsOf({1})});
  flip.In(Some(TIR_DTYPE_F32, {1, kMany}));
  flip.Out(TypeOf(TIR_DTYPE_F32, {1, kMany}));
  ExpectCut(&flip, "flip");
  KernelCall lower(TIR_OP_TRIL);
  lower.Attrs(tir_attrs_triangle{5}).In(Some(TIR_DTYPE_F32, {2, kMany}));
  lower.Out(TypeOf(TIR_DTYPE_F32, {2, kMany}));
  ExpectCut(&lower, "tril");
}

// --- making values -----------------------------------------------------------

TEST(LargeSteps, CountingAndFillingAreCut) {
  KernelCall arange(TIR_OP_ARANGE);
  arange.Attrs(tir_attrs_arange{TIR_DTYPE_F32, kMany});
  arange.Out(TypeOf(TIR_DTYPE_F32, {kMany}));
  ExpectCut(&arange, "arange");
  tir_attrs_reduce attrs = {};
  attrs.axes = IntsOf({1});
  KernelCall sum(TIR_OP_REDUCE_SUM);
  sum.Attrs(attrs).In(Some(TIR_DTYPE_F32, {kMany, 0}));
  sum.Out(TypeOf(TIR_DTYPE_F32, {kMany}));
  ExpectCut(&sum, "sums of nothing");
}

// --- along one axis ----------------------------------------------------------

TEST(LargeSteps, NormsOfDoublesAreCutByResults) {
  for (int64_t axis : {0, 1}) {
    tir_attrs_reduce attrs = {};
    attrs.axes = IntsOf({axis});
    KernelCall norm(TIR_OP_NORM);
    norm.Attrs(attrs).In(Ones(TIR_DTYPE_F64, {512, 512}));
    norm.Out(TypeOf(TIR_DTYPE_F64, {1024}));
    ExpectCut(&norm, "norm");
  }
}

TEST(LargeSteps, PositionsAlongOneLongAxisAreCut) {
  for (tir_op op : {TIR_OP_ARGMAX, TIR_OP_ARGMIN}) {
    KernelCall row(op);
    row.Attrs(tir_attrs_argmax{0, 0}).In(Ones(TIR_DTYPE_F32, {kMany}));
    row.Out(TypeOf(TIR_DTYPE_I64, {}));
    ExpectCut(&row, "a row");
    KernelCall columns(op);
    columns.Attrs(tir_attrs_argmax{0, 0});
    columns.In(Ones(TIR_DTYPE_F64, {kMany / 4, 5}));
    columns.Out(TypeOf(TIR_DTYPE_I64, {5}));
    ExpectCut(&columns, "columns");
  }
}

// The first NaN, else the first of the best, wherever parts end.
TEST(LargeSteps, PartsOfAnAxisKeepTheFirstPosition) {
  TestRandom random(3);
  for (tir_op op : {TIR_OP_ARGMAX, TIR_OP_ARGMIN})
    for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I32})
      for (int64_t width : {1, 3})
        for (int round = 0; round < 4; round++) {
          Buffer x(TypeOf(dtype, {70000, width}));
          for (size_t e = 0; e < x.count(); e++)
            x.SetI64(e, static_cast<int64_t>(random.Below(40)) - 20);
          if (dtype != TIR_DTYPE_I32 && round % 2)
            for (int k = 0; k < 3; k++)
              x.Set(random.Below(x.count()), static_cast<double>(NAN));
          KernelCall call(op);
          call.Attrs(tir_attrs_argmax{0, 0}).In(x);
          call.Out(TypeOf(TIR_DTYPE_I64, {width}));
          ASSERT_EQ(call.Reference(), TIR_OK);
          for (int level : Levels()) {
            KernelOptions options;
            options.level = level;
            ASSERT_EQ(call.Run(options), TIR_OK);
            ASSERT_TRUE(SameBits(call.out(), call.wanted()));
            ASSERT_EQ(call.RunWithUsualCut(options), TIR_OK);
            ASSERT_TRUE(SameBits(call.out(), call.wanted()));
          }
        }
}

TEST(LargeSteps, ChainsAlongOneLongAxisAsk) {
  for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64}) {
    const tir_ir_type rows = TypeOf(dtype, {kMany});
    const tir_ir_type columns = TypeOf(dtype, {kMany / 4, 4});
    for (const tir_ir_type &type : {rows, columns}) {
      const Buffer x(type, 0, 0);
      const std::vector<int64_t> rest(type.dims + 1, type.dims + type.rank);
      KernelCall sums(TIR_OP_CUMSUM);
      sums.Attrs(tir_attrs_scan{0, 0, 0}).In(x).Out(type);
      ExpectAsks(&sums, "cumsum");
      for (tir_op op : {TIR_OP_SOFTMAX, TIR_OP_LOG_SOFTMAX}) {
        KernelCall softmax(op);
        softmax.Attrs(tir_attrs_axis{0}).In(x).Out(type);
        ExpectAsks(&softmax, "softmax", 3);
      }
      KernelCall log_sum(TIR_OP_LOGSUMEXP);
      log_sum.Attrs(tir_attrs_argmax{0, 0}).In(x).Out(TypeOf(dtype, rest));
      ExpectAsks(&log_sum, "logsumexp", 2);
      const tir_ir_type stat = TypeOf(dtype, rest);
      KernelCall normal(TIR_OP_NORMALIZE);
      normal.Attrs(tir_attrs_axes{IntsOf({0})}).In(x).In(Ones(dtype, {}));
      normal.Out(type).Out(stat).Out(stat).Out(stat);
      ExpectAsks(&normal, "normalize", 3);
    }
    const tir_ir_type one = TypeOf(dtype, {1, kMany});
    KernelCall loss(TIR_OP_CROSS_ENTROPY);
    loss.In(Buffer(one, 0, 0)).In(Zeros(TIR_DTYPE_I64, {1}));
    loss.Out(TypeOf(dtype, {1})).Out(one);
    ExpectAsks(&loss, "cross_entropy", 3);
  }
  tir_attrs_reduce attrs = {};
  KernelCall norm(TIR_OP_NORM);
  norm.Attrs(attrs).In(Ones(TIR_DTYPE_F64, {kMany}));
  norm.Out(TypeOf(TIR_DTYPE_F64, {}));
  ExpectAsks(&norm, "norm", 2);
}

TEST(LargeSteps, AttentionAsksBetweenBlocksOfPositions) {
  const tir_ir_type q = TypeOf(TIR_DTYPE_F32, {4, 64});
  const tir_ir_type k = TypeOf(TIR_DTYPE_F32, {1 << 16, 64});
  KernelCall call(TIR_OP_ATTENTION);
  call.Attrs(tir_attrs_attention{}).In(Buffer(q, 0, 0)).In(Buffer(k, 0, 0));
  call.In(Buffer(k, 0, 0)).Out(q);
  ExpectAsks(&call, "attention", 7);
}

// --- products ----------------------------------------------------------------

TEST(LargeSteps, LargeProductsOfABatchAreCut) {
  for (int level : Levels()) {
    KernelCall call(TIR_OP_MATMUL);
    call.Attrs(tir_attrs_matmul{0, 0}).In(Ones(TIR_DTYPE_I32, {2, 300, 300}));
    call.In(Ones(TIR_DTYPE_I32, {2, 300, 300}));
    call.Out(TypeOf(TIR_DTYPE_I32, {2, 300, 300}));
    KernelOptions options;
    options.level = level;
    ASSERT_EQ(call.RunWithUsualCut(options), TIR_OK);
    EXPECT_GE(call.n_units(), 8u);
  }
}

// Neither many rows nor a long sum make a unit long: 2^24 multiplications.
TEST(LargeSteps, LargeOwnProductsAreCutBothWays) {
  for (int64_t m : {256, 40}) {
    const int64_t n = 65536 / m;
    KernelCall call(TIR_OP_MATMUL);
    call.Attrs(tir_attrs_matmul{0, 0}).In(Ones(TIR_DTYPE_I32, {m, 4096}));
    call.In(Ones(TIR_DTYPE_I32, {4096, n})).Out(TypeOf(TIR_DTYPE_I32, {m, n}));
    KernelOptions options;
    options.level = Levels().back();
    ASSERT_EQ(call.RunWithUsualCut(options), TIR_OK);
    EXPECT_GE(call.n_units(), 16u);
  }
}

TEST(LargeSteps, LongInnerProductsAsk) {
  for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64})
    for (int64_t m : {1, 3}) {
      KernelCall call(TIR_OP_MATMUL);
      call.Attrs(tir_attrs_matmul{0, 0}).In(Ones(dtype, {m, kMany + 3}));
      call.In(Ones(dtype, {kMany + 3, 1})).Out(TypeOf(dtype, {m, 1}));
      ExpectAsks(&call, "matmul", 3);
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        ASSERT_EQ(call.RunWithUsualCut(options), TIR_OK);
        for (size_t r = 0; r < call.out().count(); r++)
          EXPECT_EQ(call.out().F64(r), kMany + 3);
      }
    }
}

// --- indices -----------------------------------------------------------------

TEST(LargeSteps, GatherIsCutWhateverIsLong) {
  struct Row {
    std::vector<int64_t> dims, indices, out;
    int64_t axis;
  };
  const Row rows[] = {{{4, kMany}, {2}, {2, kMany}, 0},
                      {{kMany / 2, 2}, {1}, {kMany / 2, 1}, 1},
                      {{10}, {kMany}, {kMany}, 0}};
  for (const Row &row : rows) {
    KernelCall call(TIR_OP_GATHER);
    call.Attrs(tir_attrs_axis{row.axis}).In(Some(TIR_DTYPE_F32, row.dims));
    call.In(Indices(row.indices, static_cast<uint64_t>(
                                     row.dims[static_cast<size_t>(row.axis)])));
    call.Out(TypeOf(TIR_DTYPE_F32, row.out));
    ExpectCut(&call, "gather");
  }
}

TEST(LargeSteps, OneHotIsCutWithinRows) {
  KernelCall call(TIR_OP_ONE_HOT);
  call.Attrs(tir_attrs_one_hot{kMany, TIR_DTYPE_F32});
  call.In(Indices({2}, kMany)).Out(TypeOf(TIR_DTYPE_F32, {2, kMany}));
  ExpectCut(&call, "one_hot");
}

TEST(LargeSteps, ScatterAddIsCutBeforeTheAxisAndAsksAlongIt) {
  KernelCall cut(TIR_OP_SCATTER_ADD);
  cut.Attrs(tir_attrs_axis{1}).In(Some(TIR_DTYPE_F32, {kMany / 2, 2}));
  cut.In(Indices({1}, 2)).In(Some(TIR_DTYPE_F32, {kMany / 2, 1}));
  cut.Out(TypeOf(TIR_DTYPE_F32, {kMany / 2, 2}));
  ExpectCut(&cut, "scatter_add");
  KernelCall chain(TIR_OP_SCATTER_ADD);
  chain.Attrs(tir_attrs_axis{0}).In(Some(TIR_DTYPE_F32, {8}));
  chain.In(Zeros(TIR_DTYPE_I64, {kMany})).In(Some(TIR_DTYPE_F32, {kMany}));
  chain.Out(TypeOf(TIR_DTYPE_F32, {8}));
  ExpectAsks(&chain, "scatter_add", 2);
}

TEST(LargeSteps, WindowsAlongTheFirstAxisAreCut) {
  const tir_ir_type whole = TypeOf(TIR_DTYPE_F32, {2 * kMany});
  KernelCall slice(TIR_OP_SLICE_AT);
  slice.Attrs(tir_attrs_window{0, kMany});
  slice.In(Some(TIR_DTYPE_F32, {2 * kMany}));
  slice.In(Indices({}, 2)).Out(TypeOf(TIR_DTYPE_F32, {kMany}));
  ExpectCut(&slice, "slice_at");
  KernelCall update(TIR_OP_UPDATE_SLICE);
  update.Attrs(tir_attrs_axis{0}).In(Some(TIR_DTYPE_F32, {2 * kMany}));
  update.In(Some(TIR_DTYPE_F32, {kMany - 3})).In(Indices({}, 2));
  update.Out(whole);
  ExpectCut(&update, "update_slice");
  // A small window is one piece; what is around it may have to be copied.
  KernelCall small(TIR_OP_UPDATE_SLICE);
  small.Attrs(tir_attrs_axis{0}).In(Buffer(whole, 0, 0));
  small.In(Some(TIR_DTYPE_F32, {5})).In(Zeros(TIR_DTYPE_I64, {})).Out(whole);
  ExpectAsks(&small, "update_slice");
}

// Rows of a few pieces, before an axis and behind it, in every cut.
TEST(LargeSteps, PiecesOfRowsMeet) {
  const std::vector<int64_t> dims = {2, 3, 40001};
  const auto expect_same = [](KernelCall *call) {
    ASSERT_EQ(call->Reference(), TIR_OK) << call->message();
    ASSERT_EQ(call->Run(KernelOptions()), TIR_OK) << call->message();
    EXPECT_TRUE(SameBits(call->out(), call->wanted()));
  };
  KernelCall gather(TIR_OP_GATHER);
  gather.Attrs(tir_attrs_axis{1}).In(Some(TIR_DTYPE_F32, dims));
  gather.In(Indices({4}, 3)).Out(TypeOf(TIR_DTYPE_F32, {2, 4, 40001}));
  expect_same(&gather);
  for (int64_t start : {0, 1, 17000, 20000}) {
    Buffer starts(TypeOf(TIR_DTYPE_I64, {2}));
    starts.SetI64(0, start);
    starts.SetI64(1, 20000 - start);
    KernelCall slice(TIR_OP_SLICE_AT);
    slice.Attrs(tir_attrs_window{2, 20001}).In(Some(TIR_DTYPE_F32, dims));
    slice.In(starts).Out(TypeOf(TIR_DTYPE_F32, {2, 3, 20001}));
    expect_same(&slice);
    KernelCall update(TIR_OP_UPDATE_SLICE);
    update.Attrs(tir_attrs_axis{2}).In(Some(TIR_DTYPE_F32, dims));
    update.In(Ones(TIR_DTYPE_F32, {2, 3, 20001})).In(starts);
    update.Out(TypeOf(TIR_DTYPE_F32, dims));
    expect_same(&update);
  }
}

}  // namespace
}  // namespace tapeir_test
