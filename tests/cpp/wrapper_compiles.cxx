// Compiled, not run: the wrapper under each standard and without exceptions
// and run-time types, with every template used.
#include "tapeir/tapeir.hpp"

#ifdef TAPEIR_NO_EXCEPTIONS
#define GET(expected) (*(expected))
#else
#define GET(expected) (expected)
#endif

double UseEverything(const char *path);

double UseEverything(const char *path) {
  auto context = GET(tapeir::Context::create());
  auto tape = GET(tapeir::Tape::create(context));
  auto module = GET(tapeir::Module::load(context, path));
  auto tensor = GET(tapeir::Tensor::from<float>(context, {2}, {1, 2}));
  auto program = GET(tapeir::Program::compile(context, module.graph_at(0)));
  auto instance = GET(tapeir::Instance::create(program, module));
  float in[] = {1, 2};
  (void)instance.bind_input<float>(0, in);
  (void)instance.run();
  auto step = tape.step();
  tapeir::Value x = GET(tape.value<float>({2}, GET(tensor.data<float>())));
  {
    auto recording = tape.record();
    x = sum(2 * x - x / 3, {0});
  }
  const tapeir::Value zero = x - x;
  const auto scanned = tapeir::scan(
      tape, {zero}, {}, 0,
      [](tapeir::Values carry, tapeir::Values, tapeir::Span<tapeir::Value> next,
         tapeir::Span<tapeir::Value>) { next[0] = carry[0] + 1; },
      {3, false, {}});
  const auto branch = [](tapeir::Values given,
                         tapeir::Span<tapeir::Value> out) {
    out[0] = given[0];
  };
  const auto chosen =
      tapeir::cond(tapeir::less(zero, x), branch, branch, {x}, 1);
  const auto last = tapeir::while_loop(
      {zero}, [&](tapeir::Values carry) { return tapeir::less(carry[0], x); },
      branch);
  x = x + scanned.carry[0] + chosen[0] + last[0];
  x.backward();
  (void)step.end({x});
  return GET(x.scalar()) + GET(instance.output<float>(0))[0];
}
