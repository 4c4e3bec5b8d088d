// A parameter above 4 GiB: saved, loaded and mapped whole. The data is zero but
// for a mark at each end, so the file is sparse where the system allows.
#include <gtest/gtest.h>

#include "tests/support/compiled.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/tir_file.h"
}

namespace {

// Zeros are not written but skipped.
ssize_t SparseWrite(void *, int fd, const void *bytes, size_t size) {
  const char *text = static_cast<const char *>(bytes);
  const bool zeros =
      size > 1 && text[0] == 0 && memcmp(text, text + 1, size - 1) == 0;
  if (!zeros) return tir_ser_io_system.write(nullptr, fd, bytes, size);
  return lseek(fd, static_cast<off_t>(size), SEEK_CUR) < 0
             ? -1
             : static_cast<ssize_t>(size);
}

}  // namespace

TEST(SerializeLargeSoak, TensorAboveFourGibibytes) {
  const int64_t n = (INT64_C(4) << 30) + 12345;
  const Owned<tir_context> context = MakeContext();
  const Owned<tir_module> module = MakeModule(context.get());
  tir_tensor *tensor = nullptr;
  tir_error error = {};
  ASSERT_EQ(
      tir_tensor_create(context.get(), TIR_DTYPE_I8, &n, 1, &tensor, &error),
      TIR_OK)
      << error.message;
  auto *data = static_cast<int8_t *>(tensor->data);
  data[0] = 7;
  data[n - 1] = 9;
  uint32_t index = 0;
  ASSERT_EQ(tir_ir_module_add_tensor(module.get(), "big", 3, TIR_PARAM_STATE,
                                     tensor, &index, &error),
            TIR_OK);
  // On a disk: memory holds the tensor already.
  ASSERT_EQ(setenv("TMPDIR", "/tmp", 0), 0);
  const TempDir dir;
  const std::string path = dir.File("big.tir");
  tir_ser_io io = tir_ser_io_system;
  io.write = SparseWrite;
  ASSERT_EQ(tir_ser_save(&io, module.get(), path.c_str(), &error), TIR_OK)
      << error.message;
  for (const bool map : {true, false}) {
    tir_load_options options = {};
    options.map = map;
    tir_module *loaded = nullptr;
    ASSERT_EQ(
        tir_module_load(context.get(), path.c_str(), &options, &loaded, &error),
        TIR_OK)
        << error.message;
    EXPECT_EQ(tir_module_verify_param(loaded, "big", &error), TIR_OK);
    const auto *read =
        static_cast<const int8_t *>(loaded->params.data[0].tensor->data);
    EXPECT_EQ(read[0], 7);
    EXPECT_EQ(read[n / 2], 0);
    EXPECT_EQ(read[n - 1], 9);
    tir_module_destroy(loaded);
  }
}
