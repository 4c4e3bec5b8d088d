// Any bytes as text: a module or one clean error, and what parses prints to a
// text that parses to the same text again.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tapeir/tapeir.h"

namespace {

void Check(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "text_fuzz: %s\n", what);
  abort();
}

void RoundTrip(tir_context *context, tir_module *module) {
  char *text = nullptr, *again = nullptr;
  tir_error error = {};
  if (tir_module_to_text(module, &text, &error) != TIR_OK) return;
  tir_module *copy = nullptr;
  Check(tir_module_from_text(context, text, strlen(text), &copy, &error) ==
            TIR_OK,
        error.message);
  Check(tir_module_to_text(copy, &again, &error) == TIR_OK, error.message);
  Check(strcmp(text, again) == 0, "printed text is not stable");
  tir_text_free(context, text);
  tir_text_free(context, again);
  tir_module_destroy(copy);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tir_context *context = nullptr;
  if (tir_context_create(nullptr, &context, nullptr) != TIR_OK) return 0;
  tir_module *module = nullptr;
  tir_error error = {};
  const tir_status status = tir_module_from_text(
      context, reinterpret_cast<const char *>(data), size, &module, &error);
  Check((status == TIR_OK) == (module != nullptr), "module without success");
  Check(status == error.status, "status and error differ");
  Check(status == TIR_OK || error.message[0] != '\0', "no message");
  if (module) RoundTrip(context, module);
  tir_module_destroy(module);
  tir_context_destroy(context);
  return 0;
}
