// Any bytes as a .tir file: a module or one clean error.
//
// A checksum would stop nearly every mutation at the door, so the bytes are
// also taken as a graph section alone, behind a header that is right.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

#include "tapeir/tapeir.h"
#include "tests/support/internal.h"

extern "C" {
#include "serialize/header.h"
}

namespace {

void Check(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "file_fuzz: %s\n", what);
  abort();
}

// The graph section of a file, or all bytes of what does not look like one.
std::vector<uint8_t> WithHeader(const uint8_t *graph, size_t size) {
  const size_t kGraphBytesAt = 16;
  if (size > TIR_SER_HEADER_BYTES && memcmp(graph, "TAPEIR", 6) == 0) {
    uint64_t inside = 0;
    memcpy(&inside, graph + kGraphBytesAt, sizeof inside);
    graph += TIR_SER_HEADER_BYTES;
    size -= TIR_SER_HEADER_BYTES;
    if (inside < size) size = inside;
  }
  tir_ser_header header = {};
  header.major = TIR_SER_MAJOR;
  header.minor = TIR_SER_MINOR;
  header.graph_bytes = size;
  header.tensor_bytes = TIR_SER_ALIGN;  // room for one small tensor
  header.graph_hash = tir_base_hash(graph, size);
  Check(tir_ser_header_layout(&header), "layout");
  std::vector<uint8_t> file(header.file_bytes);
  tir_ser_header_encode(&header, file.data());
  if (size > 0) memcpy(file.data() + TIR_SER_HEADER_BYTES, graph, size);
  return file;
}

void Load(tir_context *context, const std::vector<uint8_t> &bytes) {
  tir_module *module = nullptr;
  tir_error error = {};
  const tir_status status = tir_module_load_memory(
      context, bytes.data(), bytes.size(), nullptr, &module, &error);
  Check((status == TIR_OK) == (module != nullptr), "module without success");
  Check(status == error.status, "status and error differ");
  Check(status == TIR_OK || error.message[0] != '\0', "no message");
  if (module) {
    char *text = nullptr;
    if (tir_module_to_text(module, &text, nullptr) == TIR_OK)
      tir_text_free(context, text);
  }
  tir_module_destroy(module);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tir_context *context = nullptr;
  if (tir_context_create(nullptr, &context, nullptr) != TIR_OK) return 0;
  Load(context, std::vector<uint8_t>(data, data + size));
  Load(context, WithHeader(data, size));
  tir_context_destroy(context);
  return 0;
}
