// safetensors: what the format allows is read, what is written can be read
// again, and a module takes its parameters over.
#include "tests/support/safetensors_fixture.h"

// --- reading -----------------------------------------------------------------

TEST_F(SerializeSafetensors, ReadsWhatTheFormatAllows) {
  const auto module = LoadHeader(
      " \t\r\n{ \"__metadata__\" : {\"k\":\"v\\u0041\\/\"} ,\n"
      "\"b\": {\"shape\":[2 , 1], \"data_offsets\":[4,12],\"dtype\":\"I32\"},"
      "\"a\\n\\u0416\\ud83d\\ude00\": {\"dtype\":\"F32\", \"shape\":[],"
      "\"data_offsets\":[0,4]}}   ",
      std::string("\0\0\x80\x3f\1\0\0\0\2\0\0\0", 12));
  ASSERT_NE(module, nullptr) << error_.message;
  ASSERT_EQ(tir_module_n_params(module.get()), 2u);
  EXPECT_EQ(tir_module_n_graphs(module.get()), 0u);
  // In the order of the data.
  EXPECT_STREQ(tir_module_param_name(module.get(), 0), "a\nЖ\xF0\x9F\x98\x80");
  EXPECT_STREQ(tir_module_param_name(module.get(), 1), "b");
  EXPECT_EQ(tir_module_param_kind(module.get(), 1), TIR_PARAM_TRAINABLE);
  EXPECT_STREQ(tir_module_get_metadata(module.get(), "k"), "vA/");
  const auto a = Param(module, "a\nЖ\xF0\x9F\x98\x80"), b = Param(module, "b");
  EXPECT_EQ(a->rank, 0);
  EXPECT_EQ(*static_cast<const float *>(a->data), 1.0f);
  EXPECT_EQ(static_cast<const int32_t *>(b->data)[1], 2);
}

TEST_F(SerializeSafetensors, EmptyFiles) {
  for (const char *header : {"{}", "{\"__metadata__\":{}}", "{}      "}) {
    const auto module = LoadHeader(header);
    ASSERT_NE(module, nullptr) << error_.message;
    EXPECT_EQ(tir_module_n_params(module.get()), 0u);
  }
}

// Written in any order, with empty tensors between.
TEST_F(SerializeSafetensors, EntriesInAnyOrder) {
  const uint64_t n = 60;
  std::string data;
  for (uint64_t i = 0; i < n; i++) data += static_cast<char>(i);
  for (const uint64_t step : {1, 7, 11, 13, 29, 47, 59}) {  // coprime to n
    std::string header = "{";
    for (uint64_t i = 0; i < n; i++) {
      const uint64_t at = i * step % n;
      const std::string name = std::to_string(at);
      header += SafetensorsEntry(name, "U8", "[1]", at, at + 1) + "," +
                SafetensorsEntry("e" + name, "F64", "[0]", at, at) + ",";
    }
    header.back() = '}';
    const auto module = LoadHeader(header, data);
    ASSERT_NE(module, nullptr) << error_.message;
    for (uint64_t i = 0; i < n; i++)
      EXPECT_EQ(Data(Param(module, std::to_string(i).c_str())),
                std::string(1, static_cast<char>(i)));
  }
}

TEST_F(SerializeSafetensors, BoolsAreZeroOrOne) {
  const auto module =
      LoadHeader("{" + SafetensorsEntry("m", "BOOL", "[4]", 0, 4) + "}",
                 std::string("\0\1\2\xff", 4));
  ASSERT_NE(module, nullptr) << error_.message;
  EXPECT_EQ(Data(Param(module, "m")), std::string("\0\1\1\1", 4));
}

// --- round trip --------------------------------------------------------------

TEST_F(SerializeSafetensors, RoundTrip) {
  const auto module = MakeWeights();
  const std::string bytes = Save(module);
  const auto again = LoadBytes(bytes);
  ASSERT_NE(again, nullptr) << error_.message;
  ExpectSameParams(module.get(), again.get());
  EXPECT_EQ(tir_module_n_metadata(again.get()), 2u);
  EXPECT_STREQ(tir_module_get_metadata(again.get(), "format"), "a \"b\"\n");
  EXPECT_STREQ(tir_module_get_metadata(again.get(), "empty"), "");
  // Written once more it is the same file, and the path works as memory does.
  EXPECT_EQ(Save(again), bytes);
  tir_module *from_path = nullptr;
  ASSERT_EQ(
      tir_safetensors_load(context_.get(), dir_.File("w.safetensors").c_str(),
                           nullptr, &from_path, &error_),
      TIR_OK)
      << error_.message;
  ExpectSameParams(module.get(), from_path);
  tir_module_destroy(from_path);
}

// The layout other readers rely on.
TEST_F(SerializeSafetensors, WrittenLayout) {
  auto module = MakeModule(context_.get());
  AddParam(module, "byte", MakeTensor(TIR_DTYPE_U8, {3}, 0));
  AddParam(module, "wide", MakeTensor(TIR_DTYPE_F64, {1}, 1));
  const std::string header =
      "{" + SafetensorsEntry("wide", "F64", "[1]", 0, 8) + "," +
      SafetensorsEntry("byte", "U8", "[3]", 8, 11) + "}";
  const size_t padded = (8 + header.size() + 63) / 64 * 64 - 8;
  EXPECT_EQ(Save(module),
            SafetensorsFile(
                header + std::string(padded - header.size(), ' '),
                Data(Param(module, "wide")) + Data(Param(module, "byte"))));
}

TEST_F(SerializeSafetensors, SampleModules) {
  for (int i = 0; i < kNSampleModules; i++) {
    SCOPED_TRACE(kSampleModules[i].name);
    const Owned<tir_module> module(kSampleModules[i].make(context_.get()));
    const auto again = LoadBytes(Save(module));
    ASSERT_NE(again, nullptr) << error_.message;
    ExpectSameParams(module.get(), again.get());
  }
}

// --- into a module -----------------------------------------------------------

TEST_F(SerializeSafetensors, LoadInto) {
  const std::string path = dir_.File("w.safetensors");
  const auto saved = MakeWeights();
  Save(saved);
  const auto module = MakeModule(context_.get());
  for (size_t i = saved->params.count; i-- > 0;) {
    const tir_tensor *like = saved->params.data[i].tensor;
    AddParam(
        module, tir_module_param_name(saved.get(), i),
        MakeTensor(like->dtype,
                   std::vector<int64_t>(like->dims, like->dims + like->rank),
                   77));
  }
  ASSERT_EQ(tir_safetensors_load_into(module.get(), path.c_str(), 0, nullptr,
                                      &error_),
            TIR_OK)
      << error_.message;
  ExpectSameParams(saved.get(), module.get());
  EXPECT_EQ(tir_module_n_metadata(module.get()), 0u);
}

TEST_F(SerializeSafetensors, LoadIntoIsAllOrNothing) {
  const std::string path = dir_.File("w.safetensors");
  const auto saved = MakeModule(context_.get());
  AddParam(saved, "a", MakeTensor(TIR_DTYPE_F32, {2}, 1));
  AddParam(saved, "b", MakeTensor(TIR_DTYPE_F32, {3}, 2));
  AddParam(saved, "c", MakeTensor(TIR_DTYPE_F32, {3}, 3));
  Save(saved);
  const struct {
    std::vector<std::pair<const char *, tir_dtype>> params;
    std::vector<int64_t> dims;
    uint32_t flags;
    tir_status status;
    const char *message;
  } cases[] = {
      {{{"a", TIR_DTYPE_F32}},
       {2},
       0,
       TIR_ERR_ARGUMENT,
       "no param for tensor \"b\" and 1 more"},
      {{{"a", TIR_DTYPE_F32}},
       {2},
       TIR_WEIGHTS_ALLOW_MISSING,
       TIR_ERR_ARGUMENT,
       "no param for tensor \"b\" and 1 more"},
      {{{"x", TIR_DTYPE_F32}, {"a", TIR_DTYPE_F32}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA,
       TIR_ERR_ARGUMENT,
       "no tensor for param \"x\""},
      {{{"a", TIR_DTYPE_F32}, {"b", TIR_DTYPE_F32}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA,
       TIR_ERR_SHAPE,
       "module: param \"b\" is f32[2], the one to copy is f32[3]"},
      {{{"a", TIR_DTYPE_F64}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA,
       TIR_ERR_DTYPE,
       "module: param \"a\" is f64[2], the one to copy is f32[2]"},
      {{{"a", TIR_DTYPE_F32}},
       {2},
       4,
       TIR_ERR_ARGUMENT,
       "load: flags are 0x4, expected 0 to 3"},
      {{{"a", TIR_DTYPE_F32}, {"x", TIR_DTYPE_F64}},
       {2},
       TIR_WEIGHTS_ALLOW_EXTRA | TIR_WEIGHTS_ALLOW_MISSING,
       TIR_OK,
       ""},
  };
  for (const auto &c : cases) {
    const auto module = MakeModule(context_.get());
    for (const auto &param : c.params)
      AddParam(module, param.first, MakeTensor(param.second, c.dims, 50));
    error_ = tir_error{};
    EXPECT_EQ(tir_safetensors_load_into(module.get(), path.c_str(), c.flags,
                                        nullptr, &error_),
              c.status);
    EXPECT_NE(std::string(error_.message).find(c.message), std::string::npos)
        << error_.message;
    const bool updated = Data(Param(module, "a")) == Data(Param(saved, "a"));
    EXPECT_EQ(updated, c.status == TIR_OK) << c.message;
    if (c.params.size() == 2) {
      EXPECT_EQ(Data(Param(module, c.params[1].first)) ==
                    Data(MakeTensor(c.params[1].second, c.dims, 50)),
                strcmp(c.params[1].first, "a") != 0 || c.status != TIR_OK);
    }
  }
}

TEST_F(SerializeSafetensors, Misuse) {
  const std::string path = dir_.File("w.safetensors");
  const auto module = MakeModule(context_.get());
  tir_module *out = nullptr;
  EXPECT_EQ(tir_safetensors_load(nullptr, path.c_str(), nullptr, &out, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_safetensors_load(context_.get(), nullptr, nullptr, &out, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_load(context_.get(), path.c_str(), nullptr, nullptr,
                                 &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_safetensors_load_into(nullptr, path.c_str(), 0, nullptr, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_safetensors_load_into(module.get(), nullptr, 0, nullptr, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_save(nullptr, path.c_str(), &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_save(module.get(), nullptr, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_safetensors_load(context_.get(), path.c_str(), nullptr, &out,
                                 &error_),
            TIR_ERR_IO);
  AddParam(module, "__metadata__", MakeTensor(TIR_DTYPE_U8, {1}, 1));
  EXPECT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message,
               "save: a parameter is named \"__metadata__\", which safetensors "
               "keeps for metadata");
  EXPECT_TRUE(dir_.List().empty());
  tir_ir_module_set_torn(module.get());
  EXPECT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_),
            TIR_ERR_TORN);
}

TEST_F(SerializeSafetensors, OutOfMemory) {
  const std::string bytes = Save(MakeWeights());
  const std::string path = dir_.File("w.safetensors");
  ForEachFailingAllocation([&](FailingAllocator &allocator) {
    const tir_context_options options = allocator.Options();
    tir_context *context = nullptr;
    tir_status status = tir_context_create(&options, &context, nullptr);
    if (status != TIR_OK) return status;
    tir_module *module = nullptr;
    status = tir_safetensors_load_memory(context, bytes.data(), bytes.size(),
                                         nullptr, &module, nullptr);
    EXPECT_EQ(status == TIR_OK, module != nullptr);
    if (status == TIR_OK)
      status = tir_safetensors_save(module, path.c_str(), nullptr);
    if (status == TIR_OK)
      status =
          tir_safetensors_load_into(module, path.c_str(), 0, nullptr, nullptr);
    EXPECT_EQ(ReadFile(path), bytes);
    tir_module_destroy(module);
    tir_context_destroy(context);
    return status;
  });
}
