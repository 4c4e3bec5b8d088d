// The headers as C++, places and wrapper included.
#include <tapeir/sites.h>

#include <cstring>
#include <tapeir/tapeir.hpp>

int main() {
  tir_value (*add)(tir_tape *, tir_value, tir_value) = &tir_add;
  const auto context = tapeir::Context::create();
  const auto tape = tapeir::Tape::create(context);
  const tapeir::Value x = tape.value<float>({2}, {3, 4});
  return add != nullptr && std::strcmp(tir_version(), "0.1.0") == 0 &&
                 norm(x).scalar() == 5
             ? 0
             : 1;
}
