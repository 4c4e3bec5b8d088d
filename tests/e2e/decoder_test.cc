// A small decoder that keeps keys and values in states: compiled once for its
// longest text, it is given the text in chunks and then token by token, and
// says what the whole model says that sees everything at once.
#include <cmath>
#include <string>
#include <vector>

#define TIR_NO_SITES
#include "tests/training/training_fixture.h"

namespace {

constexpr int64_t kWidth = 16, kHeads = 4, kShared = 2, kLayers = 2;
constexpr int64_t kHead = kWidth / kHeads, kTokens = 11, kMost = 24;

class Decoder : public TrainingTest {
 protected:
  void SetUp() override {
    tir_module *m = nullptr;
    Check(tir_module_create(c, &m, &error));
    module_.reset(m);
    Weight("embed", {kTokens, kWidth});
    Weight("place", {kMost, kWidth});
    for (int64_t i = 0; i < kLayers; i++) {
      const std::string at = std::to_string(i);
      Weight("q" + at, {kWidth, kWidth});
      Weight("k" + at, {kWidth, kShared * kHead});
      Weight("v" + at, {kWidth, kShared * kHead});
      Weight("o" + at, {kWidth, kWidth});
      for (const char *name : {"keys", "values"})
        Add(m, name + at, TIR_DTYPE_F32, {1, kShared, kMost, kHead},
            Doubles(size_t(kShared * kMost * kHead), std::nan("")));
    }
    Capture("whole", kMost, false);
    Capture("chunk", 5, true);
    Capture("token", 1, true);
    for (size_t i = 0; i < size_t(kMost); i++)
      text_.push_back(double(i * i % size_t(kTokens)));
  }

  void Weight(const std::string &name, std::vector<int64_t> dims) {
    Doubles data;
    for (int64_t i = 0; i < dims[0] * dims[1]; i++)
      data.push_back(.5 * std::sin(12.9898 * double(++n_numbers_)));
    Add(module_.get(), name, TIR_DTYPE_F32, dims, data, TIR_PARAM_TRAINABLE);
  }
  tir_value Param(const char *name, int64_t layer) {
    return tir_param(t, module_.get(), (name + std::to_string(layer)).c_str());
  }
  // [rows, n · kHead] as [1, n, rows, kHead].
  tir_value Split(tir_value x, int64_t rows, int64_t n) {
    const int64_t dims[] = {1, rows, n, kHead};
    const int axes[] = {0, 2, 1, 3};
    return tir_transpose(t, tir_reshape(t, x, dims, 4), axes, 4);
  }
  tir_value Attend(tir_value x, int64_t rows, int64_t layer, bool cached,
                   tir_value start, tir_value length) {
    const tir_value q =
        Split(tir_matmul(t, x, Param("q", layer)), rows, kHeads);
    tir_value k = Split(tir_matmul(t, x, Param("k", layer)), rows, kShared);
    tir_value v = Split(tir_matmul(t, x, Param("v", layer)), rows, kShared);
    tir_value y;
    if (cached) {
      k = tir_assign_slice(t, Param("keys", layer), k, start, 2);
      v = tir_assign_slice(t, Param("values", layer), v, start, 2);
      y = tir_attention_prefix(t, q, k, v, length, {}, true, 0);
    } else {
      y = tir_attention(t, q, k, v, {}, true, 0);
    }
    const int axes[] = {0, 2, 1, 3};
    const int64_t dims[] = {rows, kWidth};
    y = tir_reshape(t, tir_transpose(t, y, axes, 4), dims, 2);
    return tir_add(t, x, tir_matmul(t, y, Param("o", layer)));
  }
  // Logits of `rows` tokens that stand from `start` on.
  void Capture(const char *name, int64_t rows, bool cached) {
    tir_module *m = module_.get();
    tir_capture_begin(t, m, name);
    const tir_value tokens = tir_input(t, "tokens", TIR_DTYPE_I64, &rows, 1);
    const tir_value start = tir_input(t, "start", TIR_DTYPE_I64, nullptr, 0);
    const tir_value length = tir_add_scalar(t, start, double(rows));
    const tir_value embed = tir_param(t, m, "embed");
    tir_value x =
        tir_add(t, tir_gather(t, embed, tokens, 0),
                tir_slice_at(t, tir_param(t, m, "place"), start, 0, rows));
    for (int64_t i = 0; i < kLayers; i++)
      x = Attend(x, rows, i, cached, start, length);
    tir_output(t, "logits", tir_matmul_t(t, x, embed, false, true));
    Check(tir_capture_end(t, nullptr, &error));
  }

  // Logits of the part of the text that begins at `start`.
  Doubles Say(GraphRunner &runner, size_t start, size_t rows) {
    const auto first = text_.begin() + ptrdiff_t(start);
    runner.Run({Doubles(first, first + ptrdiff_t(rows)), {double(start)}});
    return runner.Output(0);
  }
  // Within 64 roundings of the largest logit: the sums of a row are cut into
  // other blocks.
  void ExpectLogits(const Doubles &whole, size_t start, const Doubles &part) {
    double scale = 1;
    for (double x : whole) scale = std::max(scale, std::fabs(x));
    for (size_t i = 0; i < part.size(); i++)
      ASSERT_NEAR(part[i], whole[start * size_t(kTokens) + i],
                  64 * scale * std::ldexp(1.0, -24))
          << "from " << start << ", element " << i;
  }

  Owned<tir_module> module_;
  Doubles text_;
  int n_numbers_ = 0;
};

TEST_F(Decoder, SaysInPartsWhatItSaysAtOnce) {
  tir_module *m = module_.get();
  GraphRunner whole(c, m, "whole"), chunk(c, m, "chunk"), token(c, m, "token");
  const Doubles all = Say(whole, 0, size_t(kMost));
  // Once more over what is there: old entries have no part in anything.
  for (int round = 0; round < 2; round++) {
    size_t at = 0;
    for (; at < 10; at += 5) ExpectLogits(all, at, Say(chunk, at, 5));
    for (; at < size_t(kMost); at++) ExpectLogits(all, at, Say(token, at, 1));
  }
}

// The rows of a chunk that is not full are overwritten by what follows.
TEST_F(Decoder, TakesAChunkThatIsNotFull) {
  tir_module *m = module_.get();
  GraphRunner whole(c, m, "whole"), chunk(c, m, "chunk"), token(c, m, "token");
  const Doubles all = Say(whole, 0, size_t(kMost));
  const Doubles text = text_;
  text_[3] = text_[4] = 0;
  Doubles part = Say(chunk, 0, 5);
  part.resize(3 * size_t(kTokens));
  ExpectLogits(all, 0, part);
  text_ = text;
  for (size_t at = 3; at < size_t(kMost); at++)
    ExpectLogits(all, at, Say(token, at, 1));
}

TEST_F(Decoder, RefusesWhatDoesNotFitBeforeWriting) {
  const auto before = Bytes(module_.get());
  const auto program = Compile(c, tir_module_graph(module_.get(), "chunk"));
  const auto instance = Instantiate(program, module_.get());
  const std::vector<int64_t> tokens(5, 1), start = {kMost - 4};
  Bind(instance, 0, tokens);
  Bind(instance, 1, start);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_VALUE);
  EXPECT_EQ(std::string(error.message)
                .rfind("check_range: 20 at position 0 is out of range, "
                       "expected 0 to 19",
                       0),
            0u)
      << error.message;
  EXPECT_EQ(Bytes(module_.get()), before);
}

// The states are written in place: the program holds no copy of one.
TEST_F(Decoder, HoldsNoCopyOfItsStates) {
  const auto program = Compile(c, tir_module_graph(module_.get(), "token"));
  size_t n_in_place = 0;
  for (size_t i = 0; i < tir_program_n_values(program.get()); i++) {
    tir_planned_value value;
    Check(tir_program_value(program.get(), i, &value));
    if (std::string(value.op) != "update_slice") continue;
    EXPECT_STREQ(value.place, "param");
    n_in_place++;
  }
  EXPECT_EQ(n_in_place, 2 * size_t(kLayers));
}

// The scores alone would take 64 MiB.
TEST_F(Decoder, AttentionHoldsNoScores) {
  tir_capture_begin(t, module_.get(), "attention");
  const int64_t dims[] = {4096, 8};
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, dims, 2);
  tir_output(t, "y", tir_attention(t, x, x, x, {}, true, 0));
  Check(tir_capture_end(t, nullptr, &error));
  const auto program = Compile(c, tir_module_graph(module_.get(), "attention"));
  tir_memory_report report;
  tir_program_memory(program.get(), &report);
  EXPECT_LE(report.arena_bytes, 4096u * 8 * sizeof(float));
  EXPECT_LE(report.scratch_bytes, 256u << 10);
}

}  // namespace
