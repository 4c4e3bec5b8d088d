// The autograd chapter through the C++ wrapper: the numbers of
// examples/autograd_chapter.c, live, captured and loaded from a file.
#include <cfloat>
#include <cmath>
#include <functional>

#include "tapeir/tapeir.hpp"
#include "tests/support/tir_file.h"

namespace {

using tapeir::Value;
using Floats = std::vector<float>;
// Takes the leaf, returns what it shows; the same code live and captured.
using Chapter = std::function<std::vector<Value>(const tapeir::Tape &, Value)>;

std::vector<Value> TwiceDot(const tapeir::Tape &tape, Value x) {
  x.attach_grad();
  Value y;
  {
    const auto recording = tape.record();
    y = 2 * dot(transpose(x), x);
  }
  y.backward();
  return {y, x.grad(), norm(x.grad() - 4 * x)};
}

std::vector<Value> NonScalarHead(const tapeir::Tape &tape, Value x) {
  x.attach_grad();
  Value y;
  {
    const auto recording = tape.record();
    y = 2 * x * x;
  }
  y.backward();
  return {x.grad()};
}

std::vector<Value> ChainByHand(const tapeir::Tape &tape, Value x) {
  x.attach_grad();
  Value y, z;
  {
    const auto recording = tape.record();
    y = 2 * x;
    y.attach_grad();
  }
  {
    const auto recording = tape.record();
    z = y * x;
  }
  z.backward();
  const Value y_grad = y.grad();
  y.backward(y_grad);
  return {y_grad, x.grad()};
}

std::vector<Value> HeadGradient(const tapeir::Tape &tape, Value x) {
  x.attach_grad();
  Value z;
  {
    const auto recording = tape.record();
    z = 2 * x * x;
  }
  tir_backward_options keep = {};
  keep.retain_graph = true;
  z.backward({}, keep);
  const Value plain = x.grad();
  z.backward(tape.value<float>({2, 2}, {10, 1, 0.1f, 0.01f}));
  return {plain, x.grad()};
}

std::vector<Floats> Live(const tapeir::Context &context, const Chapter &chapter,
                         tapeir::Dims dims, const Floats &data) {
  const auto tape = tapeir::Tape::create(context);
  std::vector<Floats> out;
  for (const Value &v : chapter(tape, tape.value<float>(dims, data)))
    out.push_back(v.to_vector<float>());
  tape.check();
  return out;
}

tapeir::Module Captured(const tapeir::Context &context, const Chapter &chapter,
                        tapeir::Dims dims) {
  const auto tape = tapeir::Tape::create(context);
  auto module = tapeir::Module::create(context);
  tapeir::Capture capture(tape, module, "f");
  int n = 0;
  for (const Value &v : chapter(tape, capture.input("x", TIR_DTYPE_F32, dims)))
    capture.output(("out" + std::to_string(n++)).c_str(), v);
  EXPECT_STREQ(capture.end().name(), "f");
  return module;
}

std::vector<Floats> RunGraph(const tapeir::Context &context,
                             const tapeir::Module &module, const Floats &data) {
  const auto graph = module.graph("f");
  const auto program = tapeir::Program::compile(context, graph);
  const auto instance = tapeir::Instance::create(program, module);
  instance.bind_input<float>(0, data);
  instance.run();
  std::vector<Floats> out;
  for (size_t i = 0; i < graph.n_outputs(); i++) {
    const auto elements = instance.output<float>(i);
    out.emplace_back(elements.begin(), elements.end());
  }
  return out;
}

// Three ways, the same bits; returns them.
std::vector<Floats> ThreeWays(const Chapter &chapter, tapeir::Dims dims,
                              const Floats &data) {
  const auto context = tapeir::Context::create();
  const auto live = Live(context, chapter, dims, data);
  const auto module = Captured(context, chapter, dims);
  EXPECT_EQ(RunGraph(context, module, data), live);
  const TempDir dir;
  const std::string path = dir.File("f.tir");
  module.save(path.c_str());
  EXPECT_EQ(
      RunGraph(context, tapeir::Module::load(context, path.c_str()), data),
      live);
  return live;
}

}  // namespace

TEST(CppChapter, Arange) {
  const auto context = tapeir::Context::create();
  const auto tape = tapeir::Tape::create(context);
  const Value x = reshape(arange(tape, TIR_DTYPE_F32, 4), {4, 1});
  EXPECT_EQ(x.text(), "[[0.] [1.] [2.] [3.]]");
  EXPECT_EQ(x.dims(), (std::vector<int64_t>{4, 1}));
  x.attach_grad();
  EXPECT_EQ(x.grad().text(), "[[0.] [0.] [0.] [0.]]");
  EXPECT_FALSE(tape.is_training());
  {
    const auto recording = tape.record();
    EXPECT_TRUE(tape.is_training());
    const auto predicting = tape.predict();
    EXPECT_TRUE(tape.is_recording());
    EXPECT_FALSE(tape.is_training());
  }
  EXPECT_FALSE(tape.is_recording());
}

TEST(CppChapter, Gradients) {
  const Floats x = {0, 1, 2, 3}, book = {1, 2, 3, 4};
  auto r = ThreeWays(TwiceDot, {4, 1}, x);
  EXPECT_EQ(r, (std::vector<Floats>{{28}, {0, 4, 8, 12}, {0}}));
  r = ThreeWays(NonScalarHead, {4, 1}, x);
  EXPECT_EQ(r, (std::vector<Floats>{{0, 4, 8, 12}}));
  r = ThreeWays(ChainByHand, {4, 1}, x);
  EXPECT_EQ(r, (std::vector<Floats>{x, {0, 2, 4, 6}}));
  r = ThreeWays(HeadGradient, {2, 2}, book);
  EXPECT_EQ(r[0], (Floats{4, 8, 12, 16}));
  const Floats expected = {40, 8, 1.2f, 0.16f};
  for (size_t i = 0; i < 4; i++) EXPECT_FLOAT_EQ(r[1][i], expected[i]);
}

TEST(CppChapter, ControlFlow) {
  const auto context = tapeir::Context::create();
  bool both[2] = {};
  for (unsigned seed = 1; seed <= 40; seed++) {
    tir_tape_options options = {};
    options.seed = seed;
    const auto tape = tapeir::Tape::create(context, &options);
    const Value a = normal(tape, TIR_DTYPE_F32, {}, 0, 1);
    a.attach_grad();
    Value d;
    bool positive = false;
    {
      const auto recording = tape.record();
      Value b = a * 2;
      while (norm(b).scalar() < 1000) b *= 2;
      positive = greater(sum(b), zeros_like(sum(b))).truth();
      d = positive ? b : 100 * b;
    }
    d.backward();
    both[positive] = true;
    const double slope = a.grad().scalar();
    EXPECT_EQ((a.grad() * a).scalar(), d.scalar());
    EXPECT_NEAR((d / a).scalar(), slope, positive ? 0 : slope * FLT_EPSILON);
  }
  EXPECT_TRUE(both[0] && both[1]);
}
