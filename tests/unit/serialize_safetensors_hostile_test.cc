// safetensors: no file makes the reader go astray, and no failing system call
// costs the old file.
#include "tests/support/safetensors_fixture.h"

// --- refusals ----------------------------------------------------------------

TEST_F(SerializeSafetensors, RefusedJson) {
  const std::string entry = SafetensorsEntry("a", "U8", "[4]", 0, 4);
  const std::string data(4, 'x');
  ASSERT_NE(LoadHeader("{" + entry + "}", data), nullptr);
  const struct {
    std::string header;
    const char *message;
  } cases[] = {
      {"", "header: expected '{' at position 0"},
      {"[]", "header: expected '{' at position 0"},
      {"{", "header: expected a string at position 1"},
      {"{" + entry, "header: expected ',' or '}' at position 52"},
      {"{" + entry + ",}", "header: expected a string at position 53"},
      {"{," + entry + "}", "header: expected a string at position 1"},
      {"{" + entry + "}x", "header: expected nothing more at position 53"},
      {"{" + entry + "}{}", "header: expected nothing more at position 53"},
      {std::string("{}\0", 3), "header: expected nothing more at position 2"},
      {"\xEF\xBB\xBF{}", "header: expected '{' at position 0"},
      {"{a:1}", "header: expected a string at position 1"},
      {"{'a':1}", "header: expected a string at position 1"},
      {"{\"a\" 1}", "header: expected ':' at position 5"},
      {"{\"a\":1}", "header: expected '{' at position 5"},
      {"{\"a\":{{}}}", "header: expected a string at position 6"},
      {"{\"a", "header: expected the end of a string at position 3"},
      {"{\"a\n\"", "header: expected no control character in a string"},
      {"{\"\\", "header: expected an escape"},
      {"{\"\\q\":", "header: expected an escape"},
      {"{\"\\u12", "header: expected four hexadecimal digits"},
      {"{\"\\u12g4\"", "header: expected four hexadecimal digits"},
      {"{\"\\u0000\"", "header: expected no zero character"},
      {"{\"\\ud800\"", "header: expected a surrogate pair"},
      {"{\"\\udc00\"", "header: expected a surrogate pair"},
      {"{\"\\ud800\\u0041\"", "header: expected the second half of a"},
      {"{\"\\ud800\\ud800\"", "header: expected the second half of a"},
      {"{\"\xff\":", "header: expected UTF-8 in the string before"},
      {"{\"\xed\xa0\x80\":", "header: expected UTF-8 in the string before"},
      {"{\"__metadata__\":1}", "header: expected '{'"},
      {"{\"__metadata__\":{\"a\":1}}", "header: expected a string"},
      {"{\"__metadata__\":{\"a\":{}}}", "header: expected a string"},
      {"{\"__metadata__\":{\"a\":null}}", "header: expected a string"},
      {"{\"__metadata__\":{\"a\":\"\",}}", "header: expected a string"},
  };
  for (const auto &c : cases)
    Refused(c.header, data, TIR_ERR_FORMAT, c.message);
  // Every byte may be missing.
  const std::string whole =
      "{\"__metadata__\":{\"k\":\"\\u0041\"}," + entry + "}";
  for (size_t i = 0; i < whole.size(); i++) {
    EXPECT_EQ(LoadHeader(whole.substr(0, i), data), nullptr) << i;
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT);
  }
}

TEST_F(SerializeSafetensors, RefusedEntries) {
  const std::string data(4, 'x');
  const auto with = [](const std::string &fields) {
    return "{\"a\":{" + fields + "}}";
  };
  const std::string dtype = "\"dtype\":\"U8\"", shape = "\"shape\":[4]",
                    offsets = "\"data_offsets\":[0,4]";
  ASSERT_NE(LoadHeader(with(dtype + "," + shape + "," + offsets), data),
            nullptr);
  const struct {
    std::string fields;
    const char *message;
  } cases[] = {
      {"", "header: tensor \"a\" has no dtype"},
      {dtype + "," + offsets, "header: tensor \"a\" has no shape"},
      {dtype + "," + shape, "header: tensor \"a\" has no data_offsets"},
      {dtype + "," + shape + "," + offsets + "," + dtype,
       "header: key \"dtype\" is given twice"},
      {dtype + "," + shape + "," + offsets + ",\"x\":0",
       "header: key \"x\" is not known"},
      {"\"dtype\":4", "header: expected a string"},
      {"\"shape\":4", "header: expected '['"},
      {"\"shape\":[4", "header: expected ',' or ']'"},
      {"\"shape\":[,4]", "header: expected an integer"},
      {"\"shape\":[4,]", "header: expected an integer"},
      {"\"shape\":[-4]", "header: expected an integer"},
      {"\"shape\":[+4]", "header: expected an integer"},
      {"\"shape\":[04]", "header: expected an integer"},
      {"\"shape\":[\"4\"]", "header: expected an integer"},
      {"\"shape\":[[4]]", "header: expected an integer"},
      {"\"shape\":[4.0]", "header: expected ',' or ']'"},
      {"\"shape\":[4e0]", "header: expected ',' or ']'"},
      {"\"shape\":[4 4]", "header: expected ',' or ']'"},
      {"\"data_offsets\":[]", "header: expected an integer"},
      {"\"data_offsets\":[0]", "header: expected ','"},
      {"\"data_offsets\":[0,4,4]", "header: expected ']'"},
      {"\"data_offsets\":{}", "header: expected '['"},
      {dtype + "," + shape + ",\"data_offsets\":[4,0]",
       "header: tensor \"a\" has data from 4 to 0, its shape needs 4 bytes"},
      {dtype + "," + shape + ",\"data_offsets\":[0,3]",
       "header: tensor \"a\" has data from 0 to 3, its shape needs 4 bytes"},
      {dtype + "," + shape + ",\"data_offsets\":[1,5]",
       "header: tensor \"a\" begins at 1, the data before it ends at 0"},
      {dtype + ",\"shape\":[3],\"data_offsets\":[0,3]",
       "file has 4 bytes of data, its tensors need 3"},
      {dtype + ",\"shape\":[5],\"data_offsets\":[0,5]",
       "file has 4 bytes of data, its tensors need 5"},
  };
  for (const auto &c : cases)
    Refused(with(c.fields), data, TIR_ERR_FORMAT, c.message);
  for (const char *name : {"U16", "U32", "U64", "F8_E4M3", "C64", "f32", ""})
    Refused(with("\"dtype\":\"" + std::string(name) + "\""), data,
            TIR_ERR_UNSUPPORTED, "header: dtype ");
  Refused(with("\"shape\":[1,1,1,1,1,1,1,1,1]"), data, TIR_ERR_LIMIT,
          "header: more than 8 dims");
  Refused(with("\"shape\":[9223372036854775808]"), data, TIR_ERR_LIMIT,
          "header: a number does not fit 63 bits");
  Refused(with("\"data_offsets\":[0,18446744073709551616]"), data,
          TIR_ERR_LIMIT, "header: a number does not fit 63 bits");
  for (const char *dims :
       {"[4294967296,4294967296]", "[9223372036854775807,2]",
        "[4611686018427387904,4]", "[1099511627776,1099511627776,0]"})
    Refused(with(dtype + ",\"shape\":" + dims + "," + offsets), data,
            TIR_ERR_LIMIT, "header: the shape of tensor \"a\" is too large");
  // 2^61 doubles: their bytes wrap to 0.
  Refused(with("\"dtype\":\"F64\",\"shape\":[2305843009213693952],"
               "\"data_offsets\":[0,0]"),
          "", TIR_ERR_LIMIT, "header: the shape of tensor \"a\" is too large");
}

TEST_F(SerializeSafetensors, RefusedTogether) {
  const auto two = [](const std::string &a, const std::string &b) {
    return "{" + a + "," + b + "}";
  };
  const std::string first = SafetensorsEntry("a", "U8", "[4]", 0, 4);
  const std::string data(8, 'x');
  ASSERT_NE(
      LoadHeader(two(first, SafetensorsEntry("b", "U8", "[4]", 4, 8)), data),
      nullptr);
  Refused(two(first, SafetensorsEntry("a", "U8", "[4]", 4, 8)), data,
          TIR_ERR_FORMAT, "module: there is a param named \"a\" already");
  Refused(two(first, SafetensorsEntry("\\u0061", "U8", "[4]", 4, 8)), data,
          TIR_ERR_FORMAT, "module: there is a param named \"a\" already");
  Refused(two(first, SafetensorsEntry("b", "U8", "[4]", 2, 6)), data,
          TIR_ERR_FORMAT,
          "header: tensor \"b\" begins at 2, the data before it ends at 4");
  Refused(two(first, SafetensorsEntry("b", "U8", "[4]", 0, 4)), data,
          TIR_ERR_FORMAT, "header: tensor \"b\" begins at 0");
  Refused(two(first, SafetensorsEntry("b", "U8", "[3]", 5, 8)), data,
          TIR_ERR_FORMAT, "header: tensor \"b\" begins at 5");
  Refused(two(first, SafetensorsEntry("", "U8", "[4]", 4, 8)), data,
          TIR_ERR_FORMAT, "module: param name is empty");
  Refused("{\"__metadata__\":{\"\":\"v\"}}", "", TIR_ERR_FORMAT,
          "module: metadata name is empty");
  const std::string metadata = "\"__metadata__\":{\"k\":\"v\"}";
  Refused(two(metadata, metadata), "", TIR_ERR_FORMAT,
          "header: __metadata__ is given twice");
  Refused("{\"__metadata__\":{\"k\":\"v\",\"\\u006b\":\"w\"}}", "",
          TIR_ERR_FORMAT, "header: metadata \"k\" is given twice");
}

TEST_F(SerializeSafetensors, RefusedStarts) {
  const std::string good = SafetensorsFile("{}", "");
  for (size_t size = 0; size < 8; size++) {
    EXPECT_EQ(LoadBytes(good.substr(0, size)), nullptr);
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT);
    EXPECT_EQ(error_.byte_offset, size);
  }
  for (const char *length :
       {"\3\0\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff",
        "\0\0\0\0\0\0\0\x80"}) {
    EXPECT_EQ(LoadBytes(std::string(length, 8) + "{}"), nullptr);
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT) << error_.message;
  }
  EXPECT_EQ(LoadBytes(std::string("\0\0\0\0\0\0\0\0", 8)), nullptr);
}

TEST_F(SerializeSafetensors, Limits) {
  const std::string header = "{" + SafetensorsEntry("abc", "U8", "[4]", 0, 4) +
                             "," + SafetensorsEntry("d", "U8", "[4]", 4, 8) +
                             "}";
  const std::string bytes = SafetensorsFile(header, std::string(8, 'x'));
  tir_load_options options = {};
  options.max_tensors = 2;
  options.max_name = 3;
  options.max_bytes = 16384;
  EXPECT_NE(LoadBytes(bytes, &options), nullptr) << error_.message;
  options.max_tensors = 1;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT);
  options.max_tensors = 0;
  options.max_name = 2;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT);
  options.max_name = 0;
  options.max_bytes = 256;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_LIMIT);
  options.max_bytes = 0;
  options.map = true;
  EXPECT_EQ(LoadBytes(bytes, &options), nullptr);
  EXPECT_EQ(error_.status, TIR_ERR_UNSUPPORTED);
  options.map = false;
  options.reserved[7] = 1;
  tir_module *module = nullptr;
  EXPECT_EQ(
      tir_safetensors_load_memory(context_.get(), bytes.data(), bytes.size(),
                                  &options, &module, &error_),
      TIR_ERR_ARGUMENT);
}

// --- damage ------------------------------------------------------------------

TEST_F(SerializeSafetensors, EveryTruncationIsRefused) {
  const std::string bytes = Save(MakeWeights());
  for (size_t size = 0; size < bytes.size(); size++) {
    EXPECT_EQ(LoadBytes(bytes.substr(0, size)), nullptr) << size;
    EXPECT_EQ(error_.status, TIR_ERR_FORMAT) << size << error_.message;
  }
  EXPECT_EQ(LoadBytes(bytes + "x"), nullptr);
}

// The format has no checksum: changed data loads as other data, a changed name
// as another name. Whatever loads can be saved and loaded again.
TEST_F(SerializeSafetensors, EveryByteFlip) {
  const std::string bytes = Save(MakeWeights());
  uint64_t header_bytes = 0;
  memcpy(&header_bytes, bytes.data(), 8);
  int n_refused = 0, n_loaded = 0;
  for (size_t i = 0; i < bytes.size(); i++) {
    for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string bad = bytes;
      bad[i] = static_cast<char>(bytes[i] ^ mask);
      const auto module = LoadBytes(bad);
      if (i < 8) {
        EXPECT_EQ(module, nullptr) << "the header's size fits its text";
      }
      if (i >= 8 + header_bytes) {
        EXPECT_NE(module, nullptr) << error_.message;
      }
      if (!module) {
        EXPECT_LE(error_.byte_offset, bytes.size());
        n_refused++;
      } else if (n_loaded++ % 16 == 0 &&
                 tir_module_find_param(module.get(), "__metadata__") < 0) {
        const auto again = LoadBytes(Save(module));
        ASSERT_NE(again, nullptr) << error_.message;
        ExpectSameParams(module.get(), again.get());
      }
    }
  }
  EXPECT_GT(n_refused, 1000);
  EXPECT_GT(n_loaded, 1000);
}

TEST_F(SerializeSafetensors, FailingSystemCalls) {
  const auto module = MakeWeights();
  const std::string path = dir_.File("x.safetensors");
  ASSERT_EQ(tir_safetensors_save(module.get(), path.c_str(), &error_), TIR_OK);
  const std::string before = ReadFile(path);
  const auto changed = MakeModule(context_.get());
  for (int at = 1;; at++) {
    FailingIo io(at, EIO);
    io.CutTo(100);
    const tir_status status =
        tir_ser_st_save(io.io(), changed.get(), path.c_str(), &error_);
    if (!io.failed()) {
      EXPECT_EQ(status, TIR_OK);
      EXPECT_GT(at, 5);
      break;
    }
    if (status != TIR_OK && io.calls().back() != "sync") {
      EXPECT_EQ(status, TIR_ERR_IO);
    }
    EXPECT_TRUE(ReadFile(path) == before || ReadFile(path) == Save(changed));
  }
  WriteFile(path, before);
  for (int at = 1;; at++) {
    FailingIo io(at, EIO);
    io.CutTo(100);
    tir_module *loaded = nullptr;
    const tir_status status = tir_ser_st_load(
        io.io(), context_.get(), path.c_str(), nullptr, &loaded, &error_);
    EXPECT_EQ(status == TIR_OK, loaded != nullptr);
    if (loaded) ExpectSameParams(module.get(), loaded);
    tir_module_destroy(loaded);
    if (!io.failed()) break;
    if (io.calls().back() != "close") {
      EXPECT_EQ(status, TIR_ERR_IO);
    }
  }
}
