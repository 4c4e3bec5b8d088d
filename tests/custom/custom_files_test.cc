// Custom ops in text and files: bound by name and version when loaded, refused
// by name when there is no such op, and hostile ones refused whatever they
// hold. A training step with one goes on from its file.
#include <unistd.h>

#include <cmath>

#include "tapeir/tapeir.hpp"
#include "tests/support/compiled.h"
#include "tests/support/custom_ops.h"
#include "tests/support/tir_file.h"

using custom_ops::BuildProduct;
using custom_ops::GradientOfProduct;
using custom_ops::Load;
using custom_ops::Numel;
using custom_ops::Product;
using custom_ops::Register;
using custom_ops::Store;

namespace {

// Penalises each element by |x| − 1/2 or x²/2: a float, an int (the power of a
// factor), version 4.
tir_custom_op Penalty() {
  tir_custom_op op = {};
  op.name = "lab/penalty.v";
  op.version = 4;
  op.n_inputs = op.n_outputs = op.n_floats = op.n_ints = 1;
  op.infer = [](const tir_custom_infer *q) {
    if (q->attrs->ints[0] < 0) {
      snprintf(q->message, q->message_size, "power is %d, expected 0 or more",
               static_cast<int>(q->attrs->ints[0]));
      return TIR_ERR_ARGUMENT;
    }
    q->out[0] = q->in[0];
    return TIR_OK;
  };
  op.run = [](const tir_custom_call *call) {
    const double scale = std::pow(call->attrs->floats[0],
                                  static_cast<double>(call->attrs->ints[0]));
    for (int64_t i = 0; i < Numel(call->in_types[0]); i++) {
      const double x = Load(call->in_types[0], call->in[0], i);
      Store(call->in_types[0], call->out[0], i,
            scale * (std::fabs(x) > 1 ? std::fabs(x) - 0.5 : x * x / 2));
    }
    return TIR_OK;
  };
  op.vjp_run = [](const tir_custom_call *call) {
    const double scale = std::pow(call->attrs->floats[0],
                                  static_cast<double>(call->attrs->ints[0]));
    for (int64_t i = 0; i < Numel(call->in_types[0]); i++) {
      const double x = Load(call->in_types[0], call->in[0], i);
      const double slope = x > 1 ? 1 : x < -1 ? -1 : x;
      Store(call->in_types[0], call->in_grad[0], i,
            scale * slope * Load(call->in_types[0], call->out_grad[0], i));
    }
    return TIR_OK;
  };
  return op;
}

Owned<tir_context> MakeLab() {
  Owned<tir_context> context = MakeContext();
  Register(context.get(), Penalty());
  return context;
}

// y = w·x, loss = mean of the penalty of y − target; one step of momentum.
Owned<tir_module> MakeStep(tir_context *context) {
  Owned<tir_module> module = MakeModule(context);
  tir_error error = {};
  const int64_t w_dims[] = {3, 2}, x_dims[] = {4, 3}, y_dims[] = {4, 2};
  for (const char *name : {"w", "v"}) {
    float data[6] = {};
    for (int i = 0; i < 6 && *name == 'w'; i++)
      data[i] = std::sin(static_cast<float>(i));
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_from_data(context, TIR_DTYPE_F32, w_dims, 2, data,
                                   &tensor, &error),
              TIR_OK);
    EXPECT_EQ(tir_module_add_param(
                  module.get(), name,
                  *name == 'w' ? TIR_PARAM_TRAINABLE : TIR_PARAM_STATE, tensor,
                  &error),
              TIR_OK);
    tir_tensor_release(tensor);
  }
  tir_tape *t = nullptr;
  EXPECT_EQ(tir_tape_create(context, nullptr, &t, &error), TIR_OK);
  tir_capture_begin(t, module.get(), "step");
  const tir_value x = tir_input(t, "x", TIR_DTYPE_F32, x_dims, 2);
  const tir_value target = tir_input(t, "target", TIR_DTYPE_F32, y_dims, 2);
  const tir_value w = tir_param(t, module.get(), "w");
  const tir_value v = tir_param(t, module.get(), "v");
  tir_attach_grad(t, w, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value off = tir_sub(t, tir_matmul(t, x, w), target);
  tir_custom_attrs attrs = {};
  attrs.n_ints = attrs.n_floats = 1;
  attrs.ints[0] = 2;
  attrs.floats[0] = 0.7;
  const tir_value loss =
      tir_mean(t, tir_custom(t, "lab/penalty.v", &attrs, &off, 1, nullptr, 0),
               nullptr, 0, false);
  tir_mode_end(t);
  tir_backward(t, loss);
  tir_momentum(t, &w, &v, 1, tir_scalar(t, TIR_DTYPE_F32, .3),
               tir_scalar(t, TIR_DTYPE_F32, .9), false);
  tir_output(t, "loss", loss);
  EXPECT_EQ(tir_capture_end(t, nullptr, &error), TIR_OK) << error.message;
  tir_tape_destroy(t);
  return module;
}

// Runs steps first … last − 1; the losses' bits.
std::vector<uint32_t> Train(tir_context *context, tir_module *module, int first,
                            int last) {
  const Owned<tir_program> program =
      Compile(context, tir_module_graph(module, "step"));
  const Owned<tir_instance> instance = Instantiate(program, module);
  std::vector<uint32_t> losses;
  for (int s = first; s < last; s++) {
    std::vector<float> x(12), y(8);
    for (size_t i = 0; i < x.size(); i++)
      x[i] = std::cos(static_cast<float>(12 * s) + static_cast<float>(i));
    const float wanted[] = {1, -2, 0.5f, 3, 1, -1};
    for (size_t i = 0; i < y.size(); i++)
      for (size_t k = 0; k < 3; k++)
        y[i] += x[i / 2 * 3 + k] * wanted[k * 2 + i % 2];
    Bind(instance, 0, x);
    Bind(instance, 1, y);
    RunOk(instance);
    uint32_t bits = 0;
    memcpy(&bits, tir_instance_output(instance.get(), 0), 4);
    losses.push_back(bits);
  }
  return losses;
}

float Value(uint32_t bits) {
  float value = 0;
  memcpy(&value, &bits, 4);
  return value;
}

std::string TextOf(tir_module *module, tir_context *context) {
  char *text = nullptr;
  EXPECT_EQ(tir_module_to_text(module, &text, nullptr), TIR_OK);
  const std::string result = text ? text : "";
  tir_text_free(context, text);
  return result;
}

Owned<tir_module> Parse(tir_context *context, const std::string &text,
                        tir_error *error) {
  tir_module *module = nullptr;
  *error = {};
  EXPECT_EQ(
      tir_module_from_text(context, text.data(), text.size(), &module, error),
      error->status);
  return Owned<tir_module>(module);
}

TEST(CustomFiles, TrainingGoesOnFromTheFileBitForBit) {
  const Owned<tir_context> context = MakeLab();
  const Owned<tir_module> module = MakeStep(context.get());
  std::vector<uint32_t> whole = Train(context.get(), module.get(), 0, 40);
  EXPECT_LT(Value(whole.back()), 0.5f * Value(whole[0]));

  const Owned<tir_module> again = MakeStep(context.get());
  std::vector<uint32_t> parts = Train(context.get(), again.get(), 0, 17);
  const std::string bytes = SaveBytes(again.get());
  // Another context stands for another process: it registers its own.
  const Owned<tir_context> other = MakeLab();
  tir_error error = {};
  const Owned<tir_module> loaded(LoadBytes(other.get(), bytes, &error));
  ASSERT_NE(loaded, nullptr) << error.message;
  const std::vector<uint32_t> rest = Train(other.get(), loaded.get(), 17, 40);
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(parts, whole);
}

TEST(CustomFiles, FilesAndTextsRoundTrip) {
  const Owned<tir_context> context = MakeLab();
  const Owned<tir_module> module = MakeStep(context.get());
  const std::string bytes = SaveBytes(module.get());
  tir_error error = {};
  const Owned<tir_module> loaded(LoadBytes(context.get(), bytes, &error));
  ASSERT_NE(loaded, nullptr) << error.message;
  ExpectSameModule(module.get(), loaded.get());
  EXPECT_EQ(SaveBytes(loaded.get()), bytes);
  const std::string text = TextOf(module.get(), context.get());
  EXPECT_NE(text.find("= custom %"), std::string::npos);
  EXPECT_NE(text.find("{op = \"lab/penalty.v\", version = 4, ints = [2], "
                      "floats = [0.7]} : f32[4, 2]"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("{op = \"lab/penalty.v\", version = 4, wants = 1, "
                      "ints = [2], floats = [0.7]} : f32[4, 2]"),
            std::string::npos)
      << text;
  const Owned<tir_module> parsed = Parse(context.get(), text, &error);
  ASSERT_NE(parsed, nullptr) << error.message;
  EXPECT_EQ(TextOf(parsed.get(), context.get()), text);
}

TEST(CustomFiles, UnknownOpsAreRefusedByNameAndVersion) {
  const Owned<tir_context> context = MakeLab();
  const Owned<tir_module> module = MakeStep(context.get());
  const std::string bytes = SaveBytes(module.get());
  const std::string text = TextOf(module.get(), context.get());
  const auto message = [&](tir_context *other) {
    tir_error error = {};
    EXPECT_EQ(Parse(other, text, &error), nullptr);
    EXPECT_EQ(error.status, TIR_ERR_UNSUPPORTED) << error.message;
    EXPECT_GT(error.line, 0);
    const std::string parsed = error.message;
    error = {};
    const Owned<tir_module> loaded(LoadBytes(other, bytes, &error));
    EXPECT_EQ(loaded, nullptr);
    EXPECT_EQ(error.status, TIR_ERR_UNSUPPORTED);
    EXPECT_NE(std::string(error.message).find(parsed), std::string::npos)
        << error.message << " | " << parsed;
    return parsed;
  };
  const Owned<tir_context> empty = MakeContext();
  EXPECT_EQ(message(empty.get()),
            "custom: no op \"lab/penalty.v\" of version 4 is registered with "
            "the context");
  tir_custom_op op = Penalty();
  op.version = 5;
  Register(empty.get(), op);
  EXPECT_EQ(message(empty.get()),
            "custom: no op \"lab/penalty.v\" of version 4 is registered with "
            "the context: the newest is version 5");
  Register(empty.get(), Penalty());
  tir_error error = {};
  const Owned<tir_module> loaded(LoadBytes(empty.get(), bytes, &error));
  EXPECT_NE(loaded, nullptr) << error.message;
}

// The op that a name is bound to has changed without a new version.
TEST(CustomFiles, OpsThatChangedUnderTheirVersionAreRefused) {
  const Owned<tir_context> context = MakeLab();
  const Owned<tir_module> module = MakeStep(context.get());
  const std::string bytes = SaveBytes(module.get());
  const auto message = [&](void (*change)(tir_custom_op *)) {
    const Owned<tir_context> other = MakeContext();
    tir_custom_op op = Penalty();
    change(&op);
    Register(other.get(), op);
    tir_error error = {};
    const Owned<tir_module> loaded(LoadBytes(other.get(), bytes, &error));
    EXPECT_EQ(loaded, nullptr);
    const std::string whole = error.message;
    const size_t at = whole.find("custom: "), name = whole.find("lab/");
    EXPECT_EQ(whole.find("load: graph \"step\": node "), 0u) << whole;
    EXPECT_NE(at, std::string::npos) << whole;
    return whole.substr(name == std::string::npos ? at + 8 : name + 15);
  };
  EXPECT_EQ(message([](auto *op) { op->n_inputs = 2; }),
            "wrong number of operands: 1, expected 2");
  EXPECT_EQ(message([](auto *op) { op->n_outputs = 2; }),
            "wrong number of results: 1, expected 2");
  EXPECT_EQ(message([](auto *op) { op->n_ints = 0; }),
            "wrong number of ints: 1, expected 0");
  EXPECT_EQ(message([](auto *op) { op->n_floats = 3; }),
            "wrong number of floats: 1, expected 3");
  EXPECT_EQ(message([](auto *op) { op->pure = true; }),
            "it is registered as pure, expected op custom_pure");
  EXPECT_EQ(message([](auto *op) { op->vjp_run = nullptr; }),
            "it has no vjp_run");
  EXPECT_EQ(message([](auto *op) {
              op->infer = [](const tir_custom_infer *q) {
                q->out[0] = q->in[0];
                q->out[0].rank = 1;
                return TIR_OK;
              };
            }),
            "result 0 is f32[4], the file says f32[4, 2]");
}

// --- hostile text and files ------------------------------------------------

struct Bad {
  const char *node, *message;
};

TEST(CustomFiles, HostileTextIsRefused) {
  const Owned<tir_context> context = MakeLab();
  const std::string name = "op = \"lab/penalty.v\", version = 4";
  const Bad rows[] = {
      {"custom %x {version = 4, ints = [1], floats = [1]}",
       "custom: op is missing"},
      {"custom %x {op = \"lab/penalty.v\", ints = [1], floats = [1]}",
       "custom: version is missing"},
      {"custom %x {op = \"\", version = 4}",
       "custom: no op \"\" of version 4 is registered with the context"},
      {"custom %x {op = \"lab penalty\", version = 4}",
       "op is no name: expected at most 63 letters, digits and _ . - /"},
      {"custom %x {op = \"0123456789012345678901234567890123456789012345678901"
       "234567890123\", version = 4}",
       "op is no name: expected at most 63 letters, digits and _ . - /"},
      {"custom %x {op = penalty, version = 4}",
       "expected a name in quotes, found \"penalty\""},
      {"custom %x {@, ints = [-1], floats = [1]}",
       "custom: lab/penalty.v: power is -1, expected 0 or more"},
      {"custom %x {@, ints = [1, 2], floats = [1]}",
       "custom: lab/penalty.v: wrong number of ints: 2, expected 1"},
      {"custom %x {@, ints = [1], floats = [1, 2, 3, 4, 5, 6, 7, 8, 9]}",
       "list has more than 8 numbers"},
      {"custom %x {@, ints = [1], floats = [one]}",
       "expected a number, found \"one\""},
      {"custom %x, %x {@, ints = [1], floats = [1]}",
       "custom: lab/penalty.v: wrong number of operands: 2, expected 1"},
      {"custom %x, %x, %x {@, wants = 2, ints = [1], floats = [1]}",
       "custom: lab/penalty.v: wants is 2, expected 0 to 1"},
      {"custom %x, %x, %x {@, wants = -9223372036854775808, ints = [1], "
       "floats = [1]}",
       "custom: lab/penalty.v: wants is -9223372036854775808, expected 0 to 1"},
      {"custom %x, %x {@, wants = 1, ints = [1], floats = [1]}",
       "custom: lab/penalty.v: wrong number of operands of its gradient: 2, "
       "expected 3"},
      {"custom_pure %x {@, ints = [1], floats = [1]}",
       "custom_pure: lab/penalty.v: it is registered as an effect, expected op "
       "custom"},
  };
  for (const Bad &row : rows) {
    std::string node = row.node;
    if (const size_t at = node.find('@'); at != std::string::npos)
      node.replace(at, 1, name);
    const std::string text = "graph @g(%x: f32[2]) {\n  %y = " + node +
                             " : f32[2]\n  return %y\n}\n";
    tir_error error = {};
    EXPECT_EQ(Parse(context.get(), text, &error), nullptr) << text;
    EXPECT_EQ(std::string(error.message), row.message) << text;
    EXPECT_EQ(error.line, 2) << error.message;
  }
}

// Every byte of the file's graph part is changed in turn, its checksum put
// right: what loads must run or fail, never read past anything.
TEST(CustomFiles, DamagedFilesNeverGetPastTheChecks) {
  const Owned<tir_context> context = MakeLab();
  const Owned<tir_module> module = MakeStep(context.get());
  const FileParts parts = Split(SaveBytes(module.get()));
  int n_loaded = 0, n_refused = 0;
  for (size_t at = 0; at < parts.graph.size(); at++) {
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      FileParts bad = parts;
      bad.graph[at] =
          static_cast<char>(static_cast<unsigned char>(bad.graph[at]) ^ flip);
      tir_error error = {};
      const Owned<tir_module> loaded(
          LoadBytes(context.get(), Join(bad), &error));
      (loaded ? n_loaded : n_refused)++;
      if (!loaded) continue;
      tir_graph *graph = tir_module_graph(loaded.get(), "step");
      tir_program *program = nullptr;
      if (graph && tir_compile(context.get(), graph, nullptr, &program,
                               &error) == TIR_OK)
        tir_program_destroy(program);
    }
  }
  EXPECT_GT(n_refused, 1000);
  EXPECT_GT(n_loaded, 0);
}

// --- C++ -------------------------------------------------------------------

TEST(CustomCpp, RegistersAndCalls) {
  tapeir::Context context = tapeir::Context::create();
  tir_custom_op op = Product("product", true);
  op.vjp_build = BuildProduct;
  context.register_op(op);
  try {
    context.register_op(op);
    FAIL() << "registered twice";
  } catch (const tapeir::Error &error) {
    EXPECT_EQ(error.status(), TIR_ERR_ARGUMENT);
    EXPECT_STREQ(error.what(),
                 "context_register_op: \"product\" of version 1 is registered "
                 "already");
  }
  tir_tape *raw = nullptr;
  ASSERT_EQ(tir_tape_create(context.get(), nullptr, &raw, nullptr), TIR_OK);
  tapeir::Tape tape(raw);
  const float data[] = {2, 3};
  const int64_t dims[] = {2};
  const tapeir::Value x =
      tir_value_from_data(raw, TIR_DTYPE_F32, dims, 1, data);
  tir_custom_attrs attrs = {};
  attrs.n_floats = 1;
  attrs.floats[0] = 10;
  const std::vector<tapeir::Value> y =
      tapeir::custom(tape, "product", {x, x}, 1, &attrs);
  float out[2] = {};
  ASSERT_EQ(tir_read_into(raw, y[0], out, sizeof out, nullptr), TIR_OK);
  EXPECT_EQ(out[0], 40);
  EXPECT_EQ(out[1], 90);
}

}  // namespace
