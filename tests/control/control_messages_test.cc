// What control nodes say when a call or a run goes wrong, word by word.
#include "loops.h"
#include "tests/support/internal.h"

namespace {

// Calls in this file are stamped with their line; the text before it counts.
class Messages : public TapeTest {
 protected:
  std::string Said() {
    std::string message = Error();
    const size_t at = message.rfind(" (");
    return at == std::string::npos || message.back() != ')'
               ? message
               : message.substr(0, at);
  }
  // A scan over x f32[3, 2] with carry h f32[2] whose body is `body`.
  std::string Scan(tir_scan_body body, size_t n_ys = 0) {
    const tir_value x = F32(Noise(6, 1), {3, 2});
    const tir_value h = tir_set_name(t, Vec({1, 2}), "h");
    tir_value out, ys[2];
    tir_scan(t, body, this, &h, 1, &x, 1, n_ys, nullptr, &out, ys);
    EXPECT_FALSE(tir_value_is_valid(t, out));
    return Said();
  }
};

#define BODY                                                                   \
  [](tir_tape *tape, void *user, const tir_value *carry, const tir_value *row, \
     tir_value *next, tir_value *y) {        \
    (void)tape, (void)user, (void)carry, (void)row, (void)next, (void)y;
#define END }

TEST_F(Messages, OfCarries) {
  EXPECT_EQ(
      Scan(BODY next[0] = tir_sum(tape, carry[0], nullptr, 0, false); END),
      "scan: carry 0 changes its type: x[0] \"h\" f32[2] goes in, f32[] "
      "comes out");
  EXPECT_EQ(Scan(BODY next[0] = tir_cast(tape, carry[0], TIR_DTYPE_F64); END),
            "scan: carry 0 changes its type: x[0] \"h\" f32[2] goes in, f64[2] "
            "comes out");
  EXPECT_EQ(Scan(BODY END),
            "scan: carry 0 of the body is not a value: an all-zero handle");
  EXPECT_EQ(Scan(BODY next[0] = carry[0]; END, 2),
            "scan: y 0 of the body is not a value: an all-zero handle");
}

TEST_F(Messages, OfWhatHasNoPlaceInABody) {
  EXPECT_EQ(Scan(BODY next[0] = tir_assign(tape, carry[0], row[0]); END),
            "assign: it has no place in the body of a scan");
  EXPECT_EQ(Scan(BODY tir_step_begin(tape); next[0] = carry[0]; END),
            "step_begin: it has no place in the body of a scan");
  EXPECT_EQ(Scan(BODY tir_attach_grad(tape, carry[0], TIR_GRAD_WRITE);
                 next[0] = carry[0]; END),
            "attach_grad: it has no place in the body of a scan");
  EXPECT_EQ(Scan(BODY tir_backward(tape, carry[0]); next[0] = carry[0]; END),
            "backward: it has no place in the body of a scan");
  EXPECT_EQ(Scan(BODY const int64_t dims[] = {2};
                 next[0] = tir_input(tape, "z", TIR_DTYPE_F32, dims, 1); END),
            "input: it has no place in the body of a scan");
  EXPECT_EQ(Scan(BODY tir_scope_begin(tape); next[0] = carry[0]; END),
            "scan: 1 scopes begun in a body are still open");
  EXPECT_EQ(Scan(BODY tir_record_begin(tape, true); next[0] = carry[0]; END),
            "scan: 1 modes begun in a body are still on");
  EXPECT_EQ(Scan(BODY tir_scope_end(tape); next[0] = carry[0]; END),
            "scope_end: no scope is open");
  // Reading is refused by the call itself; the tape goes on.
  EXPECT_EQ(Scan(BODY tir_error error = {}; float x[2];
                 EXPECT_EQ(tir_read_into(tape, carry[0], x, sizeof x, &error),
                           TIR_ERR_STATE);
                 EXPECT_STREQ(error.message,
                              "read_into: a value in the body of a scan has no "
                              "data: it is recorded once for all trips");
                 END),
            "scan: carry 0 of the body is not a value: an all-zero handle");
}

TEST_F(Messages, OfXs) {
  const tir_value h = Scalar(1);
  const tir_value xs[] = {Vec({1, 2, 3}), Vec({1, 2})};
  tir_value out;
  const tir_scan_body body = BODY next[0] = carry[0];
  END;
  tir_scan(t, body, nullptr, &h, 1, xs, 2, 0, nullptr, &out, nullptr);
  EXPECT_EQ(Said(),
            "scan: x 1 has another length than x 0: x[2] f32[2] and x[1] "
            "f32[3]");
  tir_scan(t, body, nullptr, &h, 1, &h, 1, 0, nullptr, &out, nullptr);
  EXPECT_EQ(Said(), "scan: x 0 is a scalar: f32[], expected an axis to scan");
  tir_scan_options options = {};
  options.length = 4;
  tir_scan(t, body, nullptr, &h, 1, xs, 1, 0, &options, &out, nullptr);
  EXPECT_EQ(Said(), "scan: length is 4, expected 0, as the xs give it");
  options.length = -1;
  tir_scan(t, body, nullptr, &h, 1, nullptr, 0, 0, &options, &out, nullptr);
  EXPECT_EQ(Said(), "scan: length is -1, expected 0 or more");
  options.length = 0;
  options.reserved[2] = 1;
  tir_scan(t, body, nullptr, &h, 1, nullptr, 0, 0, &options, &out, nullptr);
  EXPECT_EQ(Said(), "scan: reserved word 2 is not 0: built for a newer header");
  tir_scan(t, nullptr, nullptr, &h, 1, nullptr, 0, 0, nullptr, &out, nullptr);
  EXPECT_EQ(Said(), "scan: a callback is NULL");
  tir_scan(t, body, nullptr, nullptr, 1, nullptr, 0, 0, nullptr, &out, nullptr);
  EXPECT_EQ(Said(), "scan: list of 1 carry operands is NULL");
}

TEST_F(Messages, OfBranches) {
  const tir_value x = Vec({1, 2});
  const tir_value yes = tir_less(t, Scalar(0), Scalar(1));
  tir_value out;
  const tir_branch same = [](tir_tape *, void *, const tir_value *in,
                             tir_value *y) { y[0] = in[0]; };
  const tir_branch other = [](tir_tape *tape, void *, const tir_value *in,
                              tir_value *y) {
    y[0] = tir_sum(tape, in[0], nullptr, 0, false);
  };
  tir_cond(t, yes, same, other, nullptr, &x, 1, &out, 1);
  EXPECT_EQ(Said(),
            "cond: result 0 differs between the branches: f32[2] and f32[]");
  tir_cond(t, x, same, same, nullptr, &x, 1, &out, 1);
  EXPECT_EQ(Said(), "cond: pred f32[2] is not a scalar");
  tir_cond(t, tir_value{}, same, same, nullptr, &x, 1, &out, 1);
  EXPECT_EQ(Said(), "cond: pred 0 is not a value: an all-zero handle");
  tir_cond(t, yes, same, same, nullptr, &x, 1, nullptr, 1);
  EXPECT_EQ(Said(), "cond: out is NULL");
}

TEST_F(Messages, OfConditions) {
  const tir_value x = Vec({1, 2});
  tir_value out;
  tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *carry) {
        return tir_less(tape, carry[0], carry[0]);
      },
      [](tir_tape *, void *, const tir_value *carry, tir_value *next) {
        next[0] = carry[0];
      },
      nullptr, &x, 1, 0, &out);
  EXPECT_EQ(Said(), "while: the condition is bool[2], expected bool[]");
  tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *carry) {
        return tir_sum(tape, carry[0], nullptr, 0, false);
      },
      [](tir_tape *, void *, const tir_value *carry, tir_value *next) {
        next[0] = carry[0];
      },
      nullptr, &x, 1, -2, &out);
  EXPECT_EQ(Said(),
            "while: n_carry is 1 of 1 operands, max_trips is -2, expected 1 or "
            "more and 0 or more");
}

// --- nesting ---------------------------------------------------------------

void Deeper(tir_tape *t, void *user, const tir_value *carry, const tir_value *,
            tir_value *next, tir_value *) {
  int *left = static_cast<int *>(user);
  next[0] = carry[0];
  if (--*left == 0) return;
  tir_scan_options options = {};
  options.length = 1;
  (tir_scan)(t, Deeper, user, carry, 1, nullptr, 0, 0, &options, next, nullptr);
}

TEST_F(Messages, OfDepth) {
  const tir_value x = Scalar(3);
  tir_value out;
  int left = 32;
  tir_scan_options options = {};
  options.length = 1;
  tir_scan(t, Deeper, &left, &x, 1, nullptr, 0, 0, &options, &out, nullptr);
  ASSERT_EQ(Said(), "");
  EXPECT_EQ(Read(out), Floats({3}));
  left = 33;
  tir_scan(t, Deeper, &left, &x, 1, nullptr, 0, 0, &options, &out, nullptr);
  EXPECT_EQ(Said(), "scan: bodies are nested 33 deep, at most 32");
}

// --- running ---------------------------------------------------------------

TEST_F(Messages, OfRunsNameTheNodeInTheBody) {
  const int64_t dims[] = {3}, rows[] = {0, 1, 7};
  const tir_value index = tir_value_from_data(t, TIR_DTYPE_I64, dims, 1, rows);
  tir_value table = Vec({1, 2, 3, 4, 5}), y;
  tir_scan(
      t,
      [](tir_tape *tape, void *user, const tir_value *, const tir_value *row,
         tir_value *, tir_value *out) {
        out[0] = (tir_gather)(tape, *static_cast<tir_value *>(user), row[0], 0);
        tir_site(out[0], "cell.c:41");
      },
      &table, nullptr, 0, &index, 1, 1, nullptr, nullptr, &y);
  ASSERT_EQ(Said(), "");
  tir_error error = {};
  tir_tensor *out = nullptr;
  EXPECT_EQ(tir_read(t, y, &out, &error), TIR_ERR_VALUE);
  const std::string message = error.message;
  EXPECT_EQ(message.substr(0, message.find(": node %")),
            "scan: row 2: gather: index 7 at position 0 is out of range for "
            "size 5");
  EXPECT_NE(message.find("(cell.c:41): node %"), std::string::npos) << message;
  EXPECT_NE(message.find("control_messages_test.cc:"), std::string::npos)
      << message;
  tir_tensor_release(out);
  Error();
}

TEST_F(Messages, NanHuntsLookIntoBodies) {
  tir_tape_options options = {};
  options.flags = TIR_TAPE_NAN_HUNT;
  Make(options);
  const tir_value x = Vec({4, 1, -1});
  tir_value y;
  tir_scan(
      t,
      [](tir_tape *tape, void *, const tir_value *, const tir_value *row,
         tir_value *,
         tir_value *out) { out[0] = tir_exp(tape, tir_log(tape, row[0])); },
      nullptr, nullptr, 0, &x, 1, 1, nullptr, nullptr, &y);
  tir_error error = {};
  tir_tensor *out = nullptr;
  EXPECT_EQ(tir_read(t, y, &out, &error), TIR_ERR_VALUE);
  EXPECT_EQ(std::string(error.message).substr(0, 57),
            "scan: row 2: log: NaN at position 0 of its result in the ");
  tir_tensor_release(out);
  Error();
}

// A loop that never ends is stopped between steps of its body.
TEST_F(Messages, EndlessLoopsCanBeCancelled) {
  tir_module *module = nullptr;
  ASSERT_EQ(tir_module_create(c, &module, nullptr), TIR_OK);
  tir_capture_begin(t, module, "endless");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, nullptr, 0);
  tir_value last;
  tir_while(
      t,
      [](tir_tape *tape, void *, const tir_value *carry) {
        return tir_less(tape, Number(tape, carry[0], 0.0),
                        tir_add_scalar(tape, tir_square(tape, carry[0]), 1.0));
      },
      [](tir_tape *tape, void *, const tir_value *carry, tir_value *next) {
        next[0] = tir_mul_scalar(tape, carry[0], 0.5);
      },
      nullptr, &x, 1, 0, &last);
  tir_output(t, "y", last);
  tir_graph *graph = nullptr;
  tir_error error = {};
  ASSERT_EQ(tir_capture_end(t, &graph, &error), TIR_OK) << error.message;
  tir_program *program = nullptr;
  tir_instance *instance = nullptr;
  ASSERT_EQ(tir_compile(c, graph, nullptr, &program, &error), TIR_OK)
      << error.message;
  ASSERT_EQ(tir_instance_create(program, nullptr, &instance, &error), TIR_OK);
  const float one = 1;
  ASSERT_EQ(tir_instance_bind_input(instance, 0, &one, 4, &error), TIR_OK);
  int asked = 0;
  tir_run_options options = {};
  options.cancel = [](void *user) {
    return ++*static_cast<int *>(user) > 1000;
  };
  options.cancel_user = &asked;
  EXPECT_EQ(tir_run(instance, &options, &error), TIR_ERR_CANCELLED);
  EXPECT_EQ(asked, 1001);
  EXPECT_EQ(std::string(error.message).substr(0, 28),
            "run: cancelled before step 1");
  tir_instance_destroy(instance);
  tir_program_destroy(program);
  tir_module_destroy(module);
}

}  // namespace
