// Initial values: their moments and bounds, exact repeats, orthogonality, and
// the same elements as the ops on a tape draw.
#include "tapeir/init.h"

#include <functional>

#include "tests/training/training_fixture.h"

namespace {

struct Moments {
  double mean, deviation, low, high;
};

Moments Of(const Doubles &x) {
  Moments m = {0, 0, x[0], x[0]};
  for (double e : x) {
    m.mean += e;
    m.low = std::min(m.low, e);
    m.high = std::max(m.high, e);
  }
  m.mean /= static_cast<double>(x.size());
  for (double e : x) m.deviation += (e - m.mean) * (e - m.mean);
  m.deviation = std::sqrt(m.deviation / static_cast<double>(x.size()));
  return m;
}

class Init : public TrainingTest {
 protected:
  using Filler = std::function<tir_status(tir_tensor *, uint64_t, uint64_t)>;

  Owned<tir_tensor> Empty(tir_dtype dtype, std::vector<int64_t> dims) {
    tir_tensor *tensor = nullptr;
    Check(tir_tensor_create(c, dtype, dims.data(),
                            static_cast<int>(dims.size()), &tensor, &error));
    return Owned<tir_tensor>(tensor);
  }
  Doubles Fill(tir_dtype dtype, std::vector<int64_t> dims, const Filler &filler,
               uint64_t seed = 1, uint64_t stream = 0) {
    const Owned<tir_tensor> tensor = Empty(dtype, dims);
    Check(filler(tensor.get(), seed, stream));
    return Elements(tensor.get());
  }
  // Mean and deviation as expected, within five standard errors.
  void ExpectMoments(const Filler &filler, std::vector<int64_t> dims,
                     double mean, double deviation, double kurtosis) {
    const Doubles x = Fill(TIR_DTYPE_F32, dims, filler);
    const Moments m = Of(x);
    const double n = static_cast<double>(x.size());
    EXPECT_NEAR(m.mean, mean, 5 * deviation / std::sqrt(n));
    EXPECT_NEAR(m.deviation, deviation,
                5 * deviation * std::sqrt((kurtosis - 1) / (4 * n)));
    // The same again, others from another seed or stream, and the same
    // numbers in other dtypes.
    EXPECT_EQ(Fill(TIR_DTYPE_F32, dims, filler), x);
    EXPECT_NE(Fill(TIR_DTYPE_F32, dims, filler, 2, 0), x);
    EXPECT_NE(Fill(TIR_DTYPE_F32, dims, filler, 1, 1), x);
    const Doubles wide = Fill(TIR_DTYPE_F64, dims, filler);
    const Doubles half = Fill(TIR_DTYPE_BF16, dims, filler);
    for (size_t i = 0; i < x.size(); i++) {
      ASSERT_EQ(static_cast<double>(static_cast<float>(wide[i])), x[i]);
      ASSERT_NEAR(half[i], x[i], std::fabs(x[i]) / 128);
    }
  }
};

constexpr double kUniform = 1.8, kNormal = 3, kTruncated = 2.37;

TEST_F(Init, ConstantsFillAnyDtype) {
  for (int d = TIR_DTYPE_F32; d <= TIR_DTYPE_BOOL; d++) {
    const Owned<tir_tensor> tensor = Empty(static_cast<tir_dtype>(d), {3});
    Check(tir_init_constant(tensor.get(), 1, &error));
    EXPECT_EQ(Elements(tensor.get()), (Doubles{1, 1, 1}));
    Check(tir_init_constant(tensor.get(), 0, &error));
    EXPECT_EQ(Elements(tensor.get()), (Doubles{0, 0, 0}));
  }
}

TEST_F(Init, Uniform) {
  const Filler filler = [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
    return tir_init_uniform(x, -1, 3, seed, stream, &error);
  };
  ExpectMoments(filler, {100, 200}, 1, 4 / std::sqrt(12), kUniform);
  const Moments m = Of(Fill(TIR_DTYPE_F64, {20000}, filler));
  EXPECT_GE(m.low, -1);
  EXPECT_LT(m.low, -.99);
  EXPECT_LT(m.high, 3);
  EXPECT_GT(m.high, 2.99);
}

TEST_F(Init, Normal) {
  const Filler filler = [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
    return tir_init_normal(x, 2, .5, seed, stream, &error);
  };
  ExpectMoments(filler, {20000}, 2, .5, kNormal);
  const Moments m = Of(Fill(TIR_DTYPE_F64, {20000}, filler));
  EXPECT_LT(m.low, 2 - 3 * .5) << "has tails";
  EXPECT_GT(m.high, 2 + 3 * .5);
}

TEST_F(Init, TruncatedNormal) {
  const Filler filler = [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
    return tir_init_truncated_normal(x, 2, .5, seed, stream, &error);
  };
  // Deviation of the standard normal cut at ±2.
  ExpectMoments(filler, {20000}, 2, .5 * .879625661, kTruncated);
  const Moments m = Of(Fill(TIR_DTYPE_F64, {20000}, filler));
  EXPECT_GE(m.low, 1);
  EXPECT_LT(m.low, 1.01);
  EXPECT_LE(m.high, 3);
  EXPECT_GT(m.high, 2.99);
}

TEST_F(Init, ByFans) {
  ExpectMoments(
      [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
        return tir_init_xavier_uniform(x, 3, seed, stream, &error);
      },
      {60, 240}, 0, 3 * std::sqrt(2. / 300), kUniform);
  ExpectMoments(
      [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
        return tir_init_xavier_normal(x, 1, seed, stream, &error);
      },
      {40, 20, 3, 5}, 0, std::sqrt(2. / (60 * 15)), kNormal);
  ExpectMoments(
      [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
        return tir_init_he_uniform(x, seed, stream, &error);
      },
      {60, 240}, 0, std::sqrt(2. / 60), kUniform);
  ExpectMoments(
      [&](tir_tensor *x, uint64_t seed, uint64_t stream) {
        return tir_init_he_normal(x, seed, stream, &error);
      },
      {40, 20, 3, 5}, 0, std::sqrt(2. / (20 * 15)), kNormal);
}

TEST_F(Init, OrthogonalRowsOrColumns) {
  for (const auto &dims : std::vector<std::vector<int64_t>>{
           {7, 7}, {5, 12}, {12, 5}, {4, 2, 3}, {1, 9}, {9, 1}, {0, 3}}) {
    const Doubles x =
        Fill(TIR_DTYPE_F64, dims,
             [&](tir_tensor *q, uint64_t seed, uint64_t stream) {
               return tir_init_orthogonal(q, 2, seed, stream, &error);
             });
    const size_t rows = static_cast<size_t>(dims[0]);
    const size_t columns = rows ? x.size() / rows : 0;
    const bool by_rows = rows <= columns;
    const size_t count = by_rows ? rows : columns;
    const size_t n = by_rows ? columns : rows;
    const auto at = [&](size_t vector, size_t i) {
      return by_rows ? x[vector * columns + i] : x[i * columns + vector];
    };
    for (size_t a = 0; a < count; a++)
      for (size_t b = 0; b <= a; b++) {
        double product = 0;
        for (size_t i = 0; i < n; i++) product += at(a, i) * at(b, i);
        EXPECT_NEAR(product, a == b ? 4 : 0, 1e-13);
      }
  }
}

// One definition of the numbers: docs/numerics.md.
TEST_F(Init, DrawsWhatTheOpsDraw) {
  tir_tape_options options = {};
  options.seed = 42;
  tir_tape *tape = nullptr;
  Check(tir_tape_create(c, &options, &tape, &error));
  std::swap(t, tape);
  const int64_t n = 37;
  const Doubles uniform = Read(tir_uniform(t, TIR_DTYPE_F64, &n, 1, 0, 1));
  const Doubles normal = Read(tir_normal(t, TIR_DTYPE_F64, &n, 1, 0, 1));
  std::swap(t, tape);
  tir_tape_destroy(tape);
  const Owned<tir_tensor> tensor = Empty(TIR_DTYPE_F64, {n});
  Check(tir_init_uniform(tensor.get(), 0, 1, 42, 0, &error));
  EXPECT_EQ(Elements(tensor.get()), uniform);
  Check(tir_init_normal(tensor.get(), 0, 1, 42, 1, &error));
  for (size_t i = 0; i < normal.size(); i++)
    EXPECT_NEAR(Elements(tensor.get())[i], normal[i], 1e-14);
}

TEST_F(Init, RefuseWhatIsNoDistribution) {
  const Owned<tir_tensor> x = Empty(TIR_DTYPE_F32, {3, 4});
  const Owned<tir_tensor> vector = Empty(TIR_DTYPE_F32, {3});
  const Owned<tir_tensor> whole = Empty(TIR_DTYPE_I32, {3, 4});
  const auto refused = [&](tir_status status, tir_status expected,
                           const char *message) {
    EXPECT_EQ(status, expected);
    EXPECT_STREQ(error.message, message);
  };
  refused(tir_init_uniform(x.get(), 1, 0, 1, 1, &error), TIR_ERR_ARGUMENT,
          "init_uniform: the bounds are 1 and 0, expected finite ones in "
          "order");
  refused(tir_init_uniform(x.get(), -1e308, 1e308, 1, 1, &error),
          TIR_ERR_ARGUMENT,
          "init_uniform: the bounds are -1e+308 and 1e+308, expected finite "
          "ones in order");
  refused(tir_init_normal(x.get(), 0, -1, 1, 1, &error), TIR_ERR_ARGUMENT,
          "init_normal: mean is 0, standard deviation -1, expected finite "
          "ones, 0 or more");
  refused(tir_init_normal(whole.get(), 0, 1, 1, 1, &error), TIR_ERR_DTYPE,
          "init_normal: tensor is i32, not a float");
  refused(tir_init_he_normal(vector.get(), 1, 1, &error), TIR_ERR_SHAPE,
          "init_he_normal: rank is 1, expected 2 or more");
  refused(tir_init_xavier_uniform(x.get(), -1, 1, 1, &error), TIR_ERR_ARGUMENT,
          "init_xavier_uniform: gain is -1, expected 0 or more");
  refused(tir_init_orthogonal(vector.get(), 1, 1, 1, &error), TIR_ERR_SHAPE,
          "init_orthogonal: rank is 1, expected 2 or more");
  refused(tir_init_normal(nullptr, 0, 1, 1, 1, &error), TIR_ERR_ARGUMENT,
          "init_normal: tensor is NULL");
  refused(tir_init_constant(nullptr, 0, &error), TIR_ERR_ARGUMENT,
          "tensor_write_begin: tensor is NULL");
  EXPECT_EQ(Elements(x.get()), Doubles(12, 0)) << "as it was";
}

TEST_F(Init, LeaveAFrozenTensorAlone) {
  const Owned<tir_tensor> x = Empty(TIR_DTYPE_F32, {2});
  const tir_value v = tir_value_from_tensor(t, x.get());
  EXPECT_EQ(tir_init_constant(x.get(), 5, &error), TIR_ERR_STATE);
  EXPECT_EQ(Read(v), (Doubles{0, 0}));
}

}  // namespace
