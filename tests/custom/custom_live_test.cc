// Custom ops on a live tape: effects happen once and in order, whatever is
// read when; pure calls only when they are wanted.
#include "tests/semantics/tape_fixture.h"
#include "tests/support/custom_ops.h"

using custom_ops::Load;
using custom_ops::Numel;
using custom_ops::Store;

namespace {

// Copies x and notes the number it was given; its gradient notes −number.
struct Notes {
  std::vector<int64_t> log;
  int64_t fail_at = -1;
};

tir_status RunNote(const tir_custom_call *call) {
  auto *notes = static_cast<Notes *>(call->user);
  if (call->attrs->ints[0] == notes->fail_at) {
    snprintf(call->message, call->message_size, "note %d is refused",
             static_cast<int>(notes->fail_at));
    return TIR_ERR_VALUE;
  }
  notes->log.push_back(call->attrs->ints[0]);
  for (int64_t i = 0; i < Numel(call->in_types[0]); i++)
    Store(call->in_types[0], call->out[0], i,
          Load(call->in_types[0], call->in[0], i));
  return TIR_OK;
}

tir_status GradientOfNote(const tir_custom_call *call) {
  static_cast<Notes *>(call->user)->log.push_back(-call->attrs->ints[0]);
  for (int64_t i = 0; i < Numel(call->in_types[0]); i++)
    Store(call->in_types[0], call->in_grad[0], i,
          Load(call->in_types[0], call->out_grad[0], i) *
              Load(call->in_types[0], call->in[0], i));
  return TIR_OK;
}

class CustomLive : public TapeTest {
 protected:
  void SetUp() override { Again({}); }
  void Again(const tir_tape_options &options) {
    Make(options);
    notes = {};
    for (const bool pure : {false, true}) {
      tir_custom_op op = {};
      op.name = pure ? "pure" : "note";
      op.version = 1;
      op.n_inputs = op.n_outputs = op.n_ints = 1;
      op.pure = pure;
      op.infer = [](const tir_custom_infer *q) {
        q->out[0] = q->in[0];
        return TIR_OK;
      };
      op.run = RunNote;
      op.vjp_run = GradientOfNote;
      op.user = &notes;
      custom_ops::Register(c, op);
    }
  }
  tir_value Note(int64_t n, tir_value x, const char *name = "note") {
    tir_custom_attrs attrs = {};
    attrs.n_ints = 1;
    attrs.ints[0] = n;
    return (tir_custom)(t, name, &attrs, &x, 1, nullptr, 0);
  }
  using Log = std::vector<int64_t>;
  Notes notes;
};

TEST_F(CustomLive, EffectsRunOnceInOrderPureOnesWhenWanted) {
  const tir_value x = Vec({1, 2});
  tir_scope_begin(t);
  Note(1, x);
  Note(10, x, "pure");  // nobody reads it
  const tir_value y = Note(11, x, "pure");
  Note(2, y);
  tir_scope_end(t);
  EXPECT_EQ(notes.log, Log{});  // nothing asked for a run yet
  const tir_value z = tir_add(t, x, x);
  EXPECT_EQ(Read(z), (Floats{2, 4}));
  EXPECT_EQ(notes.log, (Log{1, 11, 2}));
  Read(z);
  tir_error error;
  EXPECT_EQ(tir_tape_flush(t, &error), TIR_OK);
  EXPECT_EQ(notes.log, (Log{1, 11, 2}));
}

TEST_F(CustomLive, EqualEffectsAreTwoEffects) {
  const tir_value x = Vec({1});
  const tir_value a = Note(5, x), b = Note(5, x);
  const tir_value p = Note(6, x, "pure"), q = Note(6, x, "pure");
  EXPECT_EQ(Read(tir_add(t, tir_add(t, a, b), tir_add(t, p, q))), Floats{4});
  EXPECT_EQ(notes.log, (Log{5, 5, 6}));
}

TEST_F(CustomLive, ABackwardAfterTheRunDoesNotRunTheForwardAgain) {
  const tir_value x = Vec({3, 4});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y = tir_square(t, Note(7, x));
  tir_mode_end(t);
  EXPECT_EQ(Read(y), (Floats{9, 16}));
  EXPECT_EQ(notes.log, Log{7});
  tir_backward(t, y);
  EXPECT_EQ(Grad(x), (Floats{18, 32}));
  EXPECT_EQ(notes.log, (Log{7, -7}));
}

TEST_F(CustomLive, ForwardAndBackwardInOneRun) {
  const tir_value x = Vec({3});
  tir_attach_grad(t, x, TIR_GRAD_ADD);
  for (int i = 0; i < 3; i++) {
    tir_step_begin(t);
    tir_record_begin(t, true);
    const tir_value y = Note(i + 1, x);
    tir_mode_end(t);
    tir_backward(t, y);
    tir_error error;
    EXPECT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
  }
  EXPECT_EQ(Grad(x), Floats{9});
  EXPECT_EQ(notes.log, (Log{1, -1, 2, -2, 3, -3}));
}

// The number is structure: three steps of one number compile once.
TEST_F(CustomLive, PlansAreReusedWhenAttributesAreEqual) {
  const tir_value x = Vec({3});
  const auto step = [&](int64_t n) {
    tir_step_begin(t);
    Note(n, x);
    tir_error error;
    EXPECT_EQ(tir_step_end(t, nullptr, 0, &error), TIR_OK) << error.message;
    return Stats().n_plan_misses;
  };
  const uint64_t first = step(4);
  EXPECT_EQ(step(4), first);
  EXPECT_EQ(step(4), first);
  EXPECT_EQ(step(5), first + 1);
  EXPECT_EQ(notes.log, (Log{4, 4, 4, 5}));
}

TEST_F(CustomLive, AnEagerTapeRunsEachAtItsCall) {
  tir_tape_options options = {};
  options.flags = TIR_TAPE_EAGER;
  Again(options);
  const tir_value x = Vec({1});
  Note(1, x);
  EXPECT_EQ(notes.log, Log{1});
  Note(2, x, "pure");
  EXPECT_EQ(notes.log, (Log{1, 2}));
}

TEST_F(CustomLive, AFailureReachesTheReadAndDropsItsEffects) {
  notes.fail_at = 2;
  const tir_value w = Vec({1});
  const tir_value x = Vec({5});
  Note(1, x);
  tir_assign(t, w, x);
  tir_site(Note(2, x), "loop.c:9");
  Note(3, x);
  tir_tensor *tensor = nullptr;
  tir_error error;
  EXPECT_EQ(tir_read(t, tir_add(t, x, x), &tensor, &error), TIR_ERR_VALUE);
  EXPECT_EQ(std::string(error.message).find("custom: note: note 2 is refused"),
            0u)
      << error.message;
  EXPECT_NE(std::string(error.message).find("(loop.c:9)"), std::string::npos)
      << error.message;
  EXPECT_EQ(notes.log, Log{1});
  tir_tape_check(t, &error);
  Note(4, x);
  EXPECT_EQ(tir_tape_flush(t, &error), TIR_OK) << error.message;
  EXPECT_EQ(notes.log, (Log{1, 4}));
}

// What the gradient reads is kept when its handles are gone.
TEST_F(CustomLive, OperandsAndResultsOutliveTheirHandles) {
  const tir_value x = Vec({2, 3});
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  tir_scope_begin(t);
  tir_value y = Note(1, tir_mul_scalar(t, x, 10));
  for (int i = 2; i < 5; i++) y = Note(i, y);
  y = tir_scope_end_keep(t, y);
  EXPECT_EQ(Read(y), (Floats{20, 30}));
  tir_mode_end(t);
  tir_backward(t, y);
  // g ← g·in four times over, then times 10.
  EXPECT_EQ(Grad(x), (Floats{1600000, 8100000}));
}

}  // namespace
