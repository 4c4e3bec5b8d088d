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
  x.backward();
  (void)step.end({x});
  return GET(x.scalar()) + GET(instance.output<float>(0))[0];
}
