// C++ in one page: fit a line, save the model, load it and run it.
//
// Exits with 1 if a result is off.
#include <cmath>
#include <cstdio>
#include <vector>

#include "tapeir/tapeir.hpp"

namespace {

using tapeir::Value;

// What the model computes, live and captured alike.
Value line(Value x, Value slope, Value offset) { return x * slope + offset; }

// Gradient descent on the points; leaves slope and offset in the module.
void fit(const tapeir::Context &context, const tapeir::Module &module,
         const std::vector<float> &xs, const std::vector<float> &ys) {
  const auto tape = tapeir::Tape::create(context);
  const auto n = static_cast<std::int64_t>(xs.size());
  const Value x = tape.value<float>({n}, xs), y = tape.value<float>({n}, ys);
  const std::vector<Value> params = {param(tape, module, "slope"),
                                     param(tape, module, "offset")};
  for (const Value &p : params) p.attach_grad();
  const Value rate = tape.scalar(0.1f);
  for (int i = 0; i < 200; i++) {
    auto step = tape.step();
    Value loss;
    {
      const auto recording = tape.record();
      loss = mse(line(x, params[0], params[1]), y);
    }
    loss.backward();
    tir_sgd(tape.get(), tapeir::handles(params), params.size(), rate, false);
    step.end({loss});
    if (i % 50 == 0) std::printf("step %3d: loss %g\n", i, loss.scalar());
    loss.end();
  }
}

void capture(const tapeir::Context &context, const tapeir::Module &module) {
  const auto tape = tapeir::Tape::create(context);
  tapeir::Capture graph(tape, module, "line");
  const Value x = graph.input("x", TIR_DTYPE_F32, {3});
  graph.output("y", line(x, graph.param("slope"), graph.param("offset")));
  graph.end();
}

bool run() {
  const auto context = tapeir::Context::create();
  const char *path = "cpp_quickstart.tir";
  {
    const auto module = tapeir::Module::create(context);
    const auto zero = tapeir::Tensor::create(context, TIR_DTYPE_F32, {});
    module.add_param("slope", zero);
    module.add_param("offset", zero);
    fit(context, module, {-1, 0, 1, 2}, {-5, -2, 1, 4});  // y = 3x - 2
    capture(context, module);
    module.save(path);
  }
  const auto module = tapeir::Module::load(context, path);
  std::remove(path);
  const auto program = tapeir::Program::compile(context, module.graph("line"));
  const auto instance = tapeir::Instance::create(program, module);
  const std::vector<float> x = {10, 20, 30};
  instance.bind_input<float>(0, x);
  instance.run();
  const auto y = instance.output<float>(0);
  std::printf("line(10) = %.3f, line(20) = %.3f, line(30) = %.3f\n",
              static_cast<double>(y[0]), static_cast<double>(y[1]),
              static_cast<double>(y[2]));
  return std::fabs(y[0] - 28) < 0.01f && std::fabs(y[2] - 88) < 0.01f;
}

// Errors carry the op, the names and both shapes.
bool show_error() {
  const auto context = tapeir::Context::create();
  const auto tape = tapeir::Tape::create(context);
  const Value a = tape.value<float>({2}, {1, 2}).named("a");
  const Value b = tape.value<float>({3}, {1, 2, 3}).named("b");
  try {
    sum(a + b).scalar();
  } catch (const tapeir::Error &error) {
    std::printf("%s\n", error.what());
    return error.status() == TIR_ERR_SHAPE;
  }
  return false;
}

}  // namespace

int main() {
  try {
    return run() && show_error() ? 0 : 1;
  } catch (const tapeir::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
