// cond and while on a live tape, and control nodes inside each other.
#include "checked.h"

namespace {

class Branches : public TapeTest {};

void Double(tir_tape *t, void *user, const tir_value *in, tir_value *out) {
  out[0] = tir_mul(t, tir_mul_scalar(t, in[0], 2.0),
                   *static_cast<tir_value *>(user));
}

void Square(tir_tape *t, void *, const tir_value *in, tir_value *out) {
  out[0] = tir_square(t, in[0]);
}

TEST_F(Branches, RunsOneOfTheTwo) {
  const tir_value x = Vec({1, 2, 3});
  tir_value w = Vec({10, 20, 30});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  for (const float limit : {0.0f, 5.0f}) {
    tir_record_begin(t, true);
    const tir_value pred = tir_greater(t, Scalar(limit), Scalar(1));
    tir_value y;
    tir_cond(t, pred, Double, Square, &w, &x, 1, &y, 1);
    tir_backward(t, tir_sum(t, y, nullptr, 0, false));
    tir_mode_end(t);
    ASSERT_EQ(Error(), "");
    const bool holds = limit > 1;
    EXPECT_EQ(Read(y), holds ? Floats({20, 80, 180}) : Floats({1, 4, 9}));
    EXPECT_EQ(Grad(x), holds ? Floats({20, 40, 60}) : Floats({2, 4, 6}));
    EXPECT_EQ(Grad(w), holds ? Floats({2, 4, 6}) : Floats({0, 0, 0}));
  }
  // The condition's value is no part of the plan.
  EXPECT_LE(Stats().n_plan_misses, 5u);
}

tir_value BelowLimit(tir_tape *t, void *user, const tir_value *carry) {
  return tir_less(t, carry[0], *static_cast<tir_value *>(user));
}

void Grow(tir_tape *t, void *, const tir_value *carry, tir_value *out) {
  out[0] = tir_mul_scalar(t, carry[0], 2.0);
}

TEST_F(Branches, WhileCountsItsTrips) {
  const tir_value one = Scalar(1);
  const struct {
    float limit;
    int64_t max_trips, trips;
  } cases[] = {{0.5f, 0, 0}, {1.5f, 0, 1},   {1000, 0, 10},
               {1000, 4, 4}, {1000, 20, 10}, {0.5f, 3, 0}};
  for (const auto &k : cases) {
    tir_value limit = Scalar(k.limit), last;
    const tir_value trips =
        tir_while(t, BelowLimit, Grow, &limit, &one, 1, k.max_trips, &last);
    ASSERT_EQ(Error(), "");
    EXPECT_EQ(Read(last), Floats({static_cast<float>(1 << k.trips)}));
    int64_t n = -1;
    ASSERT_EQ(tir_read_into(t, trips, &n, sizeof n, nullptr), TIR_OK);
    EXPECT_EQ(n, k.trips);
  }
}

TEST_F(Branches, WhileHasGradientsThroughTheTripsItMade) {
  tir_value limit = Scalar(20);
  const tir_value x = Scalar(1.5f);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value last;
  tir_while(t, BelowLimit, Grow, &limit, &x, 1, 9, &last);
  tir_backward(t, last);
  tir_mode_end(t);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Read(last), Floats({24}));
  EXPECT_EQ(Grad(x), Floats({16}));
}

TEST_F(Branches, WhileWithoutABoundHasNoGradient) {
  tir_value limit = Scalar(20);
  const tir_value x = Scalar(1.5f);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_value last;
  tir_while(t, BelowLimit, Grow, &limit, &x, 1, 0, &last);
  tir_backward(t, last);
  tir_mode_end(t);
  tir_error error = {};
  EXPECT_EQ(tir_tape_flush(t, &error), TIR_ERR_UNSUPPORTED);
  EXPECT_NE(std::string(error.message)
                .find("while: its gradient needs a bound on the trips: "
                      "max_trips"),
            std::string::npos)
      << error.message;
  Error();
}

// --- against differences ---------------------------------------------------

tir_value CondOf(void *user, tir_tape *t, const tir_value *in, size_t) {
  const bool holds = *static_cast<bool *>(user);
  const double number = holds ? 1 : 0;
  const tir_value pred = Above(t, tir_scalar(t, TIR_DTYPE_F64, number), 0.5);
  struct Outside {
    tir_value w;
  } outside = {in[1]};
  tir_value out[2];
  tir_cond(
      t, pred,
      [](tir_tape *tape, void *u, const tir_value *x, tir_value *y) {
        y[0] = tir_mul(tape, tir_exp(tape, x[0]), static_cast<Outside *>(u)->w);
        y[1] = tir_square(tape, x[0]);
      },
      [](tir_tape *tape, void *, const tir_value *x, tir_value *y) {
        y[0] = tir_sin(tape, x[0]);
        y[1] = tir_mul(tape, x[0], y[0]);
      },
      &outside, in, 1, out, 2);
  return tir_sum(t, tir_mul(t, out[0], out[1]), nullptr, 0, false);
}

TEST_F(Checked, Cond) {
  for (bool holds : {true, false}) Check(CondOf, {3, 3}, &holds);
}

// x grows by w until its sum is above a limit, at most 6 times.
tir_value WhileOf(void *, tir_tape *t, const tir_value *in, size_t) {
  tir_value w = in[1], last;
  tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *carry) {
        return Below(
            tape, tir_sum(tape, tir_square(tape, carry[0]), nullptr, 0, false),
            20.0);
      },
      [](tir_tape *tape, void *u, const tir_value *carry, tir_value *out) {
        out[0] = tir_add(tape, tir_mul_scalar(tape, carry[0], 1.5),
                         tir_sin(tape, tir_mul(tape, carry[0],
                                               *static_cast<tir_value *>(u))));
      },
      &w, in, 1, 6, &last);
  return tir_sum(t, tir_square(t, last), nullptr, 0, false);
}

TEST_F(Checked, While) { Check(WhileOf, {3, 3}, nullptr); }

// A scan inside a cond inside a scan; w is taken in from three levels up.
tir_value NestedOf(void *, tir_tape *t, const tir_value *in, size_t) {
  struct Outside {
    tir_value w, row;
  } outside = {in[2], {}};
  tir_value last;
  tir_scan(
      t,
      [](tir_tape *t1, void *u1, const tir_value *carry, const tir_value *row,
         tir_value *out_carry, tir_value *) {
        static_cast<Outside *>(u1)->row = row[0];
        tir_cond(
            t1, Above(t1, row[0], 0.0),
            [](tir_tape *t2, void *u2, const tir_value *x, tir_value *y) {
              tir_scan_options options = {};
              options.length = 2;
              tir_scan(
                  t2,
                  [](tir_tape *t3, void *u3, const tir_value *c3,
                     const tir_value *, tir_value *out3, tir_value *) {
                    const Outside *o = static_cast<Outside *>(u3);
                    out3[0] = tir_sin(
                        t3, tir_add(t3, tir_mul(t3, c3[0], o->w), o->row));
                  },
                  u2, x, 1, nullptr, 0, 0, &options, y, nullptr);
            },
            [](tir_tape *t2, void *, const tir_value *x, tir_value *y) {
              y[0] = tir_mul_scalar(t2, x[0], 0.5);
            },
            u1, carry, 1, out_carry, 1);
      },
      &outside, &in[0], 1, &in[1], 1, 0, nullptr, &last, nullptr);
  return tir_sum(t, tir_square(t, last), nullptr, 0, false);
}

TEST_F(Checked, ScanInCondInScan) { Check(NestedOf, {2, 4, 2}, nullptr); }

TEST_F(Branches, EagerTapesAgree) {
  Floats last[2], grads[2];
  for (int eager = 0; eager < 2; eager++) {
    tir_tape_options options = {};
    options.flags = eager ? TIR_TAPE_EAGER : 0;
    Make(options);
    const tir_value x = F32(Noise(60, 1), {5, 4, 3});
    const tir_value h0 = F32(Noise(8, 2), {4, 2});
    Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
    tir_attach_grad(t, cell.w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    tir_value h, ys;
    tir_scan(t, CellBody, &cell, &h0, 1, &x, 1, 1, nullptr, &h, &ys);
    tir_backward(t, tir_sum(t, ys, nullptr, 0, false));
    tir_mode_end(t);
    ASSERT_EQ(Error(), "");
    last[eager] = Read(h);
    grads[eager] = Grad(cell.w);
  }
  EXPECT_EQ(last[0], last[1]);
  EXPECT_EQ(grads[0], grads[1]);
}

// Leaves made in a body belong outside.
TEST_F(Branches, LeavesInABodyArePassedIn) {
  const tir_value x = Vec({1, 2});
  tir_value y;
  Floats data = {3, 4};
  tir_scan_options options = {};
  options.length = 2;
  tir_scan(
      t,
      [](tir_tape *tape, void *user, const tir_value *carry, const tir_value *,
         tir_value *out, tir_value *) {
        const int64_t two[] = {2};
        const tir_value leaf = tir_value_from_data(
            tape, TIR_DTYPE_F32, two, 1, static_cast<Floats *>(user)->data());
        out[0] = tir_mul(tape, carry[0], leaf);
      },
      &data, &x, 1, nullptr, 0, 0, &options, &y, nullptr);
  ASSERT_EQ(Error(), "");
  EXPECT_EQ(Read(y), Floats({9, 32}));
}

TEST_F(Branches, MemoryDoesNotGrowWithTheSteps) {
  const tir_value x = F32(Noise(60, 1), {5, 4, 3});
  const tir_value h0 = F32(Noise(8, 2), {4, 2});
  Cell cell = {F32(Noise(6, 3), {3, 2}), F32(Noise(4, 4), {2, 2})};
  tir_attach_grad(t, cell.w, TIR_GRAD_WRITE);
  uint64_t early = 0;
  // Collections wait until there is enough to collect.
  for (int step = 0; step < 5000; step++) {
    tir_step_begin(t);
    tir_record_begin(t, true);
    tir_value h, ys;
    tir_scan(t, CellBody, &cell, &h0, 1, &x, 1, 1, nullptr, &h, &ys);
    tir_backward(t, tir_sum(t, ys, nullptr, 0, false));
    tir_mode_end(t);
    ASSERT_EQ(tir_step_end(t, nullptr, 0, nullptr), TIR_OK);
    if (step == 2500) early = Stats().tape_bytes;
  }
  EXPECT_LE(Stats().tape_bytes, early * 5 / 4);
}

}  // namespace
