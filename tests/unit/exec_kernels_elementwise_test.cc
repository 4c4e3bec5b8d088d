// Elementwise kernels: against the reference at every length and offset that
// exercises vector bodies and tails, in place, broadcast, and on numbers that
// have no result.

#include "tests/support/kernel_call.h"

namespace tapeir_test {
namespace {

const std::vector<tir_dtype> kFloats = {TIR_DTYPE_F32, TIR_DTYPE_F64};
const std::vector<tir_dtype> kNumbers = {
    TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I8, TIR_DTYPE_U8,
    TIR_DTYPE_I16, TIR_DTYPE_I32, TIR_DTYPE_I64};
const std::vector<tir_dtype> kAll = {
    TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I8,  TIR_DTYPE_U8,
    TIR_DTYPE_I16, TIR_DTYPE_I32, TIR_DTYPE_I64, TIR_DTYPE_BOOL};

struct Elementwise {
  tir_op op;
  int n_in;
  std::vector<tir_dtype> dtypes;
  double ulps;  // 0: bit for bit
  bool compares = false;
};

const std::vector<Elementwise> &Ops() {
  static const std::vector<Elementwise> ops = {
      {TIR_OP_NEG, 1, kNumbers, 0},
      {TIR_OP_ABS, 1, kNumbers, 0},
      {TIR_OP_SQUARE, 1, kNumbers, 0},
      {TIR_OP_SQRT, 1, kFloats, 0},
      {TIR_OP_EXP, 1, kFloats, 2},
      {TIR_OP_LOG, 1, kFloats, 2},
      {TIR_OP_TANH, 1, kFloats, 2},
      {TIR_OP_SIGMOID, 1, kFloats, 2},
      {TIR_OP_RELU, 1, kNumbers, 0},
      {TIR_OP_ADD, 2, kNumbers, 0},
      {TIR_OP_SUB, 2, kNumbers, 0},
      {TIR_OP_MUL, 2, kNumbers, 0},
      {TIR_OP_DIV, 2, kNumbers, 0},
      {TIR_OP_POW, 2, kFloats, 4},
      {TIR_OP_MAXIMUM, 2, kNumbers, 0},
      {TIR_OP_ADD_N, 3, kNumbers, 0},
      {TIR_OP_EQUAL, 2, kAll, 0, true},
      {TIR_OP_NOT_EQUAL, 2, kAll, 0, true},
      {TIR_OP_LESS, 2, kAll, 0, true},
      {TIR_OP_LESS_EQUAL, 2, kAll, 0, true},
      {TIR_OP_GREATER, 2, kAll, 0, true},
      {TIR_OP_GREATER_EQUAL, 2, kAll, 0, true},
  };
  return ops;
}

// Operands that make the op fail on integers are replaced.
void AvoidFaults(tir_op op, Buffer *buffer, int operand) {
  if (tir_ir_dtype_is_float(buffer->type().dtype) || operand != 1) return;
  for (size_t e = 0; e < buffer->count(); e++) {
    if (op == TIR_OP_DIV && buffer->I64(e) == 0) buffer->SetI64(e, 3);
  }
}

KernelCall MakeCall(const Elementwise &c, tir_dtype dtype, int64_t n,
                    size_t offset, uint64_t seed) {
  TestRandom random(seed);
  const tir_ir_type type = TypeOf(dtype, {n});
  KernelCall call(c.op);
  for (int i = 0; i < c.n_in; i++) {
    Buffer in(type, offset * tir_dtype_size(dtype));
    FillTricky(&in, &random);
    // Three-term sums of tricky numbers round twice; the reference once.
    if (c.op == TIR_OP_ADD_N && tir_ir_dtype_is_float(dtype))
      for (size_t e = 0; e < in.count(); e++)
        in.Set(e, std::floor(random.Between(-100, 100)));
    AvoidFaults(c.op, &in, i);
    call.In(in);
  }
  call.Out(c.compares ? TypeOf(TIR_DTYPE_BOOL, {n}) : type);
  return call;
}

class ElementwiseKernels : public testing::TestWithParam<size_t> {
 protected:
  const Elementwise &c() const { return Ops()[GetParam()]; }
};

TEST_P(ElementwiseKernels, AgreeWithReferenceAtEveryLength) {
  for (tir_dtype dtype : c().dtypes)
    for (int64_t n = 0; n <= 67; n++) {
      KernelCall call = MakeCall(c(), dtype, n, static_cast<size_t>(n % 5),
                                 static_cast<uint64_t>(n));
      ASSERT_EQ(call.Reference(), TIR_OK) << call.message();
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        options.out_offset = static_cast<size_t>(n % 3) *
                             tir_dtype_size(call.wanted().type().dtype);
        ASSERT_EQ(call.Run(options), TIR_OK) << call.message();
        ASSERT_TRUE(c().ulps == 0
                        ? SameBits(call.out(), call.wanted())
                        : WithinUlps(call.out(), call.wanted(), c().ulps))
            << tir_dtype_name(dtype) << " n " << n << " level " << level;
      }
    }
}

// A result may not depend on where in the array its element stands.
TEST_P(ElementwiseKernels, GiveTheSameBitsInBodyAndTail) {
  for (tir_dtype dtype : c().dtypes)
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      KernelCall whole = MakeCall(c(), dtype, 67, 0, 99);
      ASSERT_EQ(whole.Run(options), TIR_OK);
      for (int64_t n = 1; n <= 67; n += n < 35 ? 1 : 4) {
        // The last n elements: each moves through the lanes.
        const size_t skip = static_cast<size_t>(67 - n);
        KernelCall part(c().op);
        for (int i = 0; i < c().n_in; i++) {
          Buffer in(TypeOf(dtype, {n}),
                    static_cast<size_t>(n % 7) * tir_dtype_size(dtype));
          memcpy(in.data(), whole.in(static_cast<size_t>(i)).At(skip),
                 in.size());
          part.In(in);
        }
        part.Out(TypeOf(whole.out().type().dtype, {n}));
        ASSERT_EQ(part.Run(options), TIR_OK);
        for (size_t e = 0; e < static_cast<size_t>(n); e++)
          ASSERT_TRUE(SameBits(part.out(), e, whole.out(), skip + e))
              << tir_dtype_name(dtype) << " n " << n << " element " << e
              << " level " << level;
      }
    }
}

TEST_P(ElementwiseKernels, MayOverwriteAnOperand) {
  for (tir_dtype dtype : c().dtypes) {
    if (c().compares && dtype != TIR_DTYPE_BOOL) continue;
    for (int64_t n : {1, 5, 16, 33, 67, 511, 513, 1500})
      for (int alias = 0; alias < c().n_in; alias++)
        for (int level : Levels()) {
          KernelCall call = MakeCall(c(), dtype, n, 0, 5);
          KernelOptions options;
          options.level = level;
          ASSERT_EQ(call.Run(options), TIR_OK);
          const Buffer apart = call.out();
          options.alias = alias;
          ASSERT_EQ(call.Run(options), TIR_OK);
          ASSERT_TRUE(SameBits(call.out(), apart))
              << tir_dtype_name(dtype) << " n " << n << " over " << alias;
        }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, ElementwiseKernels,
                         testing::Range(size_t{0}, Ops().size()),
                         [](const testing::TestParamInfo<size_t> &param) {
                           return std::string(
                               tir_ir_op_desc(Ops()[param.param].op)->name);
                         });

// Exponents that are shortcuts give what pow gives.
TEST(PowKernels, AreExactForOneSmallExponent) {
  TestRandom random(8);
  for (tir_dtype dtype : kFloats)
    for (double exponent : {0.0, 1.0, 2.0, 3.0, -1.0, 0.5}) {
      Buffer x(TypeOf(dtype, {50})), y(TypeOf(dtype, {}));
      FillTricky(&x, &random);
      y.Set(0, exponent);
      KernelCall call(TIR_OP_POW);
      call.In(x).In(y).Out(TypeOf(dtype, {50}));
      ASSERT_EQ(call.Reference(), TIR_OK);
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        ASSERT_EQ(call.Run(options), TIR_OK);
        EXPECT_TRUE(WithinUlps(call.out(), call.wanted(), 0.5)) << exponent;
      }
    }
}

// --- broadcasting ----------------------------------------------------------

std::vector<int64_t> RandomDims(TestRandom *random, size_t rank) {
  std::vector<int64_t> dims;
  int64_t n = 1;
  for (size_t i = 0; i < rank; i++) {
    static const int64_t kSizes[] = {1, 2, 3, 5, 17, 40};
    int64_t size = kSizes[random->Below(6)];
    if (n * size > 2000) size = 1;
    n *= size;
    dims.push_back(size);
  }
  return dims;
}

// `out` with some dims 1 and some leading ones dropped.
std::vector<int64_t> Narrow(const std::vector<int64_t> &out,
                            TestRandom *random) {
  std::vector<int64_t> dims = out;
  for (int64_t &d : dims)
    if (random->Below(3) == 0) d = 1;
  dims.erase(dims.begin(), dims.begin() + static_cast<ptrdiff_t>(
                                              random->Below(dims.size() + 1)));
  return dims;
}

TEST(BroadcastKernels, AgreeWithReference) {
  TestRandom random(1);
  for (int round = 0; round < 300; round++) {
    const std::vector<int64_t> out = RandomDims(&random, 1 + random.Below(4));
    const std::vector<int64_t> a = round % 3 == 0 ? out : Narrow(out, &random);
    const std::vector<int64_t> b = round % 3 == 0 ? Narrow(out, &random) : out;
    for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_I16, TIR_DTYPE_F64}) {
      Buffer x(TypeOf(dtype, a)), y(TypeOf(dtype, b));
      FillUniform(&x, &random);
      FillUniform(&y, &random);
      KernelCall call(TIR_OP_SUB);
      call.In(x).In(y).Out(TypeOf(dtype, out));
      ASSERT_EQ(call.Reference(), TIR_OK);
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        ASSERT_EQ(call.Run(options), TIR_OK);
        ASSERT_TRUE(SameBits(call.out(), call.wanted())) << "round " << round;
      }
    }
  }
}

TEST(BroadcastKernels, WhereTakesBytesOfTheChosenOne) {
  TestRandom random(2);
  const std::vector<tir_dtype> dtypes = {
      TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_F16, TIR_DTYPE_BF16,
      TIR_DTYPE_I8,  TIR_DTYPE_I16, TIR_DTYPE_I64, TIR_DTYPE_BOOL};
  for (int round = 0; round < 120; round++) {
    const tir_dtype dtype = dtypes[static_cast<size_t>(round) % 8];
    const std::vector<int64_t> out = RandomDims(&random, 1 + random.Below(3));
    Buffer c(TypeOf(TIR_DTYPE_BOOL, Narrow(out, &random)));
    Buffer a(TypeOf(dtype, out)), b(TypeOf(dtype, Narrow(out, &random)));
    FillTricky(&c, &random);
    FillTricky(&a, &random);
    FillTricky(&b, &random);
    KernelCall call(TIR_OP_WHERE);
    call.In(c).In(a).In(b).Out(TypeOf(dtype, out));
    ASSERT_EQ(call.Reference(), TIR_OK);
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      ASSERT_EQ(call.Run(options), TIR_OK);
      ASSERT_TRUE(SameBits(call.out(), call.wanted()));
      options.alias = 1;
      ASSERT_EQ(call.Run(options), TIR_OK);
      ASSERT_TRUE(SameBits(call.out(), call.wanted())) << "in place";
    }
  }
}

// --- no result -------------------------------------------------------------

std::string Fault(tir_op op, const std::vector<int64_t> &a_dims,
                  const std::vector<int64_t> &a,
                  const std::vector<int64_t> &b_dims,
                  const std::vector<int64_t> &b,
                  const std::vector<int64_t> &out, tir_dtype dtype) {
  Buffer x(TypeOf(dtype, a_dims)), y(TypeOf(dtype, b_dims));
  for (size_t e = 0; e < x.count(); e++) x.SetI64(e, a[e % a.size()]);
  for (size_t e = 0; e < y.count(); e++) y.SetI64(e, b[e % b.size()]);
  KernelCall call(op);
  call.In(x).In(y).Out(TypeOf(dtype, out));
  EXPECT_EQ(call.Reference(), TIR_ERR_VALUE);
  const std::string wanted = call.message();
  EXPECT_EQ(call.Run(KernelOptions()), TIR_ERR_VALUE);
  EXPECT_EQ(call.message(), wanted);
  return call.message();
}

TEST(FaultyKernels, NameThePosition) {
  for (tir_dtype dtype : {TIR_DTYPE_I8, TIR_DTYPE_U8, TIR_DTYPE_I16,
                          TIR_DTYPE_I32, TIR_DTYPE_I64}) {
    EXPECT_EQ(Fault(TIR_OP_DIV, {5}, {1}, {5}, {1, 2, 3, 0, 0}, {5}, dtype),
              "integer division by zero at position 3");
    // Behind the first block, and broadcast along rows.
    std::vector<int64_t> many(700, 1);
    many[600] = 0;
    EXPECT_EQ(Fault(TIR_OP_DIV, {700}, {9}, {700}, many, {700}, dtype),
              "integer division by zero at position 600");
    EXPECT_EQ(
        Fault(TIR_OP_DIV, {4, 3}, {7}, {4, 1}, {1, 1, 0, 1}, {4, 3}, dtype),
        "integer division by zero at position 6");
  }
}

TEST(FaultyKernels, KeepArithmeticThatHasResults) {
  for (tir_dtype dtype :
       {TIR_DTYPE_I8, TIR_DTYPE_I16, TIR_DTYPE_I32, TIR_DTYPE_I64}) {
    Buffer x(TypeOf(dtype, {4})), y(TypeOf(dtype, {4}));
    const int64_t least = -1 - INT64_MAX;
    const int64_t a[] = {least, least, -7, 7}, b[] = {-1, 1, 2, -2};
    for (size_t e = 0; e < 4; e++) {
      x.SetI64(e, a[e]);
      y.SetI64(e, b[e]);
    }
    KernelCall call(TIR_OP_DIV);
    call.In(x).In(y).Out(TypeOf(dtype, {4}));
    ASSERT_EQ(call.Reference(), TIR_OK);
    ASSERT_EQ(call.Run(KernelOptions()), TIR_OK);
    EXPECT_TRUE(SameBits(call.out(), call.wanted()));
    EXPECT_EQ(call.out().I64(0), -1 - x.I64(0)) << "saturates";
    EXPECT_EQ(call.out().I64(2), -3) << "toward zero";
  }
}

// --- cast ------------------------------------------------------------------

TEST(CastKernels, AgreeWithReferenceForAllPairs) {
  TestRandom random(3);
  for (int from = TIR_DTYPE_F32; from <= TIR_DTYPE_BOOL; from++)
    for (int to = TIR_DTYPE_F32; to <= TIR_DTYPE_BOOL; to++) {
      const tir_attrs_dtype attrs = {to};
      for (int64_t n : {0, 1, 7, 16, 61, 1100}) {
        Buffer x(TypeOf(static_cast<tir_dtype>(from), {n}));
        FillTricky(&x, &random);
        // Integers next to where floats run out of bits.
        if (from == TIR_DTYPE_I64)
          for (size_t e = 0; e < x.count(); e += 2)
            x.SetI64(e,
                     static_cast<int64_t>(random.Bits() >> random.Below(30)) *
                         (random.Below(2) ? 1 : -1));
        KernelCall call(TIR_OP_CAST);
        call.Attrs(attrs).In(x).Out(TypeOf(static_cast<tir_dtype>(to), {n}));
        ASSERT_EQ(call.Reference(), TIR_OK);
        for (int level : Levels()) {
          KernelOptions options;
          options.level = level;
          ASSERT_EQ(call.Run(options), TIR_OK);
          ASSERT_TRUE(SameBits(call.out(), call.wanted()))
              << tir_dtype_name(static_cast<tir_dtype>(from)) << " to "
              << tir_dtype_name(static_cast<tir_dtype>(to));
        }
      }
    }
}

// Every half to f32 and back, and f32 to halves around every boundary.
TEST(CastKernels, ConvertEveryHalf) {
  for (tir_dtype half : {TIR_DTYPE_F16, TIR_DTYPE_BF16}) {
    Buffer x(TypeOf(half, {65536}));
    for (size_t e = 0; e < 65536; e++) {
      const uint16_t bits = static_cast<uint16_t>(e);
      memcpy(x.data() + 2 * e, &bits, 2);
    }
    KernelCall widen(TIR_OP_CAST);
    widen.Attrs(tir_attrs_dtype{TIR_DTYPE_F32}).In(x);
    widen.Out(TypeOf(TIR_DTYPE_F32, {65536}));
    ASSERT_EQ(widen.Reference(), TIR_OK);
    // Neighbours of each half and of the middle to the next one.
    Buffer y(TypeOf(TIR_DTYPE_F32, {65536 * 4}));
    const uint32_t half_step = half == TIR_DTYPE_F16 ? 0x1000 : 0x8000;
    for (size_t e = 0; e < 65536; e++)
      for (uint32_t k = 0; k < 4; k++) {
        uint32_t bits;
        memcpy(&bits, widen.wanted().At(e), 4);
        bits += k == 0 ? 0 : half_step + k - 2;
        memcpy(y.data() + 4 * (4 * e + k), &bits, 4);
      }
    KernelCall narrow(TIR_OP_CAST);
    narrow.Attrs(tir_attrs_dtype{half}).In(y);
    narrow.Out(TypeOf(half, {65536 * 4}));
    ASSERT_EQ(narrow.Reference(), TIR_OK);
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      ASSERT_EQ(widen.Run(options), TIR_OK);
      EXPECT_TRUE(SameBits(widen.out(), widen.wanted()));
      ASSERT_EQ(narrow.Run(options), TIR_OK);
      EXPECT_TRUE(SameBits(narrow.out(), narrow.wanted()));
    }
  }
}

}  // namespace
}  // namespace tapeir_test
