// Matrix products against the reference: every small size, transposes,
// batches, integers, and large ones through BLAS.
// Labels: blas

#include <algorithm>

#include "tests/support/kernel_call.h"

extern "C" {
#include "exec/kernels/gemm.h"
#include "exec/kernels/levels.h"
}

namespace tapeir_test {
namespace {

const std::vector<tir_dtype> kFloats = {TIR_DTYPE_F32, TIR_DTYPE_F64};

struct Product {
  std::vector<int64_t> a_batch, b_batch, out_batch;
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
};

std::vector<int64_t> Dims(std::vector<int64_t> batch, int64_t rows,
                          int64_t columns, bool transpose) {
  batch.push_back(transpose ? columns : rows);
  batch.push_back(transpose ? rows : columns);
  return batch;
}

KernelCall MakeCall(const Product &p, tir_dtype dtype, uint64_t seed) {
  TestRandom random(seed);
  Buffer a(TypeOf(dtype, Dims(p.a_batch, p.m, p.k, p.transpose_a)),
           seed % 5 * tir_dtype_size(dtype));
  Buffer b(TypeOf(dtype, Dims(p.b_batch, p.k, p.n, p.transpose_b)),
           seed % 3 * tir_dtype_size(dtype));
  FillUniform(&a, &random);
  FillUniform(&b, &random);
  KernelCall call(TIR_OP_MATMUL);
  call.Attrs(tir_attrs_matmul{p.transpose_a, p.transpose_b}).In(a).In(b);
  call.Out(TypeOf(dtype, Dims(p.out_batch, p.m, p.n, false)));
  return call;
}

// Each sum of k products of numbers up to 1.
double Bound(const Product &p, tir_dtype dtype) {
  const double u = dtype == TIR_DTYPE_F64 ? 0x1p-53 : 0x1p-24;
  const double k = static_cast<double>(p.k);
  return 2 * k * u / (1 - k * u) * k + 1e-300;
}

// One product in plain double: the reference takes too long for all sizes.
Buffer Naive(const Product &p, const Buffer &a, const Buffer &b) {
  std::vector<double> x(a.count()), y(b.count());
  for (size_t e = 0; e < x.size(); e++) x[e] = a.F64(e);
  for (size_t e = 0; e < y.size(); e++) y[e] = b.F64(e);
  Buffer out(TypeOf(TIR_DTYPE_F64, {p.m, p.n}));
  for (int64_t i = 0; i < p.m; i++)
    for (int64_t j = 0; j < p.n; j++) {
      double sum = 0;
      for (int64_t k = 0; k < p.k; k++)
        sum +=
            x[static_cast<size_t>(p.transpose_a ? k * p.m + i : i * p.k + k)] *
            y[static_cast<size_t>(p.transpose_b ? j * p.k + k : k * p.n + j)];
      out.Set(static_cast<size_t>(i * p.n + j), sum);
    }
  return out;
}

void CheckNaive(const Product &p, tir_dtype dtype, uint64_t seed) {
  KernelCall call = MakeCall(p, dtype, seed);
  const Buffer wanted = Naive(p, call.in(0), call.in(1));
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    options.poison = 0xFF;  // NaN, should the destination be read
    options.out_offset = seed % 4 * tir_dtype_size(dtype);
    ASSERT_EQ(call.Run(options), TIR_OK) << call.message();
    ASSERT_TRUE(WithinBound(call.out(), wanted, Bound(p, dtype)))
        << tir_dtype_name(dtype) << " m " << p.m << " n " << p.n << " k " << p.k
        << " flags " << p.transpose_a << p.transpose_b << " level " << level;
  }
}

void Check(const Product &p, tir_dtype dtype, uint64_t seed) {
  KernelCall call = MakeCall(p, dtype, seed);
  ASSERT_EQ(call.Reference(), TIR_OK) << call.message();
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    options.poison = 0xFF;  // NaN, should the destination be read
    options.out_offset = seed % 4 * tir_dtype_size(dtype);
    ASSERT_EQ(call.Run(options), TIR_OK) << call.message();
    ASSERT_TRUE(tir_ir_dtype_is_float(dtype)
                    ? WithinBound(call.out(), call.wanted(), Bound(p, dtype))
                    : SameBits(call.out(), call.wanted()))
        << tir_dtype_name(dtype) << " m " << p.m << " n " << p.n << " k " << p.k
        << " flags " << p.transpose_a << p.transpose_b << " level " << level;
  }
}

void CheckFlags(Product p, tir_dtype dtype, uint64_t seed) {
  for (int flags = 0; flags < 4; flags++) {
    p.transpose_a = flags & 1;
    p.transpose_b = flags & 2;
    if (p.out_batch.empty())
      CheckNaive(p, dtype, seed);
    else
      Check(p, dtype, seed);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(MatmulKernels, AgreeForEverySmallSize) {
  for (tir_dtype dtype : kFloats)
    for (int64_t m : {1, 2, 3, 5, 7, 13, 25})
      for (int64_t n : {1, 2, 7, 8, 9, 16, 17, 31, 33, 50})
        for (int64_t k : {0, 1, 2, 33})
          CheckFlags({{}, {}, {}, m, n, k}, dtype,
                     static_cast<uint64_t>(m + n + k));
}

TEST(MatmulKernels, AgreeForThinProducts) {
  for (tir_dtype dtype : kFloats)
    for (const std::vector<int64_t> &s :
         std::vector<std::vector<int64_t>>{{1, 1, 300},
                                           {1, 300, 70},
                                           {300, 1, 70},
                                           {300, 70, 1},
                                           {70, 10, 130},
                                           {9, 200, 100},
                                           {1, 1, 1000},
                                           {2, 2, 700},
                                           {13, 18, 1500},
                                           {60, 35, 2500},
                                           {3, 2, 1025}})
      CheckFlags({{}, {}, {}, s[0], s[1], s[2]}, dtype, 3);
}

TEST(MatmulKernels, BroadcastBatches) {
  struct Row {
    std::vector<int64_t> a, b, out;
  };
  const std::vector<Row> rows = {
      {{3}, {3}, {3}},       {{3}, {}, {3}},
      {{}, {3}, {3}},        {{3}, {1}, {3}},
      {{1}, {3}, {3}},       {{2, 3}, {3}, {2, 3}},
      {{2, 1}, {3}, {2, 3}}, {{2, 3}, {2, 1}, {2, 3}},
      {{0}, {}, {0}},        {{2, 3}, {1, 1}, {2, 3}},
      {{1}, {}, {1}}};
  for (tir_dtype dtype : {TIR_DTYPE_F32, TIR_DTYPE_F64, TIR_DTYPE_I32})
    for (const Row &row : rows)
      for (int64_t n : {1, 5, 20}) {
        CheckFlags({row.a, row.b, row.out, 4, n, 3}, dtype, 4);
        CheckFlags({row.a, row.b, row.out, 1, n, 3}, dtype, 5);
      }
}

TEST(MatmulKernels, WrapIntegers) {
  for (tir_dtype dtype : {TIR_DTYPE_I8, TIR_DTYPE_U8, TIR_DTYPE_I16,
                          TIR_DTYPE_I32, TIR_DTYPE_I64})
    for (const std::vector<int64_t> &s :
         std::vector<std::vector<int64_t>>{{1, 1, 1},
                                           {3, 5, 7},
                                           {17, 33, 20},
                                           {1, 9, 40},
                                           {9, 1, 40},
                                           {4, 4, 0}}) {
      for (int flags = 0; flags < 4; flags++) {
        Product p = {
            {}, {}, {}, s[0], s[1], s[2], (flags & 1) != 0, (flags & 2) != 0};
        TestRandom random(11);
        Buffer a(TypeOf(dtype, Dims({}, p.m, p.k, p.transpose_a)));
        Buffer b(TypeOf(dtype, Dims({}, p.k, p.n, p.transpose_b)));
        FillTricky(&a, &random);
        FillTricky(&b, &random);
        KernelCall call(TIR_OP_MATMUL);
        call.Attrs(tir_attrs_matmul{p.transpose_a, p.transpose_b});
        call.In(a).In(b).Out(TypeOf(dtype, {p.m, p.n}));
        ASSERT_EQ(call.Reference(), TIR_OK);
        for (int level : Levels()) {
          KernelOptions options;
          options.level = level;
          ASSERT_EQ(call.Run(options), TIR_OK);
          ASSERT_TRUE(SameBits(call.out(), call.wanted()));
        }
      }
    }
}

// An element's bits depend on its row and column, not on where it stands or
// how many others there are.
TEST(MatmulKernels, GiveTheSameBitsInBodyAndTail) {
  const Product whole_shape = {{}, {}, {}, 29, 67, 21};
  for (tir_dtype dtype : kFloats)
    for (int level : Levels()) {
      KernelOptions options;
      options.level = level;
      KernelCall whole = MakeCall(whole_shape, dtype, 6);
      ASSERT_EQ(whole.Run(options), TIR_OK);
      const size_t size = tir_dtype_size(dtype);
      for (int64_t m : {2, 5, 13, 28})
        for (int64_t n : {2, 7, 9, 17, 33, 66}) {
          // The last m rows and n columns.
          Buffer a(TypeOf(dtype, {m, 21})), b(TypeOf(dtype, {21, n}));
          memcpy(a.data(), whole.in(0).At(static_cast<size_t>((29 - m) * 21)),
                 a.size());
          for (size_t r = 0; r < 21; r++)
            memcpy(b.data() + r * static_cast<size_t>(n) * size,
                   whole.in(1).At(r * 67 + static_cast<size_t>(67 - n)),
                   static_cast<size_t>(n) * size);
          KernelCall part(TIR_OP_MATMUL);
          part.Attrs(tir_attrs_matmul{}).In(a).In(b);
          part.Out(TypeOf(dtype, {m, n}));
          ASSERT_EQ(part.Run(options), TIR_OK);
          for (int64_t r = 0; r < m; r++)
            for (int64_t c = 0; c < n; c++)
              ASSERT_TRUE(SameBits(
                  part.out(), static_cast<size_t>(r * n + c), whole.out(),
                  static_cast<size_t>((29 - m + r) * 67 + 67 - n + c)))
                  << "m " << m << " n " << n << " level " << level;
        }
    }
}

TEST(MatmulKernels, SkipNoZeros) {
  for (tir_dtype dtype : kFloats)
    for (const std::vector<int64_t> &s : std::vector<std::vector<int64_t>>{
             {1, 1, 2}, {3, 20, 2}, {20, 1, 2}, {1, 20, 2}, {64, 64, 64}}) {
      Buffer a(TypeOf(dtype, {s[0], s[2]})), b(TypeOf(dtype, {s[2], s[1]}));
      for (size_t e = 0; e < a.count(); e++) a.Set(e, 0);
      for (size_t e = 0; e < b.count(); e++) b.Set(e, HUGE_VAL);
      KernelCall call(TIR_OP_MATMUL);
      call.Attrs(tir_attrs_matmul{}).In(a).In(b);
      call.Out(TypeOf(dtype, {s[0], s[1]}));
      for (int level : Levels()) {
        KernelOptions options;
        options.level = level;
        ASSERT_EQ(call.Run(options), TIR_OK);
        for (size_t e = 0; e < call.out().count(); e++)
          ASSERT_TRUE(std::isnan(call.out().F64(e)));
      }
    }
}

TEST(MatmulKernels, AgreeForLargeProducts) {
  for (tir_dtype dtype : kFloats)
    for (const std::vector<int64_t> &s : std::vector<std::vector<int64_t>>{
             {64, 64, 64}, {100, 70, 90}, {33, 150, 41}, {17, 300, 60}})
      for (int flags = 0; flags < 4; flags++) {
        const Product p = {
            {}, {}, {}, s[0], s[1], s[2], (flags & 1) != 0, (flags & 2) != 0};
        CheckNaive(p, dtype, 7);
      }
}

// One large product per batch.
TEST(MatmulKernels, AgreeForLargeBatches) {
  for (int flags = 0; flags < 4; flags++)
    Check({{2}, {}, {2}, 49, 50, 51, (flags & 1) != 0, (flags & 2) != 0},
          TIR_DTYPE_F32, 8);
}

// Small whole numbers: their sums are exact, whatever the order.
void FillWhole(Buffer *buffer, uint64_t seed) {
  TestRandom random(seed);
  for (size_t e = 0; e < buffer->count(); e++)
    buffer->Set(e, static_cast<double>(random.Below(9)) - 4);
}

// Of a product that is computed in tiles: some elements of every one.
void CheckTiles(int64_t m, int64_t n, int64_t k, int flags,
                int level = TIR_CPU_BASELINE) {
  const bool ta = flags & 1, tb = flags & 2;
  Buffer a(TypeOf(TIR_DTYPE_F32, Dims({}, m, k, ta)));
  Buffer b(TypeOf(TIR_DTYPE_F32, Dims({}, k, n, tb)));
  FillWhole(&a, 12);
  FillWhole(&b, 13);
  KernelCall call(TIR_OP_MATMUL);
  call.Attrs(tir_attrs_matmul{ta, tb}).In(a).In(b);
  call.Out(TypeOf(TIR_DTYPE_F32, {m, n}));
  KernelOptions options;
  options.level = level;
  options.poison = 0xFF;
  ASSERT_EQ(call.Run(options), TIR_OK);
  EXPECT_EQ(call.uses_blas(),
            m >= 16 && tir_exec_blas_load() && tir_exec_blas_suits(level));
  const int64_t every = k > 1000 ? 5 : 1;
  for (int64_t i = 0; i < m; i += 7 * every)
    for (int64_t j = 0; j < n; j += 5 * every) {
      double sum = 0;
      for (int64_t p = 0; p < k; p++)
        sum += a.F64(static_cast<size_t>(ta ? p * m + i : i * k + p)) *
               b.F64(static_cast<size_t>(tb ? j * k + p : p * n + j));
      ASSERT_EQ(call.out().F64(static_cast<size_t>(i * n + j)), sum)
          << i << ", " << j;
    }
}

// Several tiles a side.
TEST(MatmulKernels, PutEveryTileInItsPlace) {
  const tir_exec_gemm_grid grid = tir_exec_gemm_grid_of(300, 280, 200);
  ASSERT_LT(grid.tile_m, 300);
  ASSERT_LT(grid.tile_n, 280);
  ASSERT_EQ(grid.stretch, 200);
  for (int flags = 0; flags < 4; flags++) CheckTiles(300, 280, 200, flags);
}

// Several stretches a tile.
TEST(MatmulKernels, AddUpTheStretchesOfATile) {
  const int64_t m = 500, n = 510, k = 5000;
  const tir_exec_gemm_grid grid = tir_exec_gemm_grid_of(m, n, k);
  ASSERT_GE(grid.tile_m, 100);
  ASSERT_LT(2 * grid.stretch, k);
  for (int flags = 0; flags < 4; flags++) CheckTiles(m, n, k, flags);
}

// By BLAS or by own loops, which differ in their grids.
TEST(MatmulKernels, PutTilesInTheirPlaceAtEveryLevel) {
  for (int level : Levels())
    for (int flags = 0; flags < 4; flags++)
      CheckTiles(530, 131, 1100, flags, level);
}

// Few rows are never left to BLAS.
TEST(MatmulKernels, ReadWideOperandsInTiles) {
  for (int level : Levels())
    for (int64_t m : {1, 13}) CheckTiles(m, 4099, 300, 0, level);
}

// --- grids -------------------------------------------------------------------

constexpr double kMaxCallFlops = 1 << 26;

double Flops(int64_t m, int64_t n, int64_t k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) *
         static_cast<double>(k);
}

// Sizes from 1 to 160,000, small ones as often as large ones.
int64_t AnySize(TestRandom *random) {
  return static_cast<int64_t>(std::exp(random->Between(0, 12)));
}

void ExpectWithin(const tir_exec_gemm_grid &grid, int64_t m, int64_t n,
                  int64_t k) {
  EXPECT_GE(grid.tile_m, 1);
  EXPECT_GE(grid.tile_n, 1);
  EXPECT_GE(grid.stretch, 1);
  EXPECT_LE(grid.tile_m, m);
  EXPECT_LE(grid.tile_n, n);
  EXPECT_LE(grid.stretch, k);
}

TEST(MatmulGrid, KeepsItsPromises) {
  TestRandom random(13);
  for (int round = 0; round < 2000; round++) {
    const int64_t m = AnySize(&random), n = AnySize(&random);
    const int64_t k = AnySize(&random);
    const tir_exec_gemm_grid grid = tir_exec_gemm_grid_of(m, n, k);
    ExpectWithin(grid, m, n, k);
    // Rounded up to whole registers: 16 of 256 at least.
    EXPECT_LE(Flops(grid.tile_m, grid.tile_n, grid.stretch),
              kMaxCallFlops * 17 / 16);
    EXPECT_TRUE(grid.stretch == k || grid.stretch >= 256);
    // Neither sides nor calls are short where the shape does not ask for it.
    if (Flops(m, n, std::min<int64_t>(k, 256)) > kMaxCallFlops) continue;
    const bool cut = grid.tile_m < m || grid.tile_n < n;
    EXPECT_TRUE(!cut || Flops(grid.tile_m, grid.tile_n, k) >= 4e6 * 0.99);
    EXPECT_TRUE(grid.tile_m == m || grid.tile_m >= 64);
    EXPECT_TRUE(grid.tile_n == n || grid.tile_n >= 64);
  }
}

TEST(MatmulGrid, OfOwnLoopsKeepsItsPromises) {
  TestRandom random(14);
  for (int round = 0; round < 2000; round++) {
    const int64_t m = AnySize(&random), n = AnySize(&random);
    const int64_t k = AnySize(&random);
    const bool copies_a = round & 1;
    const tir_exec_gemm_grid grid =
        tir_exec_gemm_own_grid_of(m, n, k, copies_a);
    ExpectWithin(grid, m, n, k);
    EXPECT_LE(Flops(grid.tile_m, grid.tile_n, grid.stretch), kMaxCallFlops);
    // The copy of a: half a MiB of f32.
    if (copies_a) {
      EXPECT_LE(grid.tile_m * grid.stretch, 256 * 512);
    }
    EXPECT_TRUE(grid.tile_m == m || grid.tile_m >= 96);
    EXPECT_TRUE(grid.tile_n == n || grid.tile_n >= 64);
    // Work for many, unless tiles are as small as can be: rounding a share of
    // 16 up to whole panels at most doubles it.
    const int64_t n_tiles = ((m + grid.tile_m - 1) / grid.tile_m) *
                            ((n + grid.tile_n - 1) / grid.tile_n);
    EXPECT_TRUE(n_tiles >= 8 || (grid.tile_n <= 64 && grid.tile_m <= 96))
        << m << " " << n << " " << k << ": " << n_tiles;
  }
}

// --- blocks ------------------------------------------------------------------

template <typename T>
void FillAny(std::vector<T> *v, uint64_t seed) {
  TestRandom random(seed);
  for (T &x : *v) x = static_cast<T>(random.Between(-1, 1));
}

// m × n of sums over k in stretches that end where told, with a copied or not.
template <typename T>
std::vector<T> Block(const tir_exec_gemm_fn gemm, int64_t m, int64_t n,
                     bool transpose_a, bool transpose_b, bool copies_a,
                     const std::vector<int64_t> &ends) {
  const int64_t k = ends.back(), c_row = n + 3;
  std::vector<T> a(size_t(m * k)), b(size_t(k * n));
  FillAny(&a, 21);
  FillAny(&b, 22);
  std::vector<T> c(size_t(m * c_row), T(7));
  std::vector<char> pack(tir_exec_gemm_pack_bytes(k) + 64);
  std::vector<char> copy(tir_exec_gemm_a_bytes(m, k, sizeof(T)) + 64);
  const auto aligned = [](std::vector<char> *bytes) {
    const auto at = reinterpret_cast<uintptr_t>(bytes->data());
    return reinterpret_cast<void *>((at + 63) / 64 * 64);
  };
  tir_exec_gemm_block g = {};
  g.m = m;
  g.n = n;
  g.a_row = transpose_a ? 1 : k;
  g.a_column = transpose_a ? m : 1;
  g.b_row = transpose_b ? 1 : n;
  g.b_column = transpose_b ? k : 1;
  g.c = c.data();
  g.c_row = c_row;
  g.pack = aligned(&pack);
  g.a_pack = copies_a ? aligned(&copy) : nullptr;
  g.is_part = true;
  int64_t from = 0;
  for (int64_t end : ends) {
    g.k = end - from;
    g.a = a.data() + from * g.a_column;
    g.b = b.data() + from * g.b_row;
    g.adds = from > 0;
    gemm(&g);
    from = end;
  }
  return c;
}

template <typename T>
void CheckBlocks(tir_dtype dtype) {
  for (int level : Levels()) {
    const tir_exec_gemm_fn gemm =
        TIR_AT_LEVEL(tir_exec_gemm, level)->gemm[dtype];
    for (int64_t m : {1, 5, 31, 61})
      for (int64_t n : {1, 3, 4, 7, 19, 35, 71})
        for (int flags = 0; flags < 4; flags++) {
          const bool ta = flags & 1, tb = flags & 2;
          const auto whole = Block<T>(gemm, m, n, ta, tb, false, {1100});
          EXPECT_EQ(whole, Block<T>(gemm, m, n, ta, tb, true, {1100}));
          EXPECT_EQ(whole,
                    Block<T>(gemm, m, n, ta, tb, false, {1, 130, 131, 1100}));
          EXPECT_EQ(whole, Block<T>(gemm, m, n, ta, tb, true, {513, 1100}));
        }
  }
}

// What lies beside c is left alone, too.
TEST(MatmulBlocks, NeitherStretchesNorCopiesChangeABit) {
  CheckBlocks<float>(TIR_DTYPE_F32);
  CheckBlocks<double>(TIR_DTYPE_F64);
}

}  // namespace
}  // namespace tapeir_test
