// Labels: threads
// Readers while a writer replaces the file: each sees one whole generation,
// and what is mapped stays as it was.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/compiled.h"
#include "tests/support/generations.h"
#include "tests/support/tir_file.h"

TEST(ReplaceReadersGate, NeverAMix) {
  constexpr uint32_t kGenerations = 400;
  const TempDir dir;
  const std::string path = dir.File("m.tir");
  const Owned<tir_context> context = MakeContext();
  {
    const Owned<tir_module> first(MakeGeneration(context.get(), 1));
    ASSERT_EQ(tir_module_save(first.get(), path.c_str(), nullptr), TIR_OK);
  }
  std::atomic<bool> done{false};
  std::atomic<uint32_t> saved{1}, n_loads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; i++) {
    readers.emplace_back([&, i] {
      int64_t last = 0;
      while (!done) {
        tir_load_options options = {};
        options.map = i % 2 == 1;
        tir_module *module = nullptr;
        tir_error error = {};
        const int64_t at_least = saved;
        ASSERT_EQ(tir_module_load(context.get(), path.c_str(), &options,
                                  &module, &error),
                  TIR_OK)
            << error.message;
        for (int p = 0; p < 6; p++)
          EXPECT_EQ(tir_module_verify_param(
                        module, ("p" + std::to_string(p)).c_str(), &error),
                    TIR_OK)
              << error.message;
        const int64_t generation = GenerationOf(module);
        EXPECT_GE(generation, at_least);
        EXPECT_GE(generation, last);
        last = generation;
        tir_module_destroy(module);
        n_loads++;
      }
    });
  }
  for (uint32_t generation = 2; generation <= kGenerations; generation++) {
    const Owned<tir_module> module(MakeGeneration(context.get(), generation));
    tir_error error = {};
    EXPECT_EQ(tir_module_save(module.get(), path.c_str(), &error), TIR_OK)
        << error.message;
    saved = generation;
  }
  done = true;
  for (std::thread &reader : readers) reader.join();
  printf("%u replacements, %u loads\n", kGenerations, n_loads.load());
  EXPECT_GT(n_loads, 100u);
  EXPECT_EQ(dir.List(), std::vector<std::string>{"m.tir"});
}

// Several writers to one path: one of them wins, none breaks another.
TEST(ReplaceReadersGate, SeveralWriters) {
  const TempDir dir;
  const std::string path = dir.File("m.tir");
  const Owned<tir_context> context = MakeContext();
  std::vector<std::thread> writers;
  for (uint32_t i = 0; i < 4; i++) {
    writers.emplace_back([&, i] {
      const Owned<tir_module> module(MakeGeneration(context.get(), i + 1));
      for (int k = 0; k < 50; k++) {
        tir_error error = {};
        EXPECT_EQ(tir_module_save(module.get(), path.c_str(), &error), TIR_OK)
            << error.message;
      }
    });
  }
  for (std::thread &writer : writers) writer.join();
  tir_module *module = nullptr;
  ASSERT_EQ(
      tir_module_load(context.get(), path.c_str(), nullptr, &module, nullptr),
      TIR_OK);
  EXPECT_GE(GenerationOf(module), 1);
  tir_module_destroy(module);
  EXPECT_EQ(dir.List(), std::vector<std::string>{"m.tir"});
}
