// Custom ops that are registered wrongly, called wrongly, or fail: what is
// said, and that nothing is half done.
//
// Labels: threads
#include <atomic>
#include <functional>
#include <thread>

#include "tests/custom/custom_fixture.h"
#include "tests/support/context_fixture.h"

using custom_ops::Load;
using custom_ops::Product;

namespace {

std::string RegisterMessage(tir_context *context, const tir_custom_op &op) {
  tir_error error = {};
  const tir_status status = tir_context_register_op(context, &op, &error);
  EXPECT_EQ(status, error.status);
  return error.message;
}

// --- registering -----------------------------------------------------------

TEST(CustomRegister, RefusesBadFieldsByName) {
  const Owned<tir_context> context = MakeContext();
  const auto say = [&](const std::function<void(tir_custom_op *)> &change) {
    tir_custom_op op = Product("soft", true);
    change(&op);
    return RegisterMessage(context.get(), op);
  };
  const std::string call = "context_register_op: ";
  const std::string name = ", expected 1 to 63 letters, digits and _ . - /";
  EXPECT_EQ(say([](auto *op) { op->name = nullptr; }),
            call + "name \"\"" + name);
  EXPECT_EQ(say([](auto *op) { op->name = "a b"; }),
            call + "name \"a b\"" + name);
  EXPECT_EQ(say([](auto *op) { op->name = "\xff\n"; }),
            call + "name \"\\xff\\x0a\"" + name);
  const std::string longest(63, 'x'), longer(64, 'x');
  EXPECT_NE(say([&](auto *op) { op->name = longer.c_str(); }), "");
  EXPECT_EQ(say([&](auto *op) { op->name = longest.c_str(); }), "");
  EXPECT_EQ(say([](auto *op) { op->version = 0; }),
            call + "version is 0, expected 1 to 9223372036854775807");
  EXPECT_EQ(say([](auto *op) { op->n_inputs = -1; }),
            call + "n_inputs is -1, expected 0 to 8");
  EXPECT_EQ(say([](auto *op) { op->n_outputs = 0; }),
            call + "n_outputs is 0, expected 1 to 8");
  EXPECT_EQ(say([](auto *op) { op->n_ints = 9; }),
            call + "n_ints is 9, expected 0 to 8");
  EXPECT_EQ(say([](auto *op) { op->n_floats = 9; }),
            call + "n_floats is 9, expected 0 to 8");
  EXPECT_EQ(say([](auto *op) { op->infer = nullptr; }),
            call + "infer of \"soft\" is NULL");
  EXPECT_EQ(say([](auto *op) { op->run = nullptr; }),
            call + "run of \"soft\" is NULL");
  EXPECT_EQ(say([](auto *op) { op->reserved[7] = 5; }),
            call + "reserved word 7 is 5, not 0 (built for a newer header?)");
  EXPECT_EQ(say([](auto *) {}), "");
  EXPECT_EQ(say([](auto *) {}),
            call + "\"soft\" of version 1 is registered already");
  EXPECT_EQ(say([](auto *op) { op->version = 2; }), "");
  tir_error error = {};
  EXPECT_EQ(tir_context_register_op(nullptr, nullptr, &error),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error.message, "context_register_op: context is NULL");
}

TEST(CustomRegister, ReleasesUserDataWithTheContext) {
  int n_released = 0;
  {
    const Owned<tir_context> context = MakeContext();
    tir_custom_op op = Product("soft", true);
    op.user = &n_released;
    op.release = [](void *user) { ++*static_cast<int *>(user); };
    custom_ops::Register(context.get(), op);
    EXPECT_NE(RegisterMessage(context.get(), op), "");  // taken: not released
    EXPECT_EQ(n_released, 0);
  }
  EXPECT_EQ(n_released, 1);
}

TEST(CustomRegister, OutOfMemoryRegistersNothing) {
  FailingAllocator allocator;
  const TestContext context(&allocator);
  const tir_custom_op op = Product("soft", true);
  allocator.FailNext(1, false);
  EXPECT_NE(RegisterMessage(context, op), "");
  allocator.FailNext(0, false);
  EXPECT_EQ(RegisterMessage(context, op), "");
}

// Threads register names of their own and one they fight for, while others
// record calls of what is there already.
TEST(CustomRegister, IsSafeFromManyThreads) {
  constexpr int kThreads = 4, kOps = 40;
  const Owned<tir_context> context = MakeContext();
  custom_ops::Register(context.get(), Product("there", true));
  std::atomic<int> n_won{0};
  const auto work = [&](int thread) {
    tir_tape *tape = nullptr;
    EXPECT_EQ(tir_tape_create(context.get(), nullptr, &tape, nullptr), TIR_OK);
    for (int i = 0; i < kOps; i++) {
      const std::string own =
          "own." + std::to_string(thread) + "." + std::to_string(i);
      custom_ops::Register(context.get(), Product(own.c_str(), true));
      const std::string shared = "shared." + std::to_string(i);
      const tir_custom_op op = Product(shared.c_str(), true);
      if (tir_context_register_op(context.get(), &op, nullptr) == TIR_OK)
        n_won++;
      tir_custom_attrs attrs = {};
      attrs.n_floats = 1;
      attrs.floats[0] = 2;
      const tir_value x = tir_scalar(tape, TIR_DTYPE_F32, i);
      for (const char *name : {"there", own.c_str(), shared.c_str()}) {
        const tir_value in[] = {x, x};
        const tir_value y = tir_custom(tape, name, &attrs, in, 2, nullptr, 0);
        EXPECT_EQ(tir_read_scalar(tape, y), 2.0 * i * i);
      }
    }
    EXPECT_EQ(tir_tape_check(tape, nullptr), TIR_OK);
    tir_tape_destroy(tape);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) threads.emplace_back(work, i);
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(n_won, kOps);
}

// --- failing ---------------------------------------------------------------

// Fails when the first element is above 2.
tir_custom_op Picky(std::string *text) {
  tir_custom_op op = Product("picky", true);
  op.user = text;
  op.run = [](const tir_custom_call *call) {
    if (Load(call->in_types[0], call->in[0], 0) > 2) {
      const auto *say = static_cast<const std::string *>(call->user);
      // Without a NUL if it is long: the buffer's end is ours to mind.
      memcpy(call->message, say->data(),
             std::min(say->size(), call->message_size));
      return TIR_ERR_IO;
    }
    return custom_ops::RunProduct(call);
  };
  op.vjp_build = custom_ops::BuildProduct;
  return op;
}

TEST_F(CustomGraph, RunErrorNamesNodeAndPlaceAndLeavesStateWhole) {
  std::string say = "sensor is gone";
  custom_ops::Register(c(), Picky(&say));
  const double start = 1;
  tir_tensor *initial = nullptr;
  ASSERT_EQ(tir_tensor_from_data(c(), TIR_DTYPE_F64, nullptr, 0, &start,
                                 &initial, &error),
            TIR_OK);
  ASSERT_EQ(tir_module_add_param(m(), "w", TIR_PARAM_STATE, initial, &error),
            TIR_OK);
  tir_tensor_release(initial);
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {}), w = tir_param(t, m(), "w");
  tir_assign(t, w, tir_add(t, w, x));  // recorded before the op that fails
  tir_value y = tir_site(Call("picky", {x, x}, {1}), "model.c:12");
  y = tir_set_name(t, y, "reading");
  tir_output(t, "y", y);
  const Owned<tir_program> program = Compile(c(), End());
  const Owned<tir_instance> instance = Instantiate(program, m());
  const auto weight = [&] {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_module_get_param(m(), "w", &tensor, &error), TIR_OK)
        << error.message;
    const double value = *static_cast<const double *>(tir_tensor_data(tensor));
    tir_tensor_release(tensor);
    return value;
  };
  const Doubles bad = {3}, good = {2};
  Bind(instance, 0, bad);
  EXPECT_EQ(tir_run(instance.get(), nullptr, &error), TIR_ERR_IO);
  const std::string message = error.message;
  EXPECT_EQ(message.find("custom_pure: picky: sensor is gone: node %"), 0u)
      << message;
  EXPECT_NE(message.find("\"reading\" (model.c:12)"), std::string::npos)
      << message;
  EXPECT_EQ(weight(), 1);
  Bind(instance, 0, good);
  RunOk(instance);
  EXPECT_EQ(weight(), 3);
}

TEST_F(CustomGraph, MessagesOfCallbacksAreMadeHarmless) {
  std::string say;
  custom_ops::Register(c(), Picky(&say));
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {});
  tir_output(t, "y", Call("picky", {x, x}, {1}));
  const tir_graph *graph = End();
  const auto message = [&](const std::string &text) {
    say = text;
    Run(graph, {{3}});
    const std::string whole = error.message;
    const std::string start = "custom_pure: picky: ";
    EXPECT_EQ(whole.find(start), 0u) << whole;
    return whole.substr(start.size(), whole.find(": node %") - start.size());
  };
  EXPECT_EQ(message(""), "failed without a word");
  EXPECT_EQ(message("two\nlines\x1b[0m"), "two lines [0m");
  EXPECT_EQ(message("caf\xc3\xa9"), "caf\xc3\xa9");
  // Bytes that are no UTF-8 do not cost what stands behind them.
  EXPECT_EQ(message("caf\xe9 is closed"), "caf\\xe9 is closed");
  EXPECT_EQ(message("cut \xc3"), "cut \\xc3");
  EXPECT_EQ(message("\xff\xc0\x80 \"a\\b\""), "\\xff\\xc0\\x80 \"a\\b\"");
  const std::string longest = message(std::string(4000, 'x'));
  EXPECT_GT(longest.size(), 100u);
  EXPECT_EQ(longest.find_first_not_of('x'), std::string::npos);
  // A character that the buffers cut goes as a whole.
  for (const char *start : {"", "x", "xx"}) {
    std::string full = start;
    while (full.size() < 4000) full += "\xe2\x82\xac";
    const std::string cut = message(full);
    EXPECT_GT(cut.size(), 100u);
    EXPECT_EQ(cut, full.substr(0, cut.size()));
    EXPECT_EQ((cut.size() - strlen(start)) % 3, 0u);
  }
  std::string bytes = "x";
  bytes += std::string(4000, '\xe9');
  const std::string escaped = message(bytes);
  EXPECT_GT(escaped.size(), 100u);
  EXPECT_EQ(escaped.size() % 4, 1u) << "no half escape: " << escaped;
}

TEST_F(CustomGraph, StatusesWithAMeaningForRunsBecomeValue) {
  const struct {
    tir_status given, expected;
  } rows[] = {{TIR_ERR_CANCELLED, TIR_ERR_VALUE},
              {TIR_ERR_TORN, TIR_ERR_VALUE},
              {TIR_ERR_BUSY, TIR_ERR_VALUE},
              {static_cast<tir_status>(15), TIR_ERR_VALUE},
              {TIR_ERR_UNSUPPORTED, TIR_ERR_UNSUPPORTED}};
  tir_status give = TIR_OK;
  tir_custom_op op = Product("give", true);
  op.user = &give;
  op.run = [](const tir_custom_call *call) {
    return *static_cast<const tir_status *>(call->user);
  };
  custom_ops::Register(c(), op);
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {});
  tir_output(t, "y", Call("give", {x, x}, {1}));
  const tir_graph *graph = End();
  for (const auto &row : rows) {
    give = row.given;
    Run(graph, {{3}});
    EXPECT_EQ(status, row.expected);
    EXPECT_NE(error.node, 0u);
  }
}

TEST_F(CustomGraph, BadCallsSayWhatIsWrong) {
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {2}), long_x = Input("long", {3});
  Call("nobody", {x, x}, {1});
  EXPECT_EQ(Error(), "custom: no op \"nobody\" is registered with the context");
  tir_custom_attrs attrs = {};
  attrs.version = 9;
  tir_custom(t, "test.pure", &attrs, &x, 1, nullptr, 0);
  EXPECT_EQ(Error(),
            "custom: no op \"test.pure\" of version 9 is registered with the "
            "context: the newest is version 1");
  tir_custom(t, "a b", nullptr, &x, 1, nullptr, 0);
  EXPECT_EQ(Error(), "custom: \"a b\" is no name of an op");
  tir_custom(t, nullptr, nullptr, &x, 1, nullptr, 0);
  EXPECT_EQ(Error(), "custom: NULL is no name of an op");
  attrs = {};
  attrs.n_floats = 9;
  tir_custom(t, "test.pure", &attrs, &x, 1, nullptr, 0);
  EXPECT_EQ(Error(),
            "custom: test.pure: n_ints is 0, n_floats 9, expected at most 8");
  attrs = {};
  attrs.reserved[2] = 1;
  tir_custom(t, "test.pure", &attrs, &x, 1, nullptr, 0);
  EXPECT_EQ(Error(),
            "custom: reserved word 2 of the attributes is 1, not 0 (built for "
            "a newer header?)");
  tir_value out[2];
  tir_custom(t, "test.pure", nullptr, &x, 1, out, 2);
  EXPECT_EQ(Error(),
            "custom: test.pure: 1 operands, in not NULL; 2 results of 1, out "
            "not NULL");
  EXPECT_FALSE(tir_value_is_valid(t, out[0]));
  Call("test.pure", {x, x});
  EXPECT_EQ(Error(),
            "custom_pure: test.pure: wrong number of floats: 0, expected 1");
  Call("test.pure", {x}, {1});
  EXPECT_EQ(Error(),
            "custom_pure: test.pure: wrong number of operands: 1, expected 2");
  tir_site(Call("test.pure", {x, long_x}, {1}), "model.c:3");
  EXPECT_EQ(Error(), "custom_pure: test.pure: x and w differ (model.c:3)");
  tir_output(t, "y", x);
  End();
}

// What a wrong infer answers never gets into a graph.
TEST_F(CustomGraph, BadTypesOfAnInferAreRefused) {
  static tir_custom_type answer;
  tir_custom_op op = Product("liar", true);
  op.infer = [](const tir_custom_infer *q) {
    q->out[0] = answer;
    return TIR_OK;
  };
  custom_ops::Register(c(), op);
  tir_capture_begin(t, m(), "g");
  const tir_value x = Input("x", {2}, "n");
  const std::string start = "custom_pure: liar: its infer gave ";
  const auto say = [&](const std::function<void()> &change) {
    answer = {};
    answer.dtype = TIR_DTYPE_F32;
    change();
    Call("liar", {x, x}, {1});
    const std::string message = Error();
    EXPECT_EQ(message.find(start), 0u) << message;
    return message.substr(start.size());
  };
  EXPECT_EQ(say([] { answer.dtype = static_cast<tir_dtype>(99); }),
            "result 0: dtype 99 does not exist");
  EXPECT_EQ(say([] { answer.rank = 9; }), "result 0 rank 9, expected 0 to 8");
  EXPECT_EQ(say([] { answer.rank = -1; }), "result 0 rank -1, expected 0 to 8");
  EXPECT_EQ(say([] {
              answer.rank = 1;
              answer.dims[0] = -4;
            }),
            "result 0: dim 0 is -4, expected 0 or more");
  EXPECT_NE(say([] {
              answer.rank = 2;
              answer.dims[0] = answer.dims[1] = INT64_MAX;
            }),
            "");
  EXPECT_EQ(say([] {
              answer.rank = 1;
              answer.dims[0] = 2;
              answer.symbols[0] = 12345;
            }),
            "dim 0 of result 0 symbol 12345, which no operand has at size 2");
  tir_output(t, "y", x);
  End();
}

TEST_F(CustomGraph, VjpBuildThatFailsOrGivesAnotherTypeIsNamed) {
  for (const bool fails : {true, false}) {
    tir_custom_op op = Product(fails ? "fails" : "wrong", true);
    op.vjp_build = fails ? [](const tir_custom_vjp *q) {
      snprintf(q->message, q->message_size, "no rule for that");
      return TIR_ERR_UNSUPPORTED;
    } : [](const tir_custom_vjp *q) {
      q->in_grad[1] = tir_sum(q->tape, q->out_grad[0], nullptr, 0, false);
      return TIR_OK;
    };
    custom_ops::Register(c(), op);
    tir_capture_begin(t, m(), op.name);
    const tir_value x = Input("x", {2}), w = Input("w", {2});
    tir_attach_grad(t, w, TIR_GRAD_WRITE);
    tir_record_begin(t, true);
    const tir_value y = Call(op.name, {x, w}, {1});
    tir_mode_end(t);
    tir_backward(t, y);
    tir_output(t, "dw", tir_grad_of(t, w));
    tir_graph *graph = nullptr;
    EXPECT_NE(tir_capture_end(t, &graph, &error), TIR_OK);
    const std::string message = error.message;
    EXPECT_NE(message.find(fails ? "custom_pure: fails: no rule for that"
                                 : "custom_pure: wrong: its vjp_build gave "
                                   "operand 1 the gradient f64[], expected "
                                   "f64[2]"),
              std::string::npos)
        << message;
    EXPECT_EQ(Error(), "");
  }
}

// --- memory ----------------------------------------------------------------

// Register, capture a step with both kinds of gradient, compile, run.
tir_status WholeStory(tir_context *context, std::vector<double> *out,
                      tir_error *error) {
  tir_custom_op op = Product("product", true);
  op.vjp_build = custom_ops::BuildProduct;
  TIR_TRY(tir_context_register_op(context, &op, error));
  op.name = "product_run";
  op.pure = false;
  op.vjp_build = nullptr;
  op.vjp_run = custom_ops::GradientOfProduct;
  TIR_TRY(tir_context_register_op(context, &op, error));
  tir_module *module = nullptr;
  tir_tape *tape = nullptr;
  TIR_TRY(tir_module_create(context, &module, error));
  const Owned<tir_module> module_owner(module);
  TIR_TRY(tir_tape_create(context, nullptr, &tape, error));
  tir_capture_begin(tape, module, "g");
  const int64_t dims[] = {2};
  const tir_value x = tir_input(tape, "x", TIR_DTYPE_F64, dims, 1);
  tir_attach_grad(tape, x, TIR_GRAD_WRITE);
  tir_record_begin(tape, true);
  tir_custom_attrs attrs = {};
  attrs.n_floats = 1;
  attrs.floats[0] = 2;
  const tir_value in[] = {x, x};
  tir_value y = tir_custom(tape, "product", &attrs, in, 2, nullptr, 0);
  const tir_value next[] = {y, x};
  y = tir_custom(tape, "product_run", &attrs, next, 2, nullptr, 0);
  tir_mode_end(tape);
  tir_backward(tape, y);
  tir_output(tape, "dx", tir_grad_of(tape, x));
  tir_graph *graph = nullptr;
  const tir_status captured = tir_capture_end(tape, &graph, error);
  tir_tape_destroy(tape);
  TIR_TRY(captured);
  tir_program *program = nullptr;
  tir_instance *instance = nullptr;
  TIR_TRY(tir_compile(context, graph, nullptr, &program, error));
  const Owned<tir_program> program_owner(program);
  TIR_TRY(tir_instance_create(program, module, &instance, error));
  const Owned<tir_instance> instance_owner(instance);
  const double data[] = {3, -1};
  TIR_TRY(tir_instance_bind_input(instance, 0, data, sizeof data, error));
  TIR_TRY(tir_run(instance, nullptr, error));
  const auto *result =
      static_cast<const double *>(tir_instance_output(instance, 0));
  out->assign(result, result + 2);
  return TIR_OK;
}

TEST(CustomMemory, EveryAllocationMayFail) {
  for (uint64_t n = 1;; n++) {
    ASSERT_LT(n, 5000u);
    FailingAllocator allocator;
    const TestContext context(&allocator);
    allocator.FailNext(n, false);
    std::vector<double> out;
    tir_error error = {};
    const tir_status status = WholeStory(context, &out, &error);
    // Some allocations may fail without harm, such as those of collecting.
    if (status == TIR_OK) {
      EXPECT_EQ(out, (Doubles{12 * 9, 12}));  // d(4x³)/dx
      if (!allocator.failed()) break;
      continue;
    }
    ASSERT_EQ(status, TIR_ERR_MEMORY)
        << "allocation " << n << ": " << error.message;
  }
}

}  // namespace
