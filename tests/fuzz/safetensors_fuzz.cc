// Any bytes as safetensors: named tensors or one clean error.
//
// Most mutations break the size of the header, so the bytes are also taken as
// a header alone, with as much data as its last number says.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "tapeir/tapeir.h"
#include "tests/support/safetensors_file.h"

namespace {

void Check(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "safetensors_fuzz: %s\n", what);
  abort();
}

void Load(tir_context *context, const std::string &bytes) {
  tir_module *module = nullptr;
  tir_error error = {};
  const tir_status status = tir_safetensors_load_memory(
      context, bytes.data(), bytes.size(), nullptr, &module, &error);
  Check((status == TIR_OK) == (module != nullptr), "module without success");
  Check(status == error.status, "status and error differ");
  Check(status == TIR_OK || error.message[0] != '\0', "no message");
  Check(status != TIR_ERR_FORMAT || error.byte_offset <= bytes.size(),
        "byte offset outside");
  const size_t n = module ? tir_module_n_params(module) : 0;
  for (size_t i = 0; i < n; i++) {
    const char *name = tir_module_param_name(module, i);
    tir_tensor *tensor = nullptr;
    Check(tir_module_get_param(module, name, &tensor, &error) == TIR_OK,
          error.message);
    tir_tensor_release(tensor);
  }
  tir_module_destroy(module);
}

// The largest number among the last bytes, cut to what a test can hold.
size_t DataBytes(const std::string &header) {
  const size_t close = header.rfind(']');
  const size_t comma = header.rfind(',', close);
  if (close == std::string::npos || comma == std::string::npos) return 0;
  return strtoul(header.c_str() + comma + 1, nullptr, 10) & 0xffff;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tir_context *context = nullptr;
  if (tir_context_create(nullptr, &context, nullptr) != TIR_OK) return 0;
  const std::string bytes(reinterpret_cast<const char *>(data), size);
  Load(context, bytes);
  Load(context, SafetensorsFile(bytes, std::string(DataBytes(bytes), 'x')));
  if (size > 8) {
    const std::string header = bytes.substr(8);
    Load(context, SafetensorsFile(header, std::string(DataBytes(header), 'x')));
  }
  tir_context_destroy(context);
  return 0;
}
