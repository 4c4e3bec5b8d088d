// Scans: values, gradients, lengths, live tapes and captures.
#include "loops.h"

namespace {

class Scan : public TapeTest {
 protected:
  // A scan over x f32[T, B, 3] with h0 f32[B, 2].
  void Run(tir_value x, tir_value h0, Cell *cell, tir_value *h, tir_value *ys,
           bool reverse = false) {
    tir_scan_options options = {};
    options.reverse = reverse;
    tir_scan(t, CellBody, cell, &h0, 1, &x, 1, 1, &options, h, ys);
  }
};

TEST_F(Scan, CountsRows) {
  const tir_value x = F32({1, 2, 3, 4}, {4}), zero = Scalar(0);
  tir_value sum, running;
  tir_scan(
      t,
      [](tir_tape *tape, void *, const tir_value *carry, const tir_value *row,
         tir_value *out_carry, tir_value *out_y) {
        out_carry[0] = tir_add(tape, carry[0], row[0]);
        out_y[0] = out_carry[0];
      },
      nullptr, &zero, 1, &x, 1, 1, nullptr, &sum, &running);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Read(sum), Floats({10}));
  EXPECT_EQ(Read(running), Floats({1, 3, 6, 10}));
}

TEST_F(Scan, EqualsTheUnrolledLoopBitForBit) {
  for (const bool reverse : {false, true}) {
    const tir_value x = F32(Noise(5 * 4 * 3, 1), {5, 4, 3});
    const tir_value h0 = F32(Noise(4 * 2, 2), {4, 2});
    Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
    tir_value h, ys;
    Run(x, h0, &cell, &h, &ys, reverse);
    tir_value unrolled = h0;
    std::vector<tir_value> rows(5);
    for (int k = 0; k < 5; k++) {
      const int64_t row = reverse ? 4 - k : k;
      const int64_t start[] = {row}, stop[] = {row + 1};
      const tir_value cut = tir_slice(t, x, start, stop, nullptr, 1);
      const int64_t dims[] = {4, 3};
      unrolled = Step(t, cell, unrolled, tir_reshape(t, cut, dims, 2));
      rows[static_cast<size_t>(row)] = tir_mul_scalar(t, unrolled, 2.0);
    }
    ASSERT_EQ(Error(), "");
    EXPECT_EQ(Read(h), Read(unrolled));
    EXPECT_EQ(Read(ys), Read(tir_stack(t, rows.data(), 5, 0)));
  }
}

TEST_F(Scan, GradientsOfWeightsSumOverTheTrips) {
  const tir_value x = F32(Noise(5 * 4 * 3, 1), {5, 4, 3});
  const tir_value h0 = F32(Noise(4 * 2, 2), {4, 2});
  Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_attach_grad(t, h0, TIR_GRAD_WRITE);
  tir_attach_grad(t, cell.w, TIR_GRAD_WRITE);
  tir_attach_grad(t, cell.u, TIR_GRAD_WRITE);
  std::vector<Floats> grads[2];
  for (int scanned = 0; scanned < 2; scanned++) {
    tir_record_begin(t, true);
    tir_value h = h0, total = Scalar(0);
    if (scanned) {
      tir_value ys;
      Run(x, h0, &cell, &h, &ys);
      total = tir_add(t, tir_sum(t, ys, nullptr, 0, false),
                      tir_sum(t, h, nullptr, 0, false));
    } else {
      for (int64_t k = 0; k < 5; k++) {
        const int64_t start[] = {k}, stop[] = {k + 1}, dims[] = {4, 3};
        const tir_value cut = tir_slice(t, x, start, stop, nullptr, 1);
        h = Step(t, cell, h, tir_reshape(t, cut, dims, 2));
        total = tir_add(
            t, total, tir_sum(t, tir_mul_scalar(t, h, 2.0), nullptr, 0, false));
      }
      total = tir_add(t, total, tir_sum(t, h, nullptr, 0, false));
    }
    tir_backward(t, total);
    tir_mode_end(t);
    ASSERT_EQ(Error(), "");
    for (const tir_value v : {x, h0, cell.w, cell.u})
      grads[scanned].push_back(Grad(v));
  }
  for (size_t v = 0; v < 4; v++) {
    ASSERT_EQ(grads[0][v].size(), grads[1][v].size());
    for (size_t i = 0; i < grads[0][v].size(); i++)
      EXPECT_NEAR(grads[0][v][i], grads[1][v][i],
                  1e-5f * (1 + std::fabs(grads[0][v][i])))
          << "variable " << v << " element " << i;
  }
}

TEST_F(Scan, OfNoRowsGivesTheCarriesBack) {
  const tir_value x = F32({}, {0, 4, 3});
  const tir_value h0 = F32(Noise(8, 2), {4, 2});
  Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
  tir_attach_grad(t, h0, TIR_GRAD_WRITE);
  tir_attach_grad(t, cell.w, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value h, ys;
  Run(x, h0, &cell, &h, &ys);
  tir_backward(t, tir_sum(t, h, nullptr, 0, false));
  tir_mode_end(t);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Read(h), Noise(8, 2));
  EXPECT_EQ(Read(ys), Floats());
  EXPECT_EQ(Grad(h0), Floats(8, 1.0f));
  EXPECT_EQ(Grad(cell.w), Floats(6, 0.0f));
}

TEST_F(Scan, WithoutXsTakesItsLength) {
  const tir_value one = Scalar(1);
  tir_scan_options options = {};
  options.length = 10;
  tir_value last;
  tir_scan(
      t,
      [](tir_tape *tape, void *, const tir_value *carry, const tir_value *,
         tir_value *out_carry,
         tir_value *) { out_carry[0] = tir_add(tape, carry[0], carry[0]); },
      nullptr, &one, 1, nullptr, 0, 0, &options, &last, nullptr);
  EXPECT_EQ(Read(last), Floats({1024}));
}

// Outputs that are inputs, given twice, swapped, or values of outside.
TEST_F(Scan, BodiesThatOnlyPassOn) {
  const tir_value init[] = {Scalar(1), Scalar(2)};
  const tir_value x = F32({5, 6, 7}, {3});
  tir_value outside = Scalar(9), last[2], ys[3];
  tir_scan(
      t,
      [](tir_tape *, void *user, const tir_value *carry, const tir_value *row,
         tir_value *out_carry, tir_value *out_y) {
        out_carry[0] = carry[1];
        out_carry[1] = carry[0];
        out_y[0] = row[0];
        out_y[1] = *static_cast<tir_value *>(user);
        out_y[2] = carry[0];
      },
      &outside, init, 2, &x, 1, 3, nullptr, last, ys);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Read(last[0]), Floats({2}));
  EXPECT_EQ(Read(last[1]), Floats({1}));
  EXPECT_EQ(Read(ys[0]), Floats({5, 6, 7}));
  EXPECT_EQ(Read(ys[1]), Floats({9, 9, 9}));
  EXPECT_EQ(Read(ys[2]), Floats({1, 2, 1}));
}

// Five carries: more results than any other op has.
TEST_F(Scan, ManyCarriesOfManyTypes) {
  const int64_t three[] = {3};
  const int64_t numbers[] = {1, 2, 3};
  tir_value init[5];
  for (int i = 0; i < 4; i++) init[i] = Vec(Noise(3, i));
  init[4] = tir_value_from_data(t, TIR_DTYPE_I64, three, 1, numbers);
  tir_attach_grad(t, init[0], TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_scan_options options = {};
  options.length = 4;
  tir_value last[5];
  tir_scan(
      t,
      [](tir_tape *tape, void *, const tir_value *carry, const tir_value *,
         tir_value *out_carry, tir_value *) {
        for (int i = 0; i < 3; i++)
          out_carry[i] = tir_add(tape, carry[i], carry[i + 1]);
        out_carry[3] = tir_mul(tape, carry[0], carry[3]);
        out_carry[4] = tir_add(tape, carry[4], carry[4]);
      },
      nullptr, init, 5, nullptr, 0, 0, &options, last, nullptr);
  tir_backward(t, tir_sum(t, last[3], nullptr, 0, false));
  tir_mode_end(t);
  ASSERT_EQ(Error(), "");
  std::vector<Floats> want;
  for (int i = 0; i < 4; i++) want.push_back(Noise(3, i));
  for (int k = 0; k < 4; k++) {
    std::vector<Floats> n = want;
    for (size_t e = 0; e < 3; e++) {
      for (size_t i = 0; i < 3; i++) n[i][e] = want[i][e] + want[i + 1][e];
      n[3][e] = want[0][e] * want[3][e];
    }
    want = n;
  }
  for (int i = 0; i < 4; i++)
    EXPECT_EQ(Read(last[i]), want[static_cast<size_t>(i)]);
  tir_tensor *counted = nullptr;
  ASSERT_EQ(tir_read(t, last[4], &counted, nullptr), TIR_OK);
  EXPECT_EQ(static_cast<const int64_t *>(tir_tensor_data(counted))[2], 48);
  tir_tensor_release(counted);
  EXPECT_EQ(Grad(init[0]).size(), 3u);
}

TEST_F(Scan, ALoopOfStepsCompilesOnce) {
  const tir_value x = F32(Noise(60, 1), {5, 4, 3});
  const tir_value h0 = F32(Noise(8, 2), {4, 2});
  Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
  tir_attach_grad(t, cell.w, TIR_GRAD_WRITE);
  Floats first;
  for (int step = 0; step < 50; step++) {
    tir_step_begin(t);
    tir_record_begin(t, true);
    tir_value h, ys;
    Run(x, h0, &cell, &h, &ys);
    tir_backward(t, tir_sum(t, ys, nullptr, 0, false));
    tir_mode_end(t);
    tir_error error = {};
    ASSERT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
    if (step == 0) first = Grad(cell.w);
    ASSERT_EQ(Grad(cell.w), first);
  }
  EXPECT_LE(Stats().n_plan_misses, 3u);
}

// Why a plan was not found: the body is another one, or only an operand is.
TEST_F(Scan, AMissTellsTheBodyFromTheOperands) {
  const auto miss = [this](bool other_body, bool other_operand) {
    tir_scope_begin(t);
    const tir_value x = Scalar(1), z = Scalar(2);
    const tir_value init[] = {other_operand ? z : x, z};
    tir_scan_options options = {};
    options.length = 3;
    tir_value last[2];
    tir_scan(
        t,
        [](tir_tape *tape, void *user, const tir_value *carry,
           const tir_value *, tir_value *next, tir_value *) {
          const tir_value y = tir_exp(tape, tir_tanh(tape, carry[0]));
          next[0] = (user ? tir_neg : tir_square)(tape, y);
          next[1] = carry[1];
        },
        other_body ? this : nullptr, init, 2, nullptr, 0, 0, &options, last,
        nullptr);
    EXPECT_EQ(Read(last[1]), Floats({2}));
    tir_scope_end(t);
    char text[256];
    tir_tape_explain_miss(t, text, sizeof text);
    const char *told = strstr(text, "differs from");
    return std::string(told ? told : text);
  };
  EXPECT_EQ(miss(false, false), "no plan was cached yet");
  EXPECT_EQ(miss(true, false),
            "differs from the nearest of 1 cached plans in its attributes or "
            "bodies");
  EXPECT_EQ(miss(false, true),
            "differs from the nearest of 2 cached plans in its operands or "
            "where they are kept");
}

TEST_F(Scan, ReadBeforeBackwardKeepsWhatTheGradientNeeds) {
  const tir_value x = F32(Noise(60, 1), {5, 4, 3});
  const tir_value h0 = F32(Noise(8, 2), {4, 2});
  Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
  tir_attach_grad(t, cell.w, TIR_GRAD_WRITE);
  Floats grads[2];
  for (int early = 0; early < 2; early++) {
    tir_record_begin(t, true);
    tir_value h, ys;
    Run(x, h0, &cell, &h, &ys);
    if (early) {
      EXPECT_EQ(Read(h).size(), 8u);
    }
    tir_backward(t, tir_sum(t, h, nullptr, 0, false));
    tir_mode_end(t);
    ASSERT_EQ(Error(), "");
    grads[early] = Grad(cell.w);
  }
  EXPECT_EQ(grads[0], grads[1]);
}

// --- against differences ---------------------------------------------------

// Inputs x [3, 2, 3], h0 [2, 2], W, U.
tir_value CheckedScan(void *user, tir_tape *t, const tir_value *in, size_t) {
  Cell cell = {in[2], in[3]};
  tir_scan_options options = {};
  options.reverse = *static_cast<bool *>(user);
  tir_value h, ys;
  tir_scan(t, CellBody, &cell, &in[1], 1, &in[0], 1, 1, &options, &h, &ys);
  return tir_add(t, tir_sum(t, tir_square(t, ys), nullptr, 0, false),
                 tir_sum(t, h, nullptr, 0, false));
}

TEST_F(Scan, FirstAndSecondOrderAgainstDifferences) {
  const std::vector<std::vector<int64_t>> dims = {
      {3, 2, 3}, {2, 2}, {3, 2}, {2, 2}};
  std::vector<tir_tensor *> inputs;
  for (size_t i = 0; i < dims.size(); i++) {
    size_t n = 1;
    for (const int64_t d : dims[i]) n *= static_cast<size_t>(d);
    const std::vector<double> data = NoiseF64(n, static_cast<int>(i));
    tir_tensor *x = nullptr;
    ASSERT_EQ(tir_tensor_from_data(c, TIR_DTYPE_F64, dims[i].data(),
                                   static_cast<int>(dims[i].size()),
                                   data.data(), &x, nullptr),
              TIR_OK);
    inputs.push_back(x);
  }
  for (bool reverse : {false, true}) {
    tir_gradcheck_options options = {};
    options.second_order = true;
    options.absolute_tolerance = 1e-6;
    tir_error error = {};
    EXPECT_EQ(tir_gradcheck(c, CheckedScan, &reverse, inputs.data(),
                            inputs.size(), &options, &error),
              TIR_OK)
        << error.message;
  }
  for (tir_tensor *x : inputs) tir_tensor_release(x);
}

// A state of halves: gradients are added in f32.
TEST_F(Scan, HalfCarries) {
  const tir_value x = F32({1, 2, 3}, {3});
  const tir_value w = tir_cast(t, Scalar(0.5f), TIR_DTYPE_BF16);
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value init = tir_cast(t, Scalar(1), TIR_DTYPE_BF16), last;
  tir_value weight = w;
  tir_scan(
      t,
      [](tir_tape *tape, void *user, const tir_value *carry,
         const tir_value *row, tir_value *out_carry, tir_value *) {
        const tir_value h = tir_cast(tape, carry[0], TIR_DTYPE_F32);
        const tir_value w32 =
            tir_cast(tape, *static_cast<tir_value *>(user), TIR_DTYPE_F32);
        out_carry[0] = tir_cast(
            tape, tir_add(tape, tir_mul(tape, h, w32), row[0]), TIR_DTYPE_BF16);
      },
      &weight, &init, 1, &x, 1, 0, nullptr, &last, nullptr);
  tir_backward(t, tir_cast(t, last, TIR_DTYPE_F32));
  tir_mode_end(t);
  ASSERT_EQ(Error(), "");
  // h1 = 1.5, h2 = 2.75; dw = h2 + w·h1 + w²·h0.
  const tir_value g = tir_cast(t, tir_grad_of(t, w), TIR_DTYPE_F32);
  EXPECT_EQ(Read(g), Floats({2.75f + 0.75f + 0.25f}));
}

// Two bodies that differ in a constant alone, scalar or not, at one place of
// the code: a plan each, and the same one for equal constants.
TEST_F(Scan, PlansKnowTheConstantsOfBodies) {
  const tir_value x = F32({1, 2, 3}, {3}), zero = Scalar(0);
  const auto sum = [&](double factor, double shift) {
    double numbers[] = {factor, shift};
    tir_value out;
    tir_scan(
        t,
        [](tir_tape *tape, void *user, const tir_value *carry,
           const tir_value *row, tir_value *out_carry, tir_value *) {
          const double *use = static_cast<const double *>(user);
          const tir_value y = tir_mul_scalar(tape, row[0], use[0]);
          const int64_t dims[] = {2};
          const tir_value two = tir_full(tape, TIR_DTYPE_F32, dims, 1, use[1]);
          out_carry[0] =
              tir_add(tape, carry[0],
                      tir_add(tape, y, tir_sum(tape, two, nullptr, 0, false)));
        },
        numbers, &zero, 1, &x, 1, 0, nullptr, &out, nullptr);
    return Read(out);
  };
  const uint64_t before = Stats().n_plan_misses;
  for (int again = 0; again < 3; again++) {
    EXPECT_EQ(sum(2, 0), Floats({12}));
    EXPECT_EQ(sum(3, 0), Floats({18}));
    EXPECT_EQ(sum(2, 1), Floats({18}));
    EXPECT_EQ(sum(2, -0.0), Floats({12}));
  }
  EXPECT_EQ(Error(), "");
  EXPECT_EQ(Stats().n_plan_misses - before, 4u);
}

}  // namespace
