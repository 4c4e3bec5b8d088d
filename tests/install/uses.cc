// The headers as C++, places included.
#include <tapeir/sites.h>

#include <cstring>

int main() {
  tir_value (*add)(tir_tape *, tir_value, tir_value) = &tir_add;
  return add != nullptr && std::strcmp(tir_version(), "0.1.0") == 0 ? 0 : 1;
}
