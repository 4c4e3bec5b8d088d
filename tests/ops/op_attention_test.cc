// Attention: values against formulas, gradients of first and second order,
// prefixes, shared heads, messages.
#include "tests/ops/layers.h"

namespace {

// --- gradients ---------------------------------------------------------------

TEST(AttentionGradients, OfAll) {
  const std::vector<int64_t> q = {2, 3, 4}, k = {2, 5, 4}, v = {2, 5, 2};
  ExpectGradients({q, k, v}, [](tir_tape *t, Values in) {
    return tir_attention(t, in[0], in[1], in[2], kNone, true, 0);
  });
  ExpectGradients({q, k, v, {3, 5}}, [](tir_tape *t, Values in) {
    return tir_attention(t, in[0], in[1], in[2], in[3], false, 0.7);
  });
}

TEST(AttentionGradients, OfAPrefix) {
  for (bool causal : {false, true})
    ExpectGradients({{2, 3, 4}, {2, 5, 4}, {2, 5, 2}, {3, 5}},
                    [causal](tir_tape *t, Values in) {
                      const int64_t two = 2, numbers[] = {4, 3};
                      const tir_value lengths = tir_value_from_data(
                          t, TIR_DTYPE_I64, &two, 1, numbers);
                      return tir_attention_prefix(t, in[0], in[1], in[2],
                                                  lengths, in[3], causal, 0);
                    });
}

TEST(AttentionGradients, OfSharedHeads) {
  ExpectGradients(
      {{4, 2, 3}, {2, 3, 3}, {2, 3, 2}}, [](tir_tape *t, Values in) {
        return tir_attention(t, in[0], in[1], in[2], kNone, true, 0);
      });
}

// --- values ------------------------------------------------------------------

class Attention : public LayersTest {};

TEST_F(Attention, WeighsValues) {
  // One feature: scores are products; ln 3 makes weights of 1/4 and 3/4.
  const float ln3 = 1.0986122887f;
  const tir_value q = F32({1, 0}, {2, 1}), k = F32({0, ln3}, {2, 1});
  const tir_value v = F32({4, 0, 8, 100}, {2, 2});
  ExpectClose(Read(tir_attention(t, q, k, v, kNone, false, 0)), {7, 75, 6, 50});
  ExpectClose(Read(tir_attention(t, q, k, v, kNone, true, 0)), {4, 0, 6, 50});
  const tir_value hidden = Vec({0, -kInf});
  ExpectClose(Read(tir_attention(t, q, k, v, hidden, false, 0)), {4, 0, 4, 0});
  ExpectClose(Read(tir_attention(t, q, k, v, kNone, false, 2)),
              {7.6f, 90, 6, 50});
}

TEST_F(Attention, ScalesByTheRootOfTheFeatures) {
  const Floats ones(8, 1), numbers = {1, -2, .5f, 3, 2, 1, -1, .25f};
  const tir_value q = F32(numbers, {2, 4}), k = F32(numbers, {2, 4});
  const tir_value v = F32({1, 2}, {2, 1});
  EXPECT_EQ(Read(tir_attention(t, q, k, v, kNone, false, 0)),
            Read(tir_attention(t, q, k, v, kNone, false, .5)));
}

// What causal hides has no part in anything, not even as NaN.
TEST_F(Attention, DoesNotSeeTheFuture) {
  const tir_value q = F32({1, 2, 3}, {3, 1}), k = F32({1, 1, NAN}, {3, 1});
  const tir_value v = F32({5, 6, 7}, {3, 1});
  tir_attach_grad(t, k, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_attention(t, q, k, v, kNone, true, 1);
  tir_mode_end(t);
  tir_keep(t, y);
  const Floats out = Read(y);
  EXPECT_EQ(out[0], 5);
  EXPECT_FLOAT_EQ(out[1], 5.5f);
  const tir_value head = F32({1, 1, 0}, {3, 1});
  tir_backward_ex(t, &y, 1, &head, 1, nullptr);
  EXPECT_TRUE(std::isnan(out[2]));
}

// All rows of a value, or some of one of its axes.
tir_value Rows(tir_tape *t, tir_value x, int64_t first, int64_t end) {
  const int64_t starts[] = {0, 0, first}, stops[] = {INT64_MAX, INT64_MAX, end};
  return tir_slice(t, x, starts, stops, nullptr, 3);
}

TEST_F(Attention, OfAPrefixIsThatOfAShorterValue) {
  Floats data;
  for (size_t i = 0; i < 2 * 2 * 6 * 4; i++)
    data.push_back(static_cast<float>(Number(i)));
  const tir_value q = F32(data, {2, 2, 6, 4}), x = F32(data, {2, 2, 6, 4});
  // Beyond the prefix there is anything.
  const tir_value nan = tir_full_like(t, x, NAN);
  for (int64_t n : {1, 3, 6}) {
    const tir_value length = tir_scalar(t, TIR_DTYPE_I64, double(n));
    const tir_value valid[] = {Rows(t, x, 0, n), Rows(t, nan, n, 6)};
    const tir_value k = tir_concat(t, valid, 2, 2);
    const tir_value whole =
        tir_attention(t, q, valid[0], valid[0], kNone, false, 0);
    EXPECT_EQ(Read(tir_attention_prefix(t, q, k, k, length, kNone, false, 0)),
              Read(whole))
        << n;
    // Causal: the rows of q are the last ones of the prefix.
    const tir_value full =
        tir_attention(t, Rows(t, q, 0, n), valid[0], valid[0], kNone, true, 0);
    for (int64_t m : {int64_t{1}, n}) {
      const tir_value last = Rows(t, q, n - m, n);
      ExpectClose(
          Read(tir_attention_prefix(t, last, k, k, length, kNone, true, 0)),
          Read(Rows(t, full, n - m, n)));
    }
  }
  EXPECT_EQ(Error(), "");
}

TEST_F(Attention, TakesALengthForEachIndex) {
  Floats data;
  for (size_t i = 0; i < 2 * 5 * 3; i++)
    data.push_back(static_cast<float>(Number(i)));
  const tir_value x = F32(data, {2, 5, 3});
  const int64_t two = 2;
  const int32_t numbers[] = {4, 2};
  const tir_value lengths =
      tir_value_from_data(t, TIR_DTYPE_I32, &two, 1, numbers);
  const Floats all =
      Read(tir_attention_prefix(t, x, x, x, lengths, kNone, false, 0));
  for (int i = 0; i < 2; i++) {
    const tir_value length = tir_scalar(t, TIR_DTYPE_I64, numbers[i]);
    const Floats one =
        Read(tir_attention_prefix(t, x, x, x, length, kNone, false, 0));
    EXPECT_EQ(Floats(all.begin() + 15 * i, all.begin() + 15 * (i + 1)),
              Floats(one.begin() + 15 * i, one.begin() + 15 * (i + 1)));
  }
}

TEST_F(Attention, RefusesALengthOutOfRange) {
  const tir_value x = F32(Floats(6), {2, 3});
  for (double n : {-1.0, 3.0}) {
    const tir_value y = tir_attention_prefix(
        t, x, x, x, tir_scalar(t, TIR_DTYPE_I64, n), kNone, false, 0);
    tir_tensor *tensor = nullptr;
    tir_error error = {};
    EXPECT_EQ(tir_read(t, y, &tensor, &error), TIR_ERR_VALUE);
    EXPECT_EQ(std::string(error.message)
                  .rfind("check_range: " + std::to_string(int(n)) +
                             " at position 0 is out of range, expected 0 to 2",
                         0),
              0u)
        << error.message;
    Error();
  }
}

// Four heads of q, two of k and v: as if each of the two were there twice.
TEST_F(Attention, SharesHeads) {
  Floats data;
  for (size_t i = 0; i < 2 * 4 * 3 * 2; i++)
    data.push_back(static_cast<float>(Number(i)));
  const tir_value q = F32(data, {2, 4, 3, 2});
  const tir_value k =
      F32(Floats(data.begin(), data.begin() + 24), {2, 2, 3, 2});
  const int64_t two = 4, twice[] = {0, 0, 1, 1};
  const tir_value at = tir_value_from_data(t, TIR_DTYPE_I64, &two, 1, twice);
  const tir_value all = tir_gather(t, k, at, 1);
  const tir_value mask =
      F32(Floats(data.begin(), data.begin() + 36), {4, 3, 3});
  for (tir_value m : {kNone, mask})
    EXPECT_EQ(Read(tir_attention(t, q, k, k, m, true, 0)),
              Read(tir_attention(t, q, all, all, m, true, 0)));
  EXPECT_EQ(Error(), "");
}

TEST_F(Attention, DoesNotOverflow) {
  const tir_value q = F32({3e18f, -3e18f}, {2, 1}),
                  k = F32({1e19f, 2e19f}, {2, 1});
  const tir_value v = F32({1, 2}, {2, 1});
  EXPECT_EQ(Read(tir_attention(t, q, k, v, kNone, false, 1)), (Floats{2, 1}));
}

// --- messages ----------------------------------------------------------------

TEST_F(Attention, SaysWhatDoesNotFit) {
  const tir_value x = F32(Floats(12), {2, 2, 3}), w3 = Vec({1, 2, 3});
  const tir_value w2 = Vec({1, 2});
  tir_attention(t, x, x, x, kNone, false, NAN);
  EXPECT_EQ(Error(), "attention: scale is nan, expected a finite number");
  tir_attention(t, x, x, x, w3, false, 0);
  EXPECT_EQ(Error(),
            "attention: mask f32[3] does not broadcast to the scores, [2, 2, "
            "2]");
  tir_attention(t, w2, w2, w2, kNone, true, 0);
  EXPECT_EQ(Error(), "attention: q f32[2] has rank 1, expected 2 or more");
  const tir_value wide = F32(Floats(12), {2, 1, 2, 3});
  const tir_value two = tir_scalar(t, TIR_DTYPE_I64, 2);
  tir_attention_prefix(t, x, wide, x, two, kNone, true, 0);
  EXPECT_EQ(Error(),
            "attention_prefix: k or v has leading axes that q has not: "
            "broadcast q first");
  tir_attention_prefix(t, x, x, x, w2, kNone, true, 0);
  EXPECT_EQ(Error(),
            "attention: wrong dtype: length f32[2], expected i32 or i64");
}

// What is said of shared heads has the shapes of the call, not those that heads
// are split into.
TEST_F(Attention, SaysWhatDoesNotFitOfSharedHeads) {
  const auto zeros = [&](std::vector<int64_t> dims) {
    int64_t n = 1;
    for (int64_t d : dims) n *= d;
    return F32(Floats(static_cast<size_t>(n)), dims);
  };
  const tir_value q = zeros({4, 2, 3}), k = zeros({2, 5, 3});
  const auto said = [&](tir_value x, tir_value y, tir_value z, tir_value mask) {
    tir_attention(t, x, y, z, mask, false, 1);
    return Error();
  };
  for (const auto &heads : std::vector<int64_t>{2, 3, 8}) {
    const std::string n = std::to_string(heads);
    EXPECT_EQ(said(q, k, k, zeros({heads, 2, 5})),
              "attention: mask f32[" + n +
                  ", 2, 5] does not broadcast to the scores, [4, 2, 5]");
  }
  EXPECT_EQ(said(q, k, k, zeros({4, 5})),
            "attention: mask f32[4, 5] does not broadcast to the scores, [4, "
            "2, 5]");
  EXPECT_EQ(said(q, k, k, zeros({2, 4, 2, 5})),
            "attention: mask f32[2, 4, 2, 5] does not broadcast to the scores, "
            "[4, 2, 5]");
  EXPECT_EQ(said(q, zeros({2, 5, 4}), k, kNone),
            "attention: features differ: q f32[4, 2, 3], k f32[2, 5, 4]");
  EXPECT_EQ(said(q, k, zeros({2, 6, 3}), kNone),
            "attention: positions differ: k f32[2, 5, 3], v f32[2, 6, 3]");
  EXPECT_EQ(said(q, k, tir_cast(t, k, TIR_DTYPE_F64), kNone),
            "attention: dtypes differ: q f32[4, 2, 3], v f64[2, 5, 3]");
  EXPECT_EQ(said(zeros({3, 4, 2, 3}), zeros({2, 2, 5, 3}), zeros({2, 2, 5, 3}),
                 kNone),
            "attention: leading axes of k f32[2, 2, 5, 3] do not broadcast to "
            "those of q f32[3, 4, 2, 3]");
  const std::string expected =
      ", expected the same number in k and v, which divides that of q";
  EXPECT_EQ(said(q, zeros({3, 5, 3}), zeros({3, 5, 3}), kNone),
            "attention: heads do not fit: q has 4, k 3, v 3" + expected);
  EXPECT_EQ(said(q, k, zeros({4, 5, 3}), kNone),
            "attention: heads do not fit: q has 4, k 2, v 4" + expected);
  const int64_t n = 3, numbers[] = {1, 1, 1};
  const tir_value three = tir_value_from_data(t, TIR_DTYPE_I64, &n, 1, numbers);
  tir_attention_prefix(t, q, k, k, three, kNone, false, 1);
  EXPECT_EQ(Error(),
            "attention: length i64[3] is not a scalar and has not the leading "
            "sizes of q f32[4, 2, 3]");
}

// Named as the caller named them, also where the scale changed q.
TEST_F(Attention, NamesItsOperands) {
  const tir_value q = tir_set_name(t, F32(Floats(6), {2, 3}), "query");
  const tir_value k = tir_set_name(t, F32(Floats(20), {5, 4}), "keys");
  tir_attention(t, q, k, k, kNone, false, 0);
  EXPECT_EQ(Error(),
            "attention: features differ: q \"query\" f32[2, 3], k \"keys\" "
            "f32[5, 4]");
}

// Written out in ordinary ops, of which nobody knows.
TEST_F(Attention, SaysWhatDoesNotFitOfWiderKeys) {
  const tir_value q = F32(Floats(6), {2, 3}), k = F32(Floats(30), {2, 5, 3});
  const tir_value other = F32(Floats(40), {2, 5, 4});
  tir_attention(t, q, other, k, kNone, false, 1);
  EXPECT_EQ(Error(), "attention: features differ: q f32[2, 3], k f32[2, 5, 4]");
  tir_attention(t, q, k, F32(Floats(36), {2, 6, 3}), kNone, false, 1);
  EXPECT_EQ(Error(),
            "attention: positions differ: k f32[2, 5, 3], v f32[2, 6, 3]");
  tir_attention(t, q, k, F32(Floats(45), {3, 5, 3}), kNone, false, 1);
  EXPECT_EQ(Error(),
            "attention: leading axes do not broadcast: q f32[2, 3], k f32[2, "
            "5, 3], v f32[3, 5, 3]");
  tir_attention(t, q, k, k, F32(Floats(12), {3, 2, 2}), false, 1);
  EXPECT_EQ(Error(),
            "attention: mask f32[3, 2, 2] does not broadcast to the scores, "
            "[2, 2, 5]");
}

// One length for each head of q, though pairs of them share one of k and v.
TEST_F(Attention, TakesALengthForEachHeadOfShared) {
  Floats data;
  for (size_t i = 0; i < 4 * 3 * 2; i++)
    data.push_back(static_cast<float>(Number(i)));
  const tir_value q = F32(data, {4, 3, 2});
  const tir_value k = F32(Floats(data.begin(), data.begin() + 12), {2, 3, 2});
  const int64_t four = 4, twice[] = {0, 0, 1, 1}, numbers[] = {1, 2, 3, 2};
  const tir_value at = tir_value_from_data(t, TIR_DTYPE_I64, &four, 1, twice);
  const tir_value lengths =
      tir_value_from_data(t, TIR_DTYPE_I64, &four, 1, numbers);
  const tir_value all = tir_gather(t, k, at, 0);
  EXPECT_EQ(
      Read(tir_attention_prefix(t, q, k, k, lengths, kNone, false, 0)),
      Read(tir_attention_prefix(t, q, all, all, lengths, kNone, false, 0)));
  EXPECT_EQ(Error(), "");
}

}  // namespace
