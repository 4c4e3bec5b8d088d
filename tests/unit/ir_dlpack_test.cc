// DLPack: what comes in is used where it lies or refused, whatever the fields
// say; memory lives as long as either side needs it.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tapeir/dlpack.h"
#include "tapeir/tapeir.h"
#include "tests/support/compiled.h"
#include "tests/support/context_fixture.h"

namespace {

// The layout of the official header, on any 64-bit system.
static_assert(sizeof(void *) == 8, "offsets below are of 64-bit systems");
static_assert(sizeof(DLDataType) == 4, "");
static_assert(sizeof(DLDevice) == 8, "");
static_assert(offsetof(DLTensor, device) == 8, "");
static_assert(offsetof(DLTensor, ndim) == 16, "");
static_assert(offsetof(DLTensor, dtype) == 20, "");
static_assert(offsetof(DLTensor, shape) == 24, "");
static_assert(offsetof(DLTensor, strides) == 32, "");
static_assert(offsetof(DLTensor, byte_offset) == 40, "");
static_assert(sizeof(DLTensor) == 48, "");
static_assert(offsetof(DLManagedTensor, manager_ctx) == 48, "");
static_assert(offsetof(DLManagedTensor, deleter) == 56, "");
static_assert(sizeof(DLManagedTensor) == 64, "");
static_assert(offsetof(DLManagedTensorVersioned, manager_ctx) == 8, "");
static_assert(offsetof(DLManagedTensorVersioned, deleter) == 16, "");
static_assert(offsetof(DLManagedTensorVersioned, flags) == 24, "");
static_assert(offsetof(DLManagedTensorVersioned, dl_tensor) == 32, "");
static_assert(sizeof(DLManagedTensorVersioned) == 80, "");

// A producer: elements, and both forms of the struct over them. The memory
// goes with the deleter, so that a use after it is seen by the sanitizer.
struct Producer {
  explicit Producer(std::vector<int64_t> dims, std::vector<float> elements)
      : shape(std::move(dims)),
        values(std::make_unique<float[]>(elements.size() + 1)) {
    std::copy(elements.begin(), elements.end(), values.get());
    DLTensor &t = plain.dl_tensor;
    t.data = values.get();
    t.device = {kDLCPU, 0};
    t.ndim = static_cast<int32_t>(shape.size());
    t.dtype = {kDLFloat, 32, 1};
    t.shape = shape.data();
    plain.manager_ctx = this;
    plain.deleter = [](DLManagedTensor *self) {
      static_cast<Producer *>(self->manager_ctx)->Delete();
    };
  }
  DLManagedTensor *Plain() { return &plain; }
  DLManagedTensorVersioned *Versioned(uint64_t flags = 0) {
    versioned.version = {1, 3};
    versioned.flags = flags;
    versioned.manager_ctx = this;
    versioned.dl_tensor = plain.dl_tensor;
    versioned.deleter = [](DLManagedTensorVersioned *self) {
      static_cast<Producer *>(self->manager_ctx)->Delete();
    };
    return &versioned;
  }
  void Delete() {
    n_deleted++;
    values.reset();
  }

  std::vector<int64_t> shape, strides;
  std::unique_ptr<float[]> values;
  DLManagedTensor plain = {};
  DLManagedTensorVersioned versioned = {};
  int n_deleted = 0;
};

class Dlpack : public testing::Test {
 protected:
  // A refused import leaves the producer alone.
  void Refused(Producer &p, uint32_t flags, tir_status status,
               const std::string &message) {
    tir_tensor *tensor = reinterpret_cast<tir_tensor *>(1);
    error_ = tir_error{};
    EXPECT_EQ(
        tir_tensor_from_dlpack(context_, p.Plain(), flags, &tensor, &error_),
        status)
        << message;
    EXPECT_EQ(tensor, nullptr);
    EXPECT_STREQ(error_.message, ("from_dlpack: " + message).c_str());
    EXPECT_EQ(error_.status, status);
    EXPECT_EQ(p.n_deleted, 0);
    EXPECT_EQ(tir_tensor_from_dlpack_versioned(context_, p.Versioned(), flags,
                                               &tensor, nullptr),
              status);
    EXPECT_EQ(p.n_deleted, 0);
  }
  Owned<tir_tensor> Import(Producer &p, uint32_t flags = 0) {
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(
        tir_tensor_from_dlpack(context_, p.Plain(), flags, &tensor, &error_),
        TIR_OK)
        << error_.message;
    return Owned<tir_tensor>(tensor);
  }
  static std::vector<float> Elements(const Owned<tir_tensor> &tensor) {
    const auto *data =
        static_cast<const float *>(tir_tensor_data(tensor.get()));
    return std::vector<float>(data, data + tir_tensor_numel(tensor.get()));
  }

  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
};

TEST_F(Dlpack, ImportUsesTheMemoryWhereItLies) {
  Producer p({2, 3}, {0, 1, 2, 3, 4, 5});
  auto tensor = Import(p);
  EXPECT_EQ(tir_tensor_data(tensor.get()), p.values.get());
  EXPECT_EQ(tir_tensor_dtype(tensor.get()), TIR_DTYPE_F32);
  EXPECT_EQ(tir_tensor_rank(tensor.get()), 2);
  EXPECT_EQ(tir_tensor_dim(tensor.get(), 1), 3);
  p.values[4] = 44;
  EXPECT_EQ(Elements(tensor)[4], 44);
  EXPECT_EQ(p.n_deleted, 0);
  tensor.reset();
  EXPECT_EQ(p.n_deleted, 1);
}

TEST_F(Dlpack, ByteOffset) {
  Producer p({2}, {0, 1, 2, 3});
  p.plain.dl_tensor.byte_offset = 8;
  EXPECT_EQ(Elements(Import(p)), (std::vector<float>{2, 3}));
  EXPECT_EQ(p.n_deleted, 1);
}

TEST_F(Dlpack, NoDeleterMeansTheMemoryStays) {
  Producer p({1}, {7});
  p.plain.deleter = nullptr;
  EXPECT_EQ(Elements(Import(p)), std::vector<float>{7});
  EXPECT_EQ(p.values[0], 7);
}

TEST_F(Dlpack, RowMajorStridesInAllTheirForms) {
  const struct {
    std::vector<int64_t> shape, strides;
  } cases[] = {
      {{2, 3}, {3, 1}},
      {{1, 3}, {INT64_MAX, 1}},  // an axis of one is never stepped along
      {{3, 1}, {1, -5}},
      {{2, 0, 3}, {-1, 99, INT64_MIN}},  // nothing is
      {{1, 1}, {INT64_MIN, INT64_MIN}},
      {{}, {}},
  };
  for (const auto &c : cases) {
    Producer p(c.shape, {0, 1, 2, 3, 4, 5});
    p.strides = c.strides;
    p.plain.dl_tensor.strides = p.strides.data();
    if (c.shape.empty()) p.plain.dl_tensor.shape = nullptr;
    const auto tensor = Import(p);
    EXPECT_EQ(tir_tensor_rank(tensor.get()), int(c.shape.size()));
    const std::vector<float> elements = Elements(tensor);
    for (size_t i = 0; i < elements.size(); i++)
      EXPECT_EQ(elements[i], static_cast<float>(i));
  }
}

TEST_F(Dlpack, OtherStridesAreRefusedOrCopied) {
  const struct {
    std::vector<int64_t> shape, strides;
    size_t first;
    std::vector<float> elements;
    const char *message;
  } cases[] = {
      {{3, 2},
       {1, 3},
       0,
       {0, 3, 1, 4, 2, 5},
       "strides [1, 3] of shape [3, 2] are not row-major, expected [2, 1]; "
       "TIR_DLPACK_COPY would copy"},
      {{3},
       {-2},
       5,
       {5, 3, 1},
       "strides [-2] of shape [3] are not row-major, expected [1]; "
       "TIR_DLPACK_COPY would copy"},
      {{2, 2},
       {0, 1},
       2,
       {2, 3, 2, 3},
       "strides [0, 1] of shape [2, 2] are not row-major, expected [2, 1]; "
       "TIR_DLPACK_COPY would copy"},
      {{2, 1, 2},
       {3, INT64_MAX, 1},
       0,
       {0, 1, 3, 4},
       "strides [3, 9223372036854775807, 1] of shape [2, 1, 2] are not "
       "row-major, expected [2, 2, 1]; TIR_DLPACK_COPY would copy"},
  };
  for (const auto &c : cases) {
    Producer p(c.shape, {0, 1, 2, 3, 4, 5});
    p.strides = c.strides;
    p.plain.dl_tensor.strides = p.strides.data();
    p.plain.dl_tensor.byte_offset = c.first * sizeof(float);
    Refused(p, 0, TIR_ERR_SHAPE, c.message);
    const auto copy = Import(p, TIR_DLPACK_COPY);
    EXPECT_EQ(p.n_deleted, 1) << "a copy needs the memory no longer";
    EXPECT_EQ(Elements(copy), c.elements);
    void *data = nullptr;
    EXPECT_EQ(tir_tensor_write_begin(copy.get(), &data, &error_), TIR_OK);
    tir_tensor_write_end(copy.get());
  }
}

TEST_F(Dlpack, MisalignedElementsAreRefusedOrCopied) {
  Producer p({2}, {0, 0, 0});
  auto *bytes = reinterpret_cast<char *>(p.values.get());
  const float values[] = {1.5f, -2};
  memcpy(bytes + 1, values, sizeof values);
  p.plain.dl_tensor.byte_offset = 1;
  Refused(p, 0, TIR_ERR_ARGUMENT,
          "data is not aligned to the 4 bytes of f32; TIR_DLPACK_COPY would "
          "copy");
  EXPECT_EQ(Elements(Import(p, TIR_DLPACK_COPY)),
            (std::vector<float>{1.5f, -2}));
  EXPECT_EQ(p.n_deleted, 1);
}

TEST_F(Dlpack, HostileFields) {
  static constexpr int64_t big = INT64_C(1) << 40;
  std::vector<int64_t> stride = {INT64_MAX / 2};
  const struct {
    std::function<void(DLTensor &)> spoil;
    tir_status status;
    const char *message;
  } cases[] = {
      {[](DLTensor &t) { t.device.device_type = static_cast<DLDeviceType>(2); },
       TIR_ERR_UNSUPPORTED, "device type is 2, expected 1, the CPU"},
      {[](DLTensor &t) {
         t.device.device_type = static_cast<DLDeviceType>(-7);
       },
       TIR_ERR_UNSUPPORTED, "device type is -7, expected 1, the CPU"},
      {[](DLTensor &t) { t.dtype.lanes = 4; }, TIR_ERR_DTYPE,
       "elements of 4 lanes, expected 1"},
      {[](DLTensor &t) { t.dtype.lanes = 0; }, TIR_ERR_DTYPE,
       "elements of 0 lanes, expected 1"},
      {[](DLTensor &t) { t.dtype.bits = 0; }, TIR_ERR_DTYPE,
       "type code 2 of 0 bits has no dtype here"},
      {[](DLTensor &t) { t.dtype.bits = 80; }, TIR_ERR_DTYPE,
       "type code 2 of 80 bits has no dtype here"},
      {[](DLTensor &t) { t.dtype.code = 5; }, TIR_ERR_DTYPE,
       "type code 5 of 32 bits has no dtype here"},
      {[](DLTensor &t) { t.dtype.code = 255; }, TIR_ERR_DTYPE,
       "type code 255 of 32 bits has no dtype here"},
      {[](DLTensor &t) { t.ndim = -1; }, TIR_ERR_ARGUMENT,
       "ndim is -1, expected 0 to 8"},
      {[](DLTensor &t) { t.ndim = 9; }, TIR_ERR_ARGUMENT,
       "ndim is 9, expected 0 to 8"},
      {[](DLTensor &t) { t.ndim = INT32_MIN; }, TIR_ERR_ARGUMENT,
       "ndim is -2147483648, expected 0 to 8"},
      {[](DLTensor &t) { t.shape = nullptr; }, TIR_ERR_ARGUMENT,
       "shape is NULL for ndim 1"},
      {[](DLTensor &t) { t.shape[0] = -4; }, TIR_ERR_ARGUMENT,
       "dim 0 is -4, expected 0 or more"},
      {[](DLTensor &t) { t.shape[0] = INT64_MAX; }, TIR_ERR_LIMIT,
       "f32[9223372036854775807] takes more than 9223372036854775807 bytes"},
      {[](DLTensor &t) {
         t.ndim = 2;
         t.shape[0] = t.shape[1] = big;
       },
       TIR_ERR_LIMIT,
       "f32[1099511627776, 1099511627776] takes more than "
       "9223372036854775807 bytes"},
      {[](DLTensor &t) { t.data = nullptr; }, TIR_ERR_ARGUMENT,
       "data is NULL, expected 8 bytes"},
      {[](DLTensor &t) { t.byte_offset = UINT64_MAX; }, TIR_ERR_LIMIT,
       "byte_offset 18446744073709551615 leaves the address space"},
      {[](DLTensor &t) { t.data = reinterpret_cast<void *>(UINTPTR_MAX - 3); },
       TIR_ERR_LIMIT, "strides [1] leave the address space"},
      {[&stride](DLTensor &t) {
         stride[0] = INT64_MAX / 2;
         t.strides = stride.data();
       },
       TIR_ERR_LIMIT, "strides [4611686018427387903] leave the address space"},
      {[&stride](DLTensor &t) {
         stride[0] = INT64_MIN / 4;  // times 4 bytes: just fits 64 bits
         t.strides = stride.data();
       },
       TIR_ERR_LIMIT, "strides [-2305843009213693952] leave the address space"},
  };
  for (const auto &c : cases) {
    Producer p({2, 2}, {0, 1, 2, 3});
    p.plain.dl_tensor.ndim = 1;
    c.spoil(p.plain.dl_tensor);
    Refused(p, 0, c.status, c.message);
    Refused(p, TIR_DLPACK_COPY, c.status, c.message);
  }
  Producer p({1}, {0});
  Refused(p, 2, TIR_ERR_ARGUMENT, "flags are 0x2, expected 0 or 1");
}

TEST_F(Dlpack, MissingArguments) {
  Producer p({1}, {0});
  tir_tensor *tensor = nullptr;
  EXPECT_EQ(tir_tensor_from_dlpack(nullptr, p.Plain(), 0, &tensor, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "from_dlpack: context is NULL");
  EXPECT_EQ(tir_tensor_from_dlpack(context_, nullptr, 0, &tensor, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_tensor_from_dlpack(context_, p.Plain(), 0, nullptr, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_tensor_from_dlpack_versioned(context_, nullptr, 0, &tensor, &error_),
      TIR_ERR_ARGUMENT);
  DLManagedTensor *plain = nullptr;
  DLManagedTensorVersioned *versioned = nullptr;
  EXPECT_EQ(tir_tensor_to_dlpack(nullptr, &plain, &error_), TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "to_dlpack: tensor is NULL");
  EXPECT_EQ(tir_tensor_to_dlpack_versioned(nullptr, &versioned, &error_),
            TIR_ERR_ARGUMENT);
  const auto kept = Import(p);
  EXPECT_EQ(tir_tensor_to_dlpack(kept.get(), nullptr, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_tensor_to_dlpack_versioned(kept.get(), nullptr, &error_),
            TIR_ERR_ARGUMENT);
}

TEST_F(Dlpack, OnlyMajorVersionOne) {
  for (uint32_t major : {0u, 2u, UINT32_MAX}) {
    Producer p({1}, {0});
    DLManagedTensorVersioned *managed = p.Versioned();
    managed->version = {major, 4};
    tir_tensor *tensor = nullptr;
    EXPECT_EQ(tir_tensor_from_dlpack_versioned(context_, managed, 0, &tensor,
                                               &error_),
              TIR_ERR_UNSUPPORTED);
    EXPECT_EQ(std::string(error_.message), "from_dlpack: version is " +
                                               std::to_string(major) +
                                               ".4, expected 1.x");
    EXPECT_EQ(p.n_deleted, 0);
  }
}

TEST_F(Dlpack, ReadOnlyMemoryIsNotWritten) {
  Producer p({2}, {1, 2});
  tir_tensor *made = nullptr;
  ASSERT_EQ(tir_tensor_from_dlpack_versioned(
                context_, p.Versioned(DLPACK_FLAG_BITMASK_READ_ONLY), 0, &made,
                &error_),
            TIR_OK);
  const Owned<tir_tensor> tensor(made);
  void *data = nullptr;
  EXPECT_EQ(tir_tensor_write_begin(tensor.get(), &data, &error_),
            TIR_ERR_STATE);
  EXPECT_EQ(data, nullptr);
  EXPECT_STREQ(error_.message,
               "tensor_write_begin: imported as read-only, write to a copy");
  DLManagedTensor *plain = nullptr;
  EXPECT_EQ(tir_tensor_to_dlpack(tensor.get(), &plain, &error_), TIR_ERR_STATE);
  EXPECT_EQ(plain, nullptr);
  EXPECT_STREQ(error_.message,
               "to_dlpack: the tensor must not be written, which only the "
               "versioned form can say");
  DLManagedTensorVersioned *versioned = nullptr;
  ASSERT_EQ(tir_tensor_to_dlpack_versioned(tensor.get(), &versioned, &error_),
            TIR_OK);
  EXPECT_EQ(versioned->flags, DLPACK_FLAG_BITMASK_READ_ONLY);
  versioned->deleter(versioned);
}

TEST_F(Dlpack, EveryDtypeThereAndBack) {
  for (int d = TIR_DTYPE_F32; d <= TIR_DTYPE_BOOL; d++) {
    const auto dtype = static_cast<tir_dtype>(d);
    const int64_t dims[] = {2, 3, 5};
    tir_tensor *made = nullptr;
    ASSERT_EQ(tir_tensor_create(context_, dtype, dims, 3, &made, &error_),
              TIR_OK);
    Owned<tir_tensor> tensor(made);
    DLManagedTensorVersioned *managed = nullptr;
    ASSERT_EQ(tir_tensor_to_dlpack_versioned(tensor.get(), &managed, &error_),
              TIR_OK);
    const DLTensor &t = managed->dl_tensor;
    EXPECT_EQ(managed->version.major, 1u);
    EXPECT_EQ(managed->flags, 0u);
    EXPECT_EQ(t.data, tir_tensor_data(tensor.get()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data) % 64, 0u);
    EXPECT_EQ(t.byte_offset, 0u);
    EXPECT_EQ(t.dtype.bits, 8 * tir_dtype_size(dtype));
    EXPECT_EQ(t.dtype.lanes, 1);
    EXPECT_EQ(std::vector<int64_t>(t.shape, t.shape + t.ndim),
              (std::vector<int64_t>{2, 3, 5}));
    EXPECT_EQ(std::vector<int64_t>(t.strides, t.strides + t.ndim),
              (std::vector<int64_t>{15, 5, 1}));
    tensor.reset();  // the export holds the memory
    tir_tensor *again = nullptr;
    ASSERT_EQ(
        tir_tensor_from_dlpack_versioned(context_, managed, 0, &again, &error_),
        TIR_OK);
    EXPECT_EQ(tir_tensor_dtype(again), dtype);
    EXPECT_EQ(tir_tensor_data(again), t.data);
    tir_tensor_release(again);
  }
}

TEST_F(Dlpack, ExportOutlivesTensorAndContext) {
  tir_context *context = nullptr;
  ASSERT_EQ(tir_context_create(nullptr, &context, nullptr), TIR_OK);
  const float values[] = {3, 4};
  const int64_t dims[] = {2};
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(tir_tensor_from_data(context, TIR_DTYPE_F32, dims, 1, values,
                                 &tensor, nullptr),
            TIR_OK);
  DLManagedTensor *managed = nullptr;
  ASSERT_EQ(tir_tensor_to_dlpack(tensor, &managed, &error_), TIR_OK);
  tir_tensor_release(tensor);
  tir_context_destroy(context);
  auto *data = static_cast<float *>(managed->dl_tensor.data);
  EXPECT_EQ(data[1], 4);
  data[1] = 5;
  managed->deleter(managed);
}

// A tape reads an imported tensor by reference: no copy on the way, and the
// producer's memory stays until the tape has let go of it.
TEST_F(Dlpack, ImportedTensorOnATape) {
  Producer p({2}, {3, 4});
  tir_tape *tape = nullptr;
  ASSERT_EQ(tir_tape_create(context_, nullptr, &tape, &error_), TIR_OK);
  auto tensor = Import(p);
  const tir_value x = tir_value_from_tensor(tape, tensor.get());
  DLManagedTensor *plain = nullptr;
  EXPECT_EQ(tir_tensor_to_dlpack(tensor.get(), &plain, &error_), TIR_ERR_STATE)
      << "frozen by the tape";
  tensor.reset();
  EXPECT_EQ(p.n_deleted, 0);
  EXPECT_EQ(tir_read_scalar(tape, tir_norm(tape, x, nullptr, 0, false)), 5);
  EXPECT_EQ(tir_tape_check(tape, &error_), TIR_OK) << error_.message;
  tir_tape_destroy(tape);
  EXPECT_EQ(p.n_deleted, 1);
}

TEST(DlpackFailure, AllocationFailure) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    Producer lies({2}, {1, 2}), strided({2}, {1, 2, 3});
    strided.strides = {2};
    strided.plain.dl_tensor.strides = strided.strides.data();
    tir_tensor *a = nullptr, *b = nullptr;
    DLManagedTensor *out = nullptr;
    tir_status status =
        tir_tensor_from_dlpack(context, lies.Plain(), 0, &a, nullptr);
    EXPECT_EQ(lies.n_deleted, 0) << "still the caller's, or in use";
    if (status == TIR_OK)
      status = tir_tensor_from_dlpack(context, strided.Plain(), TIR_DLPACK_COPY,
                                      &b, nullptr);
    EXPECT_EQ(strided.n_deleted, b != nullptr);
    if (status == TIR_OK) status = tir_tensor_to_dlpack(a, &out, nullptr);
    EXPECT_EQ(out != nullptr, status == TIR_OK);
    tir_tensor_release(a);
    tir_tensor_release(b);
    EXPECT_EQ(lies.n_deleted, a && !out);
    if (out) out->deleter(out);
    EXPECT_EQ(lies.n_deleted, a != nullptr);
    return status;
  });
}

}  // namespace
