// The C++ wrapper: ownership, moves, scopes, errors as exceptions, and that no
// op is forgotten.
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "tapeir/sites.h"
#include "tapeir/tapeir.hpp"
#include "tests/support/failing_allocator.h"
#include "tests/support/tir_file.h"

namespace {

using tapeir::Value;

// What the call throws.
template <class Call>
tir_error Thrown(Call call) {
  try {
    call();
  } catch (const tapeir::Error &error) {
    EXPECT_STREQ(error.what(), error.details().message);
    EXPECT_EQ(error.status(), error.details().status);
    return error.details();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

class CppWrapper : public testing::Test {
 protected:
  tapeir::Context context_ = tapeir::Context::create();
  tapeir::Tape tape_ = tapeir::Tape::create(context_);
  Value V(tapeir::Dims dims, tapeir::Span<const float> data) {
    return tape_.value<float>(dims, data);
  }
};

}  // namespace

// --- ownership ---------------------------------------------------------------

// The allocator sees every block given back, and none twice.
TEST(CppOwnership, MovesAndEnds) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  {
    auto context = tapeir::Context::create(&options);
    auto tape = tapeir::Tape::create(context);
    auto module = tapeir::Module::create(context);
    module.add_param("w", tapeir::Tensor::from<float>(context, {2}, {1, 2}));
    {
      tapeir::Capture capture(tape, module, "f");
      capture.output("y", capture.param("w") * 2);
      capture.end();
    }
    auto program = tapeir::Program::compile(context, module.graph("f"));
    auto instance = tapeir::Instance::create(program, module);
    auto tensor = module.param("w");

    tapeir::Context other_context = std::move(context);
    EXPECT_FALSE(context);
    tapeir::Tape other_tape;
    other_tape = std::move(tape);
    EXPECT_FALSE(tape);
    tapeir::Instance other_instance;
    other_instance = std::move(instance);
    std::vector<tapeir::Program> programs;
    programs.push_back(std::move(program));
    programs.push_back(
        tapeir::Program::compile(other_context, module.graph("f")));
    tapeir::Module &self = module;
    module = std::move(self);  // to itself
    EXPECT_TRUE(module);
    programs.clear();  // the instance keeps its own
    other_instance.run();
    EXPECT_EQ(other_instance.output<float>(0)[1], 4);
    other_context.reset();
  }
  EXPECT_EQ(allocator.n_held(), 0u);
}

TEST(CppOwnership, TensorsAreShared) {
  FailingAllocator allocator;
  const tir_context_options options = allocator.Options();
  {
    tapeir::Tensor last;
    {
      const auto context = tapeir::Context::create(&options);
      auto tensor = tapeir::Tensor::from<double>(context, {2, 1}, {3, 4});
      tapeir::Tensor copy = tensor;
      EXPECT_EQ(copy.get(), tensor.get());
      const tapeir::Tensor moved = std::move(tensor);
      EXPECT_FALSE(tensor);
      copy = moved;
      tapeir::Tensor &self = copy;
      copy = self;
      last = copy;
      const auto elements = last.write_begin<double>();
      elements[0] = 5;
      last.write_end();
      EXPECT_EQ(moved.data<double>()[0], 5);
    }
    EXPECT_EQ(last.data<double>()[1], 4);
    EXPECT_EQ(last.rank(), 2);
    EXPECT_EQ(last.dims()[0], 2);
    EXPECT_EQ(last.size_bytes(), 16u);
  }
  EXPECT_EQ(allocator.n_held(), 0u);
}

TEST(CppOwnership, ReleaseAndReset) {
  auto context = tapeir::Context::create();
  tir_context *raw = context.release();
  EXPECT_FALSE(context);
  context.reset(raw);
  EXPECT_EQ(context.get(), raw);
  context.reset();
  EXPECT_FALSE(context);
}

// --- scopes ------------------------------------------------------------------

TEST_F(CppWrapper, ScopesEndValues) {
  Value kept, ended;
  {
    const auto scope = tape_.scope();
    ended = V({1}, {1});
    kept = (ended + 1).keep();
    EXPECT_TRUE(ended.valid());
  }
  EXPECT_FALSE(ended.valid());
  EXPECT_EQ(kept.scalar(), 2);
  kept.end();
  EXPECT_FALSE(kept.valid());
}

TEST_F(CppWrapper, ModesEndWithAnException) {
  try {
    const auto recording = tape_.record();
    const auto paused = tape_.pause(true);
    EXPECT_FALSE(tape_.is_recording());
    EXPECT_TRUE(tape_.is_training());
    throw std::runtime_error("out");
  } catch (const std::runtime_error &) {
  }
  EXPECT_FALSE(tape_.is_recording());
  EXPECT_FALSE(tape_.is_training());
}

TEST_F(CppWrapper, StepsRun) {
  const Value w = V({2}, {1, 2});
  w.attach_grad();
  const Value lr = tape_.scalar(0.5f);
  Value loss;
  for (int i = 0; i < 2; i++) {
    auto step = tape_.step();
    {
      const auto recording = tape_.record();
      loss = sum(square(w));
    }
    loss.backward();
    const tir_value variable = w;
    tir_sgd(tape_.get(), &variable, 1, lr, false);
    step.end({loss});
  }
  EXPECT_EQ(loss.scalar(), 0);  // w = 0 after the first step
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{0, 0}));
  {
    const auto step = tape_.step();
    assign(w, w + 3);
  }  // ends by itself
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{3, 3}));
  const Value one = ones(tape_, TIR_DTYPE_F32, {1});
  assign_slice(w, one, tape_.scalar<int64_t>(1), 0);
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{3, 1}));
}

TEST_F(CppWrapper, CaptureIsDroppedByAnException) {
  const auto module = tapeir::Module::create(context_);
  try {
    tapeir::Capture capture(tape_, module, "f");
    capture.output("y", capture.input("x", TIR_DTYPE_F32, {2}) + 1);
    throw std::runtime_error("out");
  } catch (const std::runtime_error &) {
  }
  EXPECT_EQ(module.n_graphs(), 0u);
  EXPECT_EQ(tape_.status(), TIR_OK);
  EXPECT_EQ((V({1}, {1}) + 1).scalar(), 2) << "the tape is live again";
}

TEST_F(CppWrapper, SymbolicInputs) {
  const auto module = tapeir::Module::create(context_);
  tapeir::Capture capture(tape_, module, "f");
  capture.output(
      "y", sum(capture.input("x", TIR_DTYPE_F32, {2, 3}, {"batch", nullptr})));
  const auto graph = capture.end();
  EXPECT_STREQ(graph.input(0).dim_names[0], "batch");
  EXPECT_EQ(graph.n_inputs(), 1u);
  EXPECT_STREQ(graph.output(0).name, "y");
  tir_dim_size size = {"batch", 5};
  tir_compile_options options = {};
  options.dim_sizes = &size;
  options.n_dim_sizes = 1;
  const auto fixed = tapeir::Graph::fix_dims(graph, {{"batch", 5}});
  EXPECT_EQ(fixed.ref().input(0).dims[0], 5);
  EXPECT_EQ(fixed.ref().input(0).dim_names[0], nullptr);
  const auto program = tapeir::Program::compile(context_, graph, &options);
  EXPECT_EQ(program.input(0).dims[0], 5);
  const std::string explained = program.explain_memory(context_);
  EXPECT_EQ(explained.find("arena: "), 0u) << explained;
  const auto instance = tapeir::Instance::create(program);
  const std::vector<float> ones(15, 1.0f);
  float result = 0;
  instance.bind_input<float>(size_t(instance.find_input("x")), ones);
  instance.bind_output<float>(0, {&result, 1});
  instance.run();
  EXPECT_EQ(result, 15);
}

TEST_F(CppWrapper, ModulesTextsAndFiles) {
  const auto module = tapeir::Module::create(context_);
  module.add_param("w", tapeir::Tensor::from<float>(context_, {2}, {1, 2}));
  EXPECT_TRUE(module.has_param("w"));
  EXPECT_FALSE(module.has_param("x"));
  EXPECT_STREQ(module.param_name(0), "w");
  {
    tapeir::Capture capture(tape_, module, "f");
    capture.output("y", sum(square(capture.param("w"))));
    capture.end();
  }
  const std::string text = module.text(context_);
  EXPECT_EQ(tapeir::Module::from_text(context_, text).text(context_), text);
  const auto differentiated = tapeir::Graph::differentiate(module.graph("f"));
  EXPECT_EQ(differentiated.ref().n_outputs(), 2u);
  const auto small =
      tapeir::Graph::optimize(differentiated, "full").ref().text(context_);
  EXPECT_NE(small.find("w.grad"), std::string::npos);
  module.add_graph(differentiated, "f.gradient");
  EXPECT_EQ(module.n_graphs(), 2u);
  const TempDir dir;
  const std::string path = dir.File("w.safetensors");
  module.save_safetensors(path.c_str());
  const auto weights = tapeir::Module::load_safetensors(context_, path.c_str());
  EXPECT_EQ(weights.param("w").data<float>()[1], 2);
  module.set_param("w", tapeir::Tensor::from<float>(context_, {2}, {3, 4}));
  EXPECT_EQ(param(tape_, module, "w").to_vector<float>()[0], 3);
}

// --- values ------------------------------------------------------------------

TEST_F(CppWrapper, Operators) {
  const Value a = V({2}, {6, 8}), b = V({2}, {2, 4});
  const auto is = [](Value v, std::vector<float> expected) {
    EXPECT_EQ(v.to_vector<float>(), expected);
  };
  is(-a, {-6, -8});
  is(a + b, {8, 12});
  is(a - b, {4, 4});
  is(a * b, {12, 32});
  is(a / b, {3, 2});
  is(a + 1, {7, 9});
  is(a - 1, {5, 7});
  is(a * 2, {12, 16});
  is(a / 2, {3, 4});
  is(1 + a, {7, 9});
  is(1 - a, {-5, -7});
  is(2 * a, {12, 16});
  is(48 / a, {8, 6});
  Value c = a;
  c += b;
  c -= 1;
  c *= 2;
  c /= b;
  is(c, {7, 5.5f});
  c *= b;
  c -= a;
  c += 1;
  c /= 1;
  is(c, {9, 15});
  is(a, {6, 8});
}

TEST_F(CppWrapper, OpsThatTakeLists) {
  const Value x = V({2, 3}, {0, 1, 2, 3, 4, 5});
  const auto is = [](Value v, std::vector<int64_t> dims,
                     std::vector<float> expected) {
    EXPECT_EQ(v.dims(), dims);
    EXPECT_EQ(v.to_vector<float>(), expected);
  };
  is(sum(x), {}, {15});
  is(sum(x, {0}), {3}, {3, 5, 7});
  is(sum(x, {-1}, true), {2, 1}, {3, 12});
  is(transpose(x), {3, 2}, {0, 3, 1, 4, 2, 5});
  is(transpose(x, {0, 1}), {2, 3}, {0, 1, 2, 3, 4, 5});
  is(slice(x, {0, 1}, {2, INT64_MAX}), {2, 2}, {1, 2, 4, 5});
  is(slice(x, {0, 0}, {1, 3}, {1, 2}), {1, 2}, {0, 2});
  is(tapeir::concat({x, x}, 0), {4, 3}, {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
  is(reshape(x, {6}), {6}, {0, 1, 2, 3, 4, 5});
  is(expand_dims(sum(x), {0}), {1}, {15});
  is(broadcast_to(sum(x), {2}), {2}, {15, 15});
  is(full(tape_, TIR_DTYPE_F32, {2}, 3), {2}, {3, 3});
  const std::vector<int> axes = {1};
  is(max(x, axes), {2}, {2, 5});
  const int64_t dims[] = {3, 2};
  is(reshape(x, dims), {3, 2}, {0, 1, 2, 3, 4, 5});
  is(where(greater(x, full_like(x, 2)), x, zeros_like(x)), {2, 3},
     {0, 0, 0, 3, 4, 5});
  const Value index = tape_.value<int64_t>({1}, {1});
  is(gather(x, index, 1), {2, 1}, {1, 4});
  is(scatter_add(zeros(tape_, TIR_DTYPE_F32, {2}), index,
                 ones(tape_, TIR_DTYPE_F32, {1}), 0),
     {2}, {0, 1});
  const Value at = tape_.scalar<int64_t>(1);
  is(slice_at(x, at, 1, 2), {2, 2}, {1, 2, 4, 5});
  is(update_slice(x, zeros(tape_, TIR_DTYPE_F32, {1, 3}), at, 0), {2, 3},
     {0, 1, 2, 0, 0, 0});
  is(one_hot(index, 3, TIR_DTYPE_F32), {1, 3}, {0, 1, 0});
  is(tapeir::stack({x, x}, 0), {2, 2, 3}, {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
  const std::vector<Value> parts = split(x, {1, 2}, 1);
  is(parts[1], {2, 2}, {1, 2, 4, 5});
  is(flip(x, {1}), {2, 3}, {2, 1, 0, 5, 4, 3});
  is(pad(sum(x, {1}), {1}, {2}, 9), {5}, {9, 3, 12, 9, 9});
  is(tril(x), {2, 3}, {0, 0, 0, 3, 4, 0});
  is(triu(x, 1), {2, 3}, {0, 1, 2, 0, 0, 5});
  is(cumsum(x, 1), {2, 3}, {0, 1, 3, 3, 7, 12});
  is(clip(x, 1, 3), {2, 3}, {1, 1, 2, 3, 3, 3});
  is(leaky_relu(-x, 0.5), {2, 3}, {0, -0.5f, -1, -1.5f, -2, -2.5f});
  EXPECT_EQ(argmin(x, 0).to_vector<int64_t>(), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(argmax(x, 1).to_vector<int64_t>(), (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(equal(cast(sum(x), TIR_DTYPE_F64), tape_.scalar(15.0)).truth());
}

TEST_F(CppWrapper, LoopsAndBranches) {
  const Value x = V({3}, {1, 2, 3}), w = V({}, {2}), zero = V({}, {0});
  const auto scanned =
      tapeir::scan(tape_, {zero}, {x}, 1,
                   [w](tapeir::Values carry, tapeir::Values row,
                       tapeir::Span<Value> next, tapeir::Span<Value> y) {
                     next[0] = carry[0] + row[0] * w;
                     y[0] = next[0] * 2;
                   });
  EXPECT_EQ(scanned.carry.at(0).scalar(), 12);
  EXPECT_EQ(scanned.ys.at(0).read().data<float>()[1], 12);
  const auto one = tapeir::cond(
      tapeir::less(zero, w),
      [](tapeir::Values in, tapeir::Span<Value> out) { out[0] = in[0] * 10; },
      [](tapeir::Values in, tapeir::Span<Value> out) { out[0] = in[0]; }, {w},
      1);
  EXPECT_EQ(one.at(0).scalar(), 20);
  const Value limit = V({}, {100});
  Value trips;
  const auto last = tapeir::while_loop(
      {w},
      [limit](tapeir::Values carry) { return tapeir::less(carry[0], limit); },
      [](tapeir::Values carry, tapeir::Span<Value> next) {
        next[0] = carry[0] * carry[0];
      },
      0, &trips);
  EXPECT_EQ(last.at(0).scalar(), 256);
  EXPECT_EQ(trips.scalar(), 3);
}

TEST_F(CppWrapper, GradOfSeveral) {
  const Value x = V({}, {3}), y = V({}, {4});
  x.attach_grad();
  y.attach_grad();
  Value z;
  {
    const auto recording = tape_.record();
    z = x * y + x;
  }
  const std::vector<Value> grads = tape_.grad({z}, {x, y});
  EXPECT_EQ(grads[0].scalar(), 5);
  EXPECT_EQ(grads[1].scalar(), 3);
}

TEST_F(CppWrapper, Reading) {
  const Value x = V({2}, {1, 2});
  float out[2] = {};
  x.read_into<float>(out);
  EXPECT_EQ(out[1], 2);
  EXPECT_EQ(x.read().data<float>()[0], 1);
  const Value many = zeros(tape_, TIR_DTYPE_F32, {200});
  EXPECT_EQ(many.text().size(), 601u) << "longer than the first buffer";
  EXPECT_EQ(many.text().back(), ']');
}

// Tensors by reference, without a copy.
TEST_F(CppWrapper, WrappedMemory) {
  std::vector<float> data = {1, 2, 3};
  auto tensor = tapeir::Tensor::wrap<float>(context_, {3}, data);
  EXPECT_EQ(tensor.data<float>().data(), data.data());
  EXPECT_EQ(sum(tape_.value(tensor)).scalar(), 6);
  EXPECT_EQ(Thrown([&] { tensor.write_begin<float>(); }).status, TIR_ERR_STATE);
}

// --- errors ------------------------------------------------------------------

TEST_F(CppWrapper, TapeErrorsAreThrownWhereTheyAreMet) {
  const Value a = V({4, 3}, std::vector<float>(12)).named("a");
  const Value b = V({2, 1}, {1, 2}).named("b");
  const std::string message =
      "matmul: inner sizes differ: a \"a\" f32[4, 3] has k=3, b \"b\" "
      "f32[2, 1] has k=2";
  const auto bad = [&] { return tanh(matmul(a, b)) + 1; };
  EXPECT_EQ(Thrown([&] { bad(), tape_.check(); }).message, message);
  EXPECT_EQ(Thrown([&] { bad().scalar(); }).message, message);
  tape_.check();
  EXPECT_EQ(Thrown([&] { bad().truth(); }).message, message);
  EXPECT_EQ(Thrown([&] { bad().text(); }).message, message);
  for (const auto &read : std::vector<std::function<void()>>{
           [&] { bad().read(); }, [&] { bad().to_vector<float>(); },
           [&] { tape_.step().end({bad()}); }}) {
    EXPECT_EQ(Thrown(read).status, TIR_ERR_SHAPE);
    Thrown([&] { tape_.check(); });  // those leave it standing
  }
  EXPECT_EQ(a.to_vector<float>().size(), 12u) << "and the tape goes on";
}

TEST_F(CppWrapper, SitesAreStampedByHand) {
  const Value a = V({2}, {1, 2}), b = V({3}, {1, 2, 3});
  const Value c = tir_site(a + b, "here:7");
  EXPECT_NE(std::string(Thrown([&] { c.scalar(); }).message).find("(here:7)"),
            std::string::npos);
}

TEST_F(CppWrapper, ErrorsOfCalls) {
  EXPECT_EQ(Thrown([&] { tapeir::Module::load(context_, "/none"); }).status,
            TIR_ERR_IO);
  EXPECT_EQ(Thrown([&] {
              V({3}, {1, 2});
            }).message,
            std::string("tensor: the data has another size than the shape"));
  EXPECT_EQ(
      Thrown([&] {
        tapeir::Tensor::from<float>(context_, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1});
      }).message,
      std::string("tensor: rank is 9, expected 0 to 8"));
  const auto tensor = tapeir::Tensor::create(context_, TIR_DTYPE_F64, {2});
  EXPECT_EQ(Thrown([&] { tensor.data<float>(); }).status, TIR_ERR_DTYPE);
  EXPECT_EQ(Thrown([&] { V({1}, {1}).to_vector<int32_t>(); }).status,
            TIR_ERR_DTYPE);
  const auto module = tapeir::Module::create(context_);
  EXPECT_FALSE(module.graph("none"));
  EXPECT_EQ(Thrown([&] { module.param("none"); }).status, TIR_ERR_ARGUMENT);
  tapeir::Capture capture(tape_, module, "f");
  capture.output("y", capture.input("x", TIR_DTYPE_F32, {2}) + 1);
  const auto graph = capture.end();
  EXPECT_EQ(Thrown([&] { graph.input(1); }).status, TIR_ERR_ARGUMENT);
  const auto program = tapeir::Program::compile(context_, graph);
  EXPECT_EQ(Thrown([&] { program.output(1); }).status, TIR_ERR_ARGUMENT);
  const auto instance = tapeir::Instance::create(program);
  const std::vector<double> doubles = {1, 2};
  EXPECT_EQ(Thrown([&] { instance.bind_input<double>(0, doubles); }).status,
            TIR_ERR_DTYPE);
  EXPECT_EQ(Thrown([&] { instance.run(); }).status, TIR_ERR_STATE);
  EXPECT_EQ(Thrown([&] { instance.output<float>(7); }).status,
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(Thrown([&] {
              slice(V({2}, {1, 2}), {0}, {}).scalar();
            }).status,
            TIR_ERR_ARGUMENT);
}

TEST(CppErrors, OutOfMemory) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    try {
      const auto context = tapeir::Context::create(&options);
      const auto tape = tapeir::Tape::create(context);
      const Value x = tape.value<float>({2}, {1, 2});
      EXPECT_EQ(sum(x * x).scalar(), 5);
    } catch (const tapeir::Error &error) {
      return error.status();
    }
    return TIR_OK;
  });
}

// --- completeness ------------------------------------------------------------

// Names of the op functions a header declares, without "tir_". By hand:
// <regex> takes longer to compile than all the rest of this file.
std::vector<std::string> OpFunctionsOf(const std::string &text) {
  std::vector<std::string> names;
  const auto skip = [&](size_t at, const char *set) {
    return std::min(text.find_first_not_of(set, at), text.size());
  };
  for (size_t at = 0; (at = text.find("TIR_API", at)) != std::string::npos;) {
    at = skip(at + strlen("TIR_API"), " \n");
    const size_t end = text.find_first_of(" \n", at);
    const std::string type = text.substr(at, end - at);
    at = skip(end, " \n");
    const size_t open = text.find('(', at);
    if ((type == "tir_value" || type == "void") && open != std::string::npos &&
        text.compare(at, 4, "tir_") == 0)
      names.push_back(text.substr(at + 4, open - at - 4));
  }
  return names;
}

// Every op function has its line in cpp/ops.hpp.
TEST(CppOps, NoneIsForgotten) {
  const std::string include = std::string(TAPEIR_SOURCE_DIR) + "/include/";
  const std::string wrapped = ReadFile(include + "tapeir/cpp/ops.hpp");
  const std::string before = "#include \"tapeir/ops/";
  std::ifstream list(include + "tapeir/ops.h");
  size_t n = 0;
  for (std::string line; std::getline(list, line);) {
    if (line.compare(0, before.size(), before) != 0) continue;
    const std::string path = line.substr(10, line.rfind('"') - 10);
    for (const std::string &name : OpFunctionsOf(ReadFile(include + path))) {
      n++;
      std::set<std::string> lines = {"(tir_" + name + ")("};
      for (const char *kind :
           {"UNARY", "BINARY", "REDUCE", "AXIS", "FILL", "RANDOM"})
        lines.insert("TIR_CPP_" + std::string(kind) + "(" + name + ")");
      if (name.size() > 7 && name.substr(name.size() - 7) == "_scalar")
        lines.insert("TIR_CPP_SCALAR(" + name.substr(0, name.size() - 7) + ")");
      bool any = false;
      for (const std::string &one : lines)
        any = any || wrapped.find(one) != std::string::npos;
      EXPECT_TRUE(any) << "tir_" << name
                       << " has no line in include/tapeir/cpp/ops.hpp";
    }
  }
  EXPECT_GE(n, 60u);
}
