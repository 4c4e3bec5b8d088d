// Random numbers drawn in bodies: other ones each trip, the same ones in the
// gradients, on live tapes.
#include <set>

#include "checked.h"

namespace {

// Draws f32[n] numbers where it stands.
tir_value Draw(tir_tape *t, int64_t n = 2) {
  return tir_uniform(t, TIR_DTYPE_F32, &n, 1, 0, 1);
}

class RandomBodies : public TapeTest {
 protected:
  // Rows drawn by a scan of n trips: f32[n, 2].
  tir_value DrawRows(int64_t n, bool reverse = false) {
    tir_scan_options options = {};
    options.length = n;
    options.reverse = reverse;
    const tir_value zero = Scalar(0);
    tir_value last, rows;
    tir_scan(
        t,
        [](tir_tape *tape, void *, const tir_value *carry, const tir_value *,
           tir_value *out_carry, tir_value *out_y) {
          out_carry[0] = carry[0];
          out_y[0] = Draw(tape);
        },
        nullptr, &zero, 1, nullptr, 0, 1, &options, &last, &rows);
    return rows;
  }

  static bool AllDiffer(const Floats &values) {
    return std::set<float>(values.begin(), values.end()).size() ==
           values.size();
  }
};

TEST_F(RandomBodies, EveryTripDrawsOtherNumbers) {
  const Floats rows = Read(DrawRows(500));
  ASSERT_EQ(Error(), "");
  ASSERT_EQ(rows.size(), 1000u);
  EXPECT_TRUE(AllDiffer(rows));
  double sum = 0;
  for (const float x : rows) sum += x;
  EXPECT_NEAR(sum / 1000, 0.5, 0.03);
}

// Trips are counted, not rows.
TEST_F(RandomBodies, AReversedScanDrawsInTheOrderOfItsTrips) {
  tir_step_begin(t);
  const tir_value forward = DrawRows(4);
  tir_step_begin(t);
  const tir_value back = DrawRows(4, true);
  const Floats a = Read(forward), b = Read(back);
  for (size_t k = 0; k < 4; k++)
    for (size_t i = 0; i < 2; i++) EXPECT_EQ(a[2 * k + i], b[2 * (3 - k) + i]);
  tir_step_end(t, nullptr, 0, nullptr);
  tir_step_end(t, nullptr, 0, nullptr);
}

TEST_F(RandomBodies, NodesWithEqualBodiesDrawOtherNumbers) {
  Floats all = Read(DrawRows(3));
  for (const tir_value v : {DrawRows(3), Draw(t), DrawRows(3), Draw(t)}) {
    const Floats more = Read(v);
    all.insert(all.end(), more.begin(), more.end());
  }
  ASSERT_EQ(Error(), "");
  EXPECT_TRUE(AllDiffer(all));
}

TEST_F(RandomBodies, DrawsOfOneTripDiffer) {
  const tir_value x = F32(Floats(6, 0.0f), {3, 2});
  tir_value ys[3];
  tir_scan(
      t,
      [](tir_tape *tape, void *, const tir_value *, const tir_value *,
         tir_value *, tir_value *y) {
        y[0] = Draw(tape);
        tir_scope_begin(tape);
        y[1] = tir_scope_end_keep(tape, Draw(tape));
        const int64_t two[] = {2};
        y[2] = tir_normal(tape, TIR_DTYPE_F32, two, 1, 0, 1);
      },
      nullptr, nullptr, 0, &x, 1, 3, nullptr, nullptr, ys);
  Floats all = Read(ys[0]);
  for (int i = 1; i < 3; i++) {
    const Floats more = Read(ys[i]);
    all.insert(all.end(), more.begin(), more.end());
  }
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(all.size(), 18u);
  EXPECT_TRUE(AllDiffer(all));
}

TEST_F(RandomBodies, EachStepDrawsAnewWithoutAnotherPlan) {
  std::set<float> seen;
  uint64_t misses = 0;
  for (int step = 0; step < 6; step++) {
    tir_step_begin(t);
    tir_value rows = DrawRows(3);
    ASSERT_EQ(tir_step_end(t, &rows, 1, nullptr), TIR_OK);
    for (const float x : Read(rows)) seen.insert(x);
    tir_value_release(t, rows);
    if (step == 1) misses = Stats().n_plan_misses;
  }
  EXPECT_EQ(seen.size(), 36u);
  EXPECT_EQ(Stats().n_plan_misses, misses);
}

// Without steps too: the ordinal is an operand, not a part of the body.
TEST_F(RandomBodies, ALaterOrdinalIsNotAnotherPlan) {
  Read(DrawRows(3));
  const uint64_t misses = Stats().n_plan_misses;
  for (int i = 0; i < 4; i++) Read(DrawRows(3));
  EXPECT_EQ(Stats().n_plan_misses, misses);
}

// --- branches and trips ----------------------------------------------------

// A cond in a scan in a scan, and draws beside each.
TEST_F(RandomBodies, NestedBodiesDrawOtherNumbers) {
  const tir_value x = F32({0, 1, 0, 1, 1, 0, 1, 1}, {4, 2});
  tir_value ys[3];
  tir_scan(
      t,
      [](tir_tape *outer, void *, const tir_value *, const tir_value *row,
         tir_value *, tir_value *out_y) {
        tir_scan(
            outer,
            [](tir_tape *inner, void *, const tir_value *, const tir_value *z,
               tir_value *, tir_value *y) {
              const tir_branch draw = [](tir_tape *tape, void *,
                                         const tir_value *, tir_value *out) {
                out[0] = Draw(tape);
              };
              tir_cond(inner, Above(inner, z[0], 0.5), draw, draw, nullptr,
                       nullptr, 0, &y[0], 1);
              y[1] = Draw(inner);
            },
            nullptr, nullptr, 0, row, 1, 2, nullptr, nullptr, out_y);
        out_y[2] = Draw(outer);
      },
      nullptr, nullptr, 0, &x, 1, 3, nullptr, nullptr, ys);
  Floats all;
  for (const tir_value v : ys) {
    const Floats more = Read(v);
    all.insert(all.end(), more.begin(), more.end());
  }
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(all.size(), 40u);
  EXPECT_TRUE(AllDiffer(all));
}

// Only the second branch draws: the first one has the operand all the same.
TEST_F(RandomBodies, OneBranchMayDraw) {
  for (const float side : {0.0f, 1.0f}) {
    const tir_value x = Vec({5, 6});
    tir_value out;
    tir_cond(
        t, Above(t, Scalar(side), 0.5),
        [](tir_tape *, void *, const tir_value *in, tir_value *y) {
          y[0] = in[0];
        },
        [](tir_tape *tape, void *, const tir_value *in, tir_value *y) {
          y[0] = tir_add(tape, in[0], Draw(tape));
        },
        nullptr, &x, 1, &out, 1);
    const Floats y = Read(out);
    ASSERT_EQ(Error(), "");
    EXPECT_EQ(y == Floats({5, 6}), side == 1.0f);
  }
}

// Adds numbers until another one, that the condition draws, is small.
TEST_F(RandomBodies, AConditionAndItsTripDrawOtherNumbers) {
  const tir_value carry[] = {Scalar(0), Scalar(1)};
  tir_value last[2];
  const tir_value trips = tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *) {
        return Above(tape, tir_uniform(tape, TIR_DTYPE_F32, nullptr, 0, 0, 1),
                     0.02);
      },
      [](tir_tape *tape, void *, const tir_value *in, tir_value *out) {
        const tir_value u = tir_uniform(tape, TIR_DTYPE_F32, nullptr, 0, 0, 1);
        out[0] = tir_add(tape, in[0], u);
        out[1] = tir_minimum(tape, in[1], u);
      },
      nullptr, carry, 2, 0, last);
  int64_t n = 0;
  ASSERT_EQ(tir_read_into(t, trips, &n, sizeof n, nullptr), TIR_OK);
  ASSERT_EQ(Error(), "");
  // The numbers are those of the seed: no chance in here.
  EXPECT_GT(n, 5);
  EXPECT_LT(n, 500);
  // Were they the condition's, none would be below 0.02 but the next one.
  EXPECT_GT(Read(last[0])[0], 0.3f * static_cast<float>(n));
  EXPECT_LT(Read(last[1])[0], 0.02f);
}

// --- dropout ---------------------------------------------------------------

// h' = tanh(x·W + m(h)·U) where m drops half of h; y0 is the mask, y1 is h'.
void DroppingBody(tir_tape *t, void *user, const tir_value *carry,
                  const tir_value *x, tir_value *out_carry, tir_value *out_y) {
  const tir_value ones = tir_add_scalar(t, tir_zeros_like(t, carry[0]), 1);
  out_y[0] = tir_dropout(t, ones, 0.5);
  out_carry[0] =
      Step(t, *static_cast<Cell *>(user), tir_mul(t, carry[0], out_y[0]), x[0]);
  out_y[1] = out_carry[0];
}

class Dropout : public RandomBodies {
 protected:
  static constexpr int64_t kTrips = 5, kBatch = 4, kIn = 3, kHidden = 2;

  void SetUp() override {
    RandomBodies::SetUp();
    SetUpValues();
  }
  void SetUpValues() {
    x = F32(Noise(kTrips * kBatch * kIn, 1), {kTrips, kBatch, kIn});
    h0 = F32(Noise(kBatch * kHidden, 2), {kBatch, kHidden});
    cell = {F32(Noise(kIn * kHidden, 3), {kIn, kHidden}),
            F32(Noise(kHidden * kHidden, 4), {kHidden, kHidden})};
    for (const tir_value v : {x, h0, cell.w, cell.u})
      tir_attach_grad(t, v, TIR_GRAD_WRITE);
  }

  std::vector<Floats> Gradients() {
    std::vector<Floats> all;
    for (const tir_value v : {x, h0, cell.w, cell.u}) all.push_back(Grad(v));
    return all;
  }

  tir_value x, h0;
  Cell cell;
};

// Given the masks, a scan is its formula written out; gradients too, which
// shows that the backward trips draw the masks of the forward ones.
TEST_F(Dropout, EqualsTheFormulaWithTheMasksOfItsTrips) {
  tir_record_begin(t, true);
  tir_value h, ys[2];
  tir_scan(t, DroppingBody, &cell, &h0, 1, &x, 1, 2, nullptr, &h, ys);
  tir_backward(t, tir_add(t, tir_sum(t, ys[1], nullptr, 0, false),
                          tir_sum(t, h, nullptr, 0, false)));
  tir_mode_end(t);
  ASSERT_EQ(Error(), "");
  const Floats masks = Read(ys[0]), rows = Read(ys[1]);
  const std::vector<Floats> scanned = Gradients();
  // Of 40 elements some are kept and some are not, by another pattern a trip.
  std::set<Floats> patterns;
  for (size_t k = 0; k < kTrips; k++)
    patterns.insert(Floats(masks.begin() + static_cast<int>(8 * k),
                           masks.begin() + static_cast<int>(8 * k + 8)));
  EXPECT_EQ(patterns.size(), static_cast<size_t>(kTrips));
  for (const float m : masks) EXPECT_TRUE(m == 0 || m == 2) << m;

  tir_record_begin(t, true);
  const tir_value mask = F32(masks, {kTrips, kBatch, kHidden});
  tir_value state = h0, total = Scalar(0);
  std::vector<tir_value> states;
  for (int64_t k = 0; k < kTrips; k++) {
    const int64_t from[] = {k}, to[] = {k + 1};
    const int64_t row[] = {kBatch, kIn}, small[] = {kBatch, kHidden};
    const tir_value m =
        tir_reshape(t, tir_slice(t, mask, from, to, nullptr, 1), small, 2);
    state = Step(t, cell, tir_mul(t, state, m),
                 tir_reshape(t, tir_slice(t, x, from, to, nullptr, 1), row, 2));
    states.push_back(state);
    total = tir_add(t, total, tir_sum(t, state, nullptr, 0, false));
  }
  tir_backward(t, tir_add(t, total, tir_sum(t, state, nullptr, 0, false)));
  tir_mode_end(t);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Read(tir_stack(t, states.data(), states.size(), 0)), rows);
  const std::vector<Floats> written = Gradients();
  for (size_t v = 0; v < 4; v++)
    for (size_t i = 0; i < written[v].size(); i++)
      EXPECT_NEAR(scanned[v][i], written[v][i],
                  1e-5f * (1 + std::fabs(written[v][i])))
          << "variable " << v << " element " << i;
}

// Exact: the gradient of what was kept is 1 / (1 - p), of the rest 0.
TEST_F(Dropout, GradientsUseTheMasksOfTheForward) {
  const int64_t n = 6;
  const tir_value ones = F32(Floats(3 * 6, 1.0f), {3, n});
  tir_attach_grad(t, ones, TIR_GRAD_WRITE);
  for (const bool reverse : {false, true}) {
    tir_scan_options options = {};
    options.reverse = reverse;
    tir_record_begin(t, true);
    tir_value dropped;
    tir_scan(
        t,
        [](tir_tape *tape, void *, const tir_value *, const tir_value *row,
           tir_value *,
           tir_value *y) { y[0] = tir_dropout(tape, row[0], 0.5); },
        nullptr, nullptr, 0, &ones, 1, 1, &options, nullptr, &dropped);
    tir_backward(t, tir_sum(t, dropped, nullptr, 0, false));
    tir_mode_end(t);
    ASSERT_EQ(Error(), "");
    const Floats mask = Read(dropped);
    EXPECT_EQ(Grad(ones), mask);
    EXPECT_EQ(std::set<float>(mask.begin(), mask.end()),
              std::set<float>({0, 2}));
  }
}

// The forward ran in one step, the backward runs in another.
TEST_F(Dropout, ALaterStepGoesBackThroughTheMasksOfItsForward) {
  const tir_value ones = F32(Floats(18, 1.0f), {3, 6});
  tir_attach_grad(t, ones, TIR_GRAD_WRITE);
  tir_step_begin(t);
  tir_record_begin(t, true);
  tir_value dropped;
  tir_scan(
      t,
      [](tir_tape *tape, void *, const tir_value *, const tir_value *row,
         tir_value *, tir_value *y) { y[0] = tir_dropout(tape, row[0], 0.5); },
      nullptr, nullptr, 0, &ones, 1, 1, nullptr, nullptr, &dropped);
  tir_mode_end(t);
  ASSERT_EQ(tir_step_end(t, &dropped, 1, nullptr), TIR_OK);
  const Floats mask = Read(dropped);
  tir_step_begin(t);
  Read(DrawRows(9));
  tir_backward(t, dropped);
  ASSERT_EQ(tir_step_end(t, nullptr, 0, nullptr), TIR_OK);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Grad(ones), mask);
  EXPECT_EQ(std::set<float>(mask.begin(), mask.end()), std::set<float>({0, 2}));
}

TEST_F(Dropout, IsTheIdentityInPredictMode) {
  Floats plain, dropped;
  for (const bool drops : {false, true}) {
    tir_value h, ys[2];
    tir_scan(t, drops ? DroppingBody : CellBody, &cell, &h0, 1, &x, 1,
             drops ? 2 : 1, nullptr, &h, ys);
    (drops ? dropped : plain) = Read(h);
  }
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(dropped, plain);
}

// Read nowhere, eager, few pending: as outside of bodies.
TEST_F(Dropout, HowATapeRunsChangesNoBit) {
  std::vector<std::vector<Floats>> all;
  for (int way = 0; way < 3; way++) {
    tir_tape_options options = {};
    options.flags = way == 1 ? TIR_TAPE_EAGER : 0;
    options.max_pending = way == 2 ? 3 : 0;
    options.seed = 11;
    Make(options);
    SetUpValues();
    std::vector<Floats> results;
    for (int step = 0; step < 3; step++) {
      tir_step_begin(t);
      tir_record_begin(t, true);
      tir_value h, ys[2];
      tir_scan(t, DroppingBody, &cell, &h0, 1, &x, 1, 2, nullptr, &h, ys);
      tir_value loss = tir_sum(t, tir_dropout(t, h, 0.2), nullptr, 0, false);
      tir_mode_end(t);
      tir_backward(t, loss);
      ASSERT_EQ(tir_step_end(t, &loss, 1, nullptr), TIR_OK);
      results.push_back(Read(loss));
      for (const Floats &g : Gradients()) results.push_back(g);
    }
    ASSERT_EQ(Error(), "");
    all.push_back(results);
  }
  EXPECT_EQ(all[1], all[0]);
  EXPECT_EQ(all[2], all[0]);
  EXPECT_NE(all[0][0], all[0][5]);
}

// --- against differences ---------------------------------------------------

// sin(w · drop(h) + noise), a trip.
tir_value NoisyTrip(tir_tape *t, tir_value h, tir_value w) {
  const int64_t n = tir_value_dim(t, h, 0);
  const tir_value noise = tir_normal(t, TIR_DTYPE_F64, &n, 1, 0, 0.3);
  tir_train_begin(t);
  const tir_value dropped = tir_dropout(t, h, 0.4);
  tir_mode_end(t);
  return tir_sin(t, tir_add(t, tir_mul(t, dropped, w), noise));
}

tir_value OutsideOf(void *, tir_tape *t, const tir_value *in, size_t) {
  return tir_sum(t, tir_square(t, NoisyTrip(t, in[0], in[1])), nullptr, 0,
                 false);
}

TEST_F(Checked, OutsideOfBodies) { Check(OutsideOf, {4, 4}, nullptr); }

tir_value ScanOf(void *user, tir_tape *t, const tir_value *in, size_t) {
  tir_scan_options options = {};
  options.reverse = *static_cast<bool *>(user);
  options.length = 4;
  tir_value w = in[1], last, ys;
  tir_scan(
      t,
      [](tir_tape *tape, void *u, const tir_value *carry, const tir_value *,
         tir_value *next, tir_value *y) {
        next[0] = NoisyTrip(tape, carry[0], *static_cast<tir_value *>(u));
        y[0] = tir_square(tape, next[0]);
      },
      &w, in, 1, nullptr, 0, 1, &options, &last, &ys);
  return tir_add(t, tir_sum(t, ys, nullptr, 0, false),
                 tir_sum(t, last, nullptr, 0, false));
}

TEST_F(Checked, Scan) {
  for (bool reverse : {false, true}) Check(ScanOf, {4, 4}, &reverse);
}

tir_value CondOf(void *user, tir_tape *t, const tir_value *in, size_t) {
  const double number = *static_cast<bool *>(user) ? 1 : 0;
  tir_value w = in[1], out;
  tir_cond(
      t, Above(t, tir_scalar(t, TIR_DTYPE_F64, number), 0.5),
      [](tir_tape *tape, void *u, const tir_value *x, tir_value *y) {
        y[0] = NoisyTrip(tape, x[0], *static_cast<tir_value *>(u));
      },
      [](tir_tape *tape, void *u, const tir_value *x, tir_value *y) {
        const tir_value once =
            NoisyTrip(tape, x[0], *static_cast<tir_value *>(u));
        y[0] = NoisyTrip(tape, once, x[0]);
      },
      &w, in, 1, &out, 1);
  return tir_sum(t, tir_square(t, out), nullptr, 0, false);
}

TEST_F(Checked, Cond) {
  for (bool holds : {true, false}) Check(CondOf, {4, 4}, &holds);
}

// At most 5 trips, 3 of which are made: the carries count them.
tir_value WhileOf(void *, tir_tape *t, const tir_value *in, size_t) {
  const tir_value carry[] = {in[0], tir_scalar(t, TIR_DTYPE_F64, 0)};
  tir_value w = in[1], last[2];
  tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *now) {
        const tir_value u = tir_uniform(tape, TIR_DTYPE_F64, nullptr, 0, 0, 1);
        return Below(tape, tir_add(tape, now[1], u), 3.0);
      },
      [](tir_tape *tape, void *u, const tir_value *now, tir_value *next) {
        next[0] = NoisyTrip(tape, now[0], *static_cast<tir_value *>(u));
        next[1] = tir_add_scalar(tape, now[1], 1);
      },
      &w, carry, 2, 5, last);
  return tir_sum(t, tir_square(t, last[0]), nullptr, 0, false);
}

TEST_F(Checked, While) { Check(WhileOf, {4, 4}, nullptr); }

// A scan in a cond in a scan, that draws on every level.
tir_value NestedOf(void *, tir_tape *t, const tir_value *in, size_t) {
  tir_value w = in[2], last;
  tir_scan(
      t,
      [](tir_tape *t1, void *u1, const tir_value *carry, const tir_value *row,
         tir_value *out_carry, tir_value *) {
        tir_value at_first =
            NoisyTrip(t1, carry[0], *static_cast<tir_value *>(u1));
        tir_cond(
            t1, Above(t1, row[0], 0.0),
            [](tir_tape *t2, void *u2, const tir_value *x, tir_value *y) {
              tir_scan_options options = {};
              options.length = 2;
              tir_scan(
                  t2,
                  [](tir_tape *t3, void *u3, const tir_value *c3,
                     const tir_value *, tir_value *out3, tir_value *) {
                    out3[0] =
                        NoisyTrip(t3, c3[0], *static_cast<tir_value *>(u3));
                  },
                  u2, x, 1, nullptr, 0, 0, &options, y, nullptr);
            },
            [](tir_tape *t2, void *, const tir_value *x, tir_value *y) {
              y[0] = NoisyTrip(t2, x[0], x[0]);
            },
            u1, &at_first, 1, out_carry, 1);
      },
      &w, &in[0], 1, &in[1], 1, 0, nullptr, &last, nullptr);
  return tir_sum(t, tir_square(t, last), nullptr, 0, false);
}

TEST_F(Checked, ScanInCondInScan) { Check(NestedOf, {2, 4, 2}, nullptr); }

}  // namespace
