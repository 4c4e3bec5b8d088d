// Movement, indexing, making values, random numbers and optimiser steps
// against the reference.

#include <algorithm>

#include "tests/support/kernel_call.h"

namespace tapeir_test {
namespace {

const std::vector<tir_dtype> kSizes = {TIR_DTYPE_U8, TIR_DTYPE_F16,
                                       TIR_DTYPE_F32, TIR_DTYPE_F64};
const std::vector<tir_dtype> kFloats = {TIR_DTYPE_F32, TIR_DTYPE_F64};

// Runs at every level and wants the reference's bits.
void ExpectSame(KernelCall *call, const std::string &what) {
  ASSERT_EQ(call->Reference(), TIR_OK) << call->message();
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    ASSERT_EQ(call->Run(options), TIR_OK) << call->message();
    ASSERT_TRUE(SameBits(call->out(), call->wanted())) << what;
  }
}

Buffer Random(tir_dtype dtype, const std::vector<int64_t> &dims,
              TestRandom *random) {
  Buffer buffer(TypeOf(dtype, dims));
  FillTricky(&buffer, random);
  return buffer;
}

TEST(MovementKernels, TransposeAgreesWithReference) {
  TestRandom random(1);
  const std::vector<std::vector<int64_t>> shapes = {
      {},        {5},          {3, 7},         {17, 33},    {40, 16},
      {64, 1},   {0, 3},       {2, 3, 4},      {5, 18, 33}, {2, 3, 4, 5},
      {1, 9, 1}, {2, 2, 3, 2}, {2, 3, 1, 2, 3}};
  for (const auto &dims : shapes) {
    std::vector<int64_t> perm;
    for (size_t a = 0; a < dims.size(); a++)
      perm.push_back(static_cast<int64_t>(a));
    do {
      std::vector<int64_t> out;
      for (int64_t a : perm) out.push_back(dims[static_cast<size_t>(a)]);
      for (tir_dtype dtype : kSizes) {
        tir_attrs_axes attrs = {};
        attrs.axes = IntsOf(perm);
        // Attributes may count axes from the end.
        if (attrs.axes.n > 0)
          attrs.axes.v[0] -= static_cast<int64_t>(dims.size());
        KernelCall call(TIR_OP_TRANSPOSE);
        call.Attrs(attrs).In(Random(dtype, dims, &random));
        call.Out(TypeOf(dtype, out));
        ExpectSame(&call, "transpose");
      }
    } while (std::next_permutation(perm.begin(), perm.end()));
  }
}

TEST(MovementKernels, BroadcastAgreesWithReference) {
  TestRandom random(2);
  const std::vector<std::vector<int64_t>> pairs[] = {{{}, {}},
                                                     {{}, {5}},
                                                     {{1}, {700}},
                                                     {{3}, {4, 3}},
                                                     {{4, 1}, {4, 33}},
                                                     {{2, 1, 3}, {2, 5, 3}},
                                                     {{1, 3, 1}, {4, 3, 2}},
                                                     {{5}, {5}},
                                                     {{1}, {0}},
                                                     {{3, 1}, {2, 3, 70}}};
  for (const auto &pair : pairs)
    for (tir_dtype dtype : kSizes) {
      tir_attrs_dims attrs = {};
      attrs.dims = IntsOf(pair[1]);
      KernelCall to(TIR_OP_BROADCAST_TO);
      to.Attrs(attrs).In(Random(dtype, pair[0], &random));
      to.Out(TypeOf(dtype, pair[1]));
      ExpectSame(&to, "broadcast_to");
      KernelCall like(TIR_OP_BROADCAST_LIKE);
      like.In(Random(dtype, pair[0], &random));
      like.Shape(TypeOf(TIR_DTYPE_F32, pair[1])).Out(TypeOf(dtype, pair[1]));
      ExpectSame(&like, "broadcast_like");
    }
}

TEST(MovementKernels, ViewsAndAssignCopy) {
  TestRandom random(3);
  for (tir_op op : {TIR_OP_RESHAPE, TIR_OP_EXPAND_DIMS, TIR_OP_STOP_GRADIENT,
                    TIR_OP_CUT, TIR_OP_RESHAPE_LIKE})
    for (tir_dtype dtype : kSizes) {
      KernelCall call(op);
      call.Attrs(tir_attrs_dims{}).In(Random(dtype, {3, 5}, &random));
      if (op == TIR_OP_RESHAPE_LIKE) call.Shape(TypeOf(dtype, {15}));
      call.Out(TypeOf(dtype, {15}));
      ExpectSame(&call, "view");
    }
  KernelCall call(TIR_OP_ASSIGN);
  call.Shape(TypeOf(TIR_DTYPE_F32, {9}));
  call.In(Random(TIR_DTYPE_F32, {9}, &random));
  call.Out(TypeOf(TIR_DTYPE_F32, {9}));
  ExpectSame(&call, "assign");
}

TEST(MovementKernels, ConcatAndItsPartsAgreeWithReference) {
  TestRandom random(4);
  for (int axis = 0; axis < 3; axis++)
    for (tir_dtype dtype : kSizes) {
      std::vector<int64_t> out = {2, 3, 5};
      out[static_cast<size_t>(axis)] = 0;
      KernelCall concat(TIR_OP_CONCAT);
      concat.Attrs(tir_attrs_axis{axis - (axis == 2 ? 3 : 0)});
      std::vector<tir_ir_type> parts;
      for (int64_t size : {4, 0, 1, 7}) {
        std::vector<int64_t> dims = out;
        dims[static_cast<size_t>(axis)] = size;
        parts.push_back(TypeOf(dtype, dims));
        concat.In(Random(dtype, dims, &random));
      }
      out[static_cast<size_t>(axis)] = 12;
      concat.Out(TypeOf(dtype, out));
      ExpectSame(&concat, "concat");
      for (size_t i = 0; i < parts.size(); i++) {
        KernelCall part(TIR_OP_CONCAT_PART);
        part.Attrs(tir_attrs_concat_part{axis, static_cast<int64_t>(i)});
        part.In(Random(dtype, out, &random));
        for (const tir_ir_type &type : parts) part.Shape(type);
        part.Out(parts[i]);
        ExpectSame(&part, "concat_part");
      }
    }
}

TEST(MovementKernels, SliceAndUnsliceAgreeWithReference) {
  struct Row {
    std::vector<int64_t> dims, starts, stops, steps, out;
  };
  const std::vector<Row> rows = {
      {{10}, {2}, {7}, {}, {5}},
      {{10}, {-3}, {INT64_MAX}, {}, {3}},
      {{10}, {1}, {10}, {3}, {3}},
      {{10}, {4}, {5}, {INT64_MAX}, {1}},
      {{10}, {20}, {30}, {}, {0}},
      {{4, 6}, {1}, {3}, {}, {2, 6}},
      {{4, 6}, {0, 2}, {4, 5}, {}, {4, 3}},
      {{4, 6}, {1, 0}, {4, 6}, {2, 2}, {2, 3}},
      {{3, 4, 5}, {1, 1, 1}, {3, 3, 4}, {}, {2, 2, 3}},
      {{3, 4, 5}, {0, 0, 0}, {3, 4, 5}, {}, {3, 4, 5}},
      {{3, 4, 70}, {0, 1}, {3, 3}, {}, {3, 2, 70}},
  };
  TestRandom random(5);
  for (const Row &row : rows)
    for (tir_dtype dtype : kSizes) {
      tir_attrs_slice attrs = {};
      attrs.starts = IntsOf(row.starts);
      attrs.stops = IntsOf(row.stops);
      attrs.steps = IntsOf(row.steps);
      KernelCall slice(TIR_OP_SLICE);
      slice.Attrs(attrs).In(Random(dtype, row.dims, &random));
      slice.Out(TypeOf(dtype, row.out));
      ExpectSame(&slice, "slice");
      KernelCall unslice(TIR_OP_UNSLICE);
      unslice.Attrs(attrs).In(Random(dtype, row.out, &random));
      unslice.Shape(TypeOf(dtype, row.dims)).Out(TypeOf(dtype, row.dims));
      ExpectSame(&unslice, "unslice");
    }
}

// --- indexing --------------------------------------------------------------

Buffer Indices(tir_dtype dtype, const std::vector<int64_t> &dims, int64_t size,
               TestRandom *random) {
  Buffer buffer(TypeOf(dtype, dims));
  for (size_t e = 0; e < buffer.count(); e++)
    buffer.SetI64(e, static_cast<int64_t>(
                         random->Below(2 * static_cast<uint64_t>(size))) -
                         size);
  return buffer;
}

TEST(IndexKernels, GatherAgreesWithReference) {
  TestRandom random(6);
  for (tir_dtype index : {TIR_DTYPE_I32, TIR_DTYPE_I64})
    for (tir_dtype dtype : kSizes)
      for (int axis = 0; axis < 3; axis++)
        for (const std::vector<int64_t> &shape :
             std::vector<std::vector<int64_t>>{{}, {5}, {2, 3}, {0}}) {
          const std::vector<int64_t> dims = {4, 3, axis == 2 ? 6 : 1};
          std::vector<int64_t> out = dims;
          out.erase(out.begin() + axis);
          out.insert(out.begin() + axis, shape.begin(), shape.end());
          KernelCall call(TIR_OP_GATHER);
          call.Attrs(tir_attrs_axis{axis - 3});
          call.In(Random(dtype, dims, &random));
          call.In(
              Indices(index, shape, dims[static_cast<size_t>(axis)], &random));
          call.Out(TypeOf(dtype, out));
          ExpectSame(&call, "gather");
        }
}

TEST(IndexKernels, ScatterAddAddsInIndexOrder) {
  TestRandom random(7);
  for (tir_dtype dtype :
       {TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I8, TIR_DTYPE_I64})
    for (int axis = 0; axis < 2; axis++)
      for (int alias : {-1, 0}) {
        const std::vector<int64_t> dims = {4, 19};
        std::vector<int64_t> updates = dims;
        updates[static_cast<size_t>(axis)] = 9;
        Buffer base(TypeOf(dtype, dims)), by(TypeOf(dtype, updates));
        // Whole numbers, so that the reference rounds nowhere either.
        for (size_t e = 0; e < base.count(); e++)
          base.SetI64(e, static_cast<int64_t>(random.Below(50)));
        for (size_t e = 0; e < by.count(); e++)
          by.SetI64(e, static_cast<int64_t>(random.Below(50)));
        KernelCall call(TIR_OP_SCATTER_ADD);
        call.Attrs(tir_attrs_axis{axis}).In(base);
        call.In(Indices(TIR_DTYPE_I32, {9}, dims[static_cast<size_t>(axis)],
                        &random));
        call.In(by).Out(TypeOf(dtype, dims));
        ASSERT_EQ(call.Reference(), TIR_OK);
        KernelOptions options;
        options.alias = alias;
        ASSERT_EQ(call.Run(options), TIR_OK);
        EXPECT_TRUE(SameBits(call.out(), call.wanted()));
      }
  // 2^24 + 1 + 1 in f32: one by one each 1 is lost, in any other order not.
  Buffer base(TypeOf(TIR_DTYPE_F32, {1})), by(TypeOf(TIR_DTYPE_F32, {3}));
  base.Set(0, 0);
  by.Set(0, 0x1p24);
  by.Set(1, 1);
  by.Set(2, 1);
  Buffer zeros(TypeOf(TIR_DTYPE_I64, {3}));
  for (size_t e = 0; e < 3; e++) zeros.SetI64(e, 0);
  KernelCall call(TIR_OP_SCATTER_ADD);
  call.Attrs(tir_attrs_axis{0}).In(base).In(zeros).In(by);
  call.Out(TypeOf(TIR_DTYPE_F32, {1}));
  ASSERT_EQ(call.Run(KernelOptions()), TIR_OK);
  EXPECT_EQ(call.out().F64(0), 0x1p24);
}

TEST(IndexKernels, OneHotAgreesWithReference) {
  TestRandom random(8);
  for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I32,
                          TIR_DTYPE_BOOL, TIR_DTYPE_U8})
    for (int64_t depth : {1, 2, 10}) {
      KernelCall call(TIR_OP_ONE_HOT);
      call.Attrs(tir_attrs_one_hot{depth, dtype});
      call.In(Indices(TIR_DTYPE_I64, {3, 4}, depth, &random));
      call.Out(TypeOf(dtype, {3, 4, depth}));
      ExpectSame(&call, "one_hot");
    }
}

TEST(IndexKernels, RefuseBadIndicesBeforeWriting) {
  for (tir_dtype index : {TIR_DTYPE_I32, TIR_DTYPE_I64})
    for (int64_t bad : {7, 5, -6}) {
      Buffer x(TypeOf(TIR_DTYPE_F32, {5})), at(TypeOf(index, {4}));
      for (size_t e = 0; e < 5; e++) x.Set(e, 1);
      for (size_t e = 0; e < 4; e++) at.SetI64(e, e == 3 ? bad : -5);
      const std::string wanted = "index " + std::to_string(bad) +
                                 " at position 3 is out of range for size 5";
      KernelCall gather(TIR_OP_GATHER);
      gather.Attrs(tir_attrs_axis{0}).In(x).In(at);
      gather.Out(TypeOf(TIR_DTYPE_F32, {4}));
      EXPECT_EQ(gather.Run(KernelOptions()), TIR_ERR_VALUE);
      EXPECT_EQ(gather.message(), wanted);
      EXPECT_EQ(gather.out().data()[0], 0xA5) << "was written";
      Buffer by(TypeOf(TIR_DTYPE_F32, {4}));
      for (size_t e = 0; e < 4; e++) by.Set(e, 1);
      KernelCall scatter(TIR_OP_SCATTER_ADD);
      scatter.Attrs(tir_attrs_axis{0}).In(x).In(at).In(by);
      scatter.Out(TypeOf(TIR_DTYPE_F32, {5}));
      EXPECT_EQ(scatter.Run(KernelOptions()), TIR_ERR_VALUE);
      EXPECT_EQ(scatter.message(), wanted);
      EXPECT_EQ(scatter.out().data()[0], 0xA5) << "was written";
      KernelCall one_hot(TIR_OP_ONE_HOT);
      one_hot.Attrs(tir_attrs_one_hot{5, TIR_DTYPE_F32}).In(at);
      one_hot.Out(TypeOf(TIR_DTYPE_F32, {4, 5}));
      EXPECT_EQ(one_hot.Run(KernelOptions()), TIR_ERR_VALUE);
      EXPECT_EQ(one_hot.message(), wanted);
    }
}

// --- making values ---------------------------------------------------------

TEST(MakeKernels, CountAndMultiply) {
  for (int dtype = TIR_DTYPE_F32; dtype <= TIR_DTYPE_BOOL; dtype++) {
    KernelCall arange(TIR_OP_ARANGE);
    arange.Attrs(tir_attrs_arange{dtype, 300});
    arange.Out(TypeOf(static_cast<tir_dtype>(dtype), {300}));
    ExpectSame(&arange, "arange");
    tir_attrs_dim_product attrs = {};
    attrs.dtype = dtype;
    KernelCall all(TIR_OP_DIM_PRODUCT);
    all.Attrs(attrs).Shape(TypeOf(TIR_DTYPE_F32, {7, 3, 5}));
    all.Out(TypeOf(static_cast<tir_dtype>(dtype), {}));
    ExpectSame(&all, "dim_product");
    attrs.axes = IntsOf({0, -1});
    KernelCall some(TIR_OP_DIM_PRODUCT);
    some.Attrs(attrs).Shape(TypeOf(TIR_DTYPE_F32, {7, 3, 5}));
    some.Out(TypeOf(static_cast<tir_dtype>(dtype), {}));
    ExpectSame(&some, "dim_product");
  }
}

KernelCall RandomCall(tir_op op, tir_dtype dtype, int64_t n, uint64_t seed) {
  TestRandom random(seed);
  Buffer state(TypeOf(TIR_DTYPE_I64, {2})), stream(TypeOf(TIR_DTYPE_I64, {}));
  state.SetI64(0, static_cast<int64_t>(random.Bits()));
  state.SetI64(1, static_cast<int64_t>(random.Bits()));
  stream.SetI64(0, static_cast<int64_t>(random.Bits()));
  tir_attrs_random attrs = {};
  attrs.dtype = dtype;
  KernelCall call(op);
  call.Attrs(attrs).In(state).In(stream);
  if (seed % 2) call.Shape(TypeOf(TIR_DTYPE_F32, {n}));
  call.Out(TypeOf(dtype, {n}));
  return call;
}

TEST(RandomKernels, AgreeWithReference) {
  for (tir_dtype dtype : kFloats)
    for (int64_t n : {0, 1, 2, 3, 4, 5, 127, 128, 129, 255, 256, 257, 1000})
      for (uint64_t seed = 0; seed < 3; seed++) {
        KernelCall uniform = RandomCall(TIR_OP_RANDOM_UNIFORM, dtype, n, seed);
        ExpectSame(&uniform, "uniform");
        KernelCall normal = RandomCall(TIR_OP_RANDOM_NORMAL, dtype, n, seed);
        ASSERT_EQ(normal.Reference(), TIR_OK);
        for (int level : Levels()) {
          KernelOptions options;
          options.level = level;
          ASSERT_EQ(normal.Run(options), TIR_OK);
          EXPECT_TRUE(WithinUlps(normal.out(), normal.wanted(), 2));
        }
      }
}

// --- optimiser steps -------------------------------------------------------

// Operands: `n_arrays` of n elements, then scalars.
KernelCall StepCall(tir_op op, tir_dtype dtype, int64_t n, int n_arrays,
                    const std::vector<double> &scalars, size_t n_out) {
  TestRandom random(static_cast<uint64_t>(n));
  KernelCall call(op);
  for (int i = 0; i < n_arrays; i++) {
    Buffer x(TypeOf(dtype, {n}));
    // What a root is taken of, where there is one.
    const bool root =
        i == 2 ? n_arrays == 4
               : i == 1 && (op == TIR_OP_RMSPROP || op == TIR_OP_ADAGRAD ||
                            op == TIR_OP_ADADELTA);
    FillUniform(&x, &random, root ? 0.1 : -1, 1);
    call.In(x);
  }
  for (double s : scalars) {
    Buffer x(TypeOf(dtype, {}));
    x.Set(0, s);
    call.In(x);
  }
  if (op == TIR_OP_ADAM || op == TIR_OP_ADAMW) {
    Buffer step(TypeOf(TIR_DTYPE_I64, {}));
    step.SetI64(0, 3);
    call.In(step);
  }
  for (size_t i = 0; i < n_out; i++) call.Out(TypeOf(dtype, {n}));
  return call;
}

void CheckStep(tir_op op, tir_dtype dtype, int64_t n, int n_arrays,
               const std::vector<double> &scalars, size_t n_out) {
  KernelCall call = StepCall(op, dtype, n, n_arrays, scalars, n_out);
  ASSERT_EQ(call.Reference(), TIR_OK);
  const double bound = dtype == TIR_DTYPE_F64 ? 1e-14 : 1e-6;
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    ASSERT_EQ(call.Run(options), TIR_OK);
    std::vector<Buffer> apart;
    for (size_t i = 0; i < n_out; i++) {
      ASSERT_TRUE(WithinBound(call.out(i), call.wanted(i), bound))
          << tir_ir_op_desc(op)->name << " output " << i << " n " << n;
      apart.push_back(call.out(i));
    }
    // In place of w and, as the planner may choose, of the gradient.
    for (int alias = 0; alias < n_arrays; alias++) {
      options.alias = alias;
      ASSERT_EQ(call.Run(options), TIR_OK);
      for (size_t i = 0; i < n_out; i++)
        ASSERT_TRUE(SameBits(call.out(i), apart[i])) << "in place";
    }
    options.alias = -1;
    for (uint32_t unused = 1; unused < 1u << n_out; unused++) {
      options.unused_outputs = unused;
      ASSERT_EQ(call.Run(options), TIR_OK);
      for (size_t i = 0; i < n_out; i++)
        if (!(unused >> i & 1)) {
          ASSERT_TRUE(SameBits(call.out(i), apart[i])) << "unused " << unused;
        }
    }
  }
}

TEST(OptimKernels, AgreeWithReference) {
  for (tir_dtype dtype : kFloats)
    for (int64_t n : {0, 1, 3, 16, 67, 255, 256, 257, 1000}) {
      CheckStep(TIR_OP_SGD, dtype, n, 2, {0.1}, 1);
      CheckStep(TIR_OP_MOMENTUM, dtype, n, 3, {0.1, 0.9}, 2);
      CheckStep(TIR_OP_ADAM, dtype, n, 4, {0.01, 0.9, 0.999, 1e-8}, 3);
      CheckStep(TIR_OP_NESTEROV, dtype, n, 3, {0.1, 0.9}, 2);
      CheckStep(TIR_OP_ADAMW, dtype, n, 4, {0.01, 0.9, 0.999, 1e-8, 0.1}, 3);
      CheckStep(TIR_OP_RMSPROP, dtype, n, 3, {0.01, 0.99, 1e-8}, 2);
      CheckStep(TIR_OP_ADAGRAD, dtype, n, 3, {0.01, 1e-8}, 2);
      CheckStep(TIR_OP_ADADELTA, dtype, n, 4, {0.5, 0.9, 1e-6}, 3);
      CheckStep(TIR_OP_LION, dtype, n, 3, {0.01, 0.9, 0.99, 0.1}, 2);
    }
}

}  // namespace
}  // namespace tapeir_test
