// Tensors: creation, wrapping, references, freezing, refusals.
#include <string>
#include <vector>

#include "tests/support/context_fixture.h"
#include "tests/support/internal.h"

namespace {

class Tensor : public testing::Test {
 protected:
  FailingAllocator allocator_;
  TestContext context_{&allocator_};
  tir_error error_ = {};
};

TEST_F(Tensor, StartsAsZeros) {
  const int64_t dims[] = {3, 5};
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(
      tir_tensor_create(context_, TIR_DTYPE_F64, dims, 2, &tensor, &error_),
      TIR_OK);
  EXPECT_EQ(tir_tensor_dtype(tensor), TIR_DTYPE_F64);
  EXPECT_EQ(tir_tensor_rank(tensor), 2);
  EXPECT_EQ(tir_tensor_dim(tensor, 0), 3);
  EXPECT_EQ(tir_tensor_dim(tensor, 1), 5);
  EXPECT_EQ(tir_tensor_dim(tensor, 2), -1);
  EXPECT_EQ(tir_tensor_dim(tensor, -1), -1);
  EXPECT_EQ(tir_tensor_dims(tensor)[1], 5);
  EXPECT_EQ(tir_tensor_numel(tensor), 15);
  EXPECT_EQ(tir_tensor_size_bytes(tensor), 120u);
  const auto *data = static_cast<const double *>(tir_tensor_data(tensor));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
  for (int i = 0; i < 15; i++) EXPECT_EQ(data[i], 0.0);
  tir_tensor_release(tensor);
}

TEST_F(Tensor, CopiesData) {
  float values[] = {1, 2, 3, 4};
  const int64_t dims[] = {4};
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(tir_tensor_from_data(context_, TIR_DTYPE_F32, dims, 1, values,
                                 &tensor, &error_),
            TIR_OK);
  values[0] = 99;
  const auto *data = static_cast<const float *>(tir_tensor_data(tensor));
  EXPECT_EQ(data[0], 1);
  EXPECT_EQ(data[3], 4);
  tir_tensor_release(tensor);
}

TEST_F(Tensor, EmptyTensors) {
  const int64_t dims[] = {4, 0, 2};
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(tir_tensor_from_data(context_, TIR_DTYPE_I64, dims, 3, nullptr,
                                 &tensor, &error_),
            TIR_OK);
  EXPECT_EQ(tir_tensor_numel(tensor), 0);
  EXPECT_EQ(tir_tensor_size_bytes(tensor), 0u);
  EXPECT_NE(tir_tensor_data(tensor), nullptr);
  tir_tensor_release(tensor);
}

TEST_F(Tensor, LargeBlocksAreZeroedAndAligned) {
  tir_context *plain = nullptr;
  ASSERT_EQ(tir_context_create(nullptr, &plain, nullptr), TIR_OK);
  for (int64_t n : {(2 << 20) - 64, 2 << 20, (5 << 20) + 1}) {
    tir_tensor *tensor = nullptr;
    ASSERT_EQ(tir_tensor_create(plain, TIR_DTYPE_U8, &n, 1, &tensor, nullptr),
              TIR_OK);
    const auto *bytes =
        static_cast<const unsigned char *>(tir_tensor_data(tensor));
    const size_t align = n >= (2 << 20) ? 2 << 20 : 64;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % align, 0u);
    for (int64_t i = 0; i < n; i++) ASSERT_EQ(bytes[i], 0);
    tir_tensor_release(tensor);
  }
  tir_context_destroy(plain);
}

TEST_F(Tensor, WrapsTheCallersMemory) {
  double values[] = {1, 2};
  const int64_t dims[] = {2};
  int n_released = 0;
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(tir_tensor_wrap(
                context_, TIR_DTYPE_F64, dims, 1, values,
                [](void *user) { ++*static_cast<int *>(user); }, &n_released,
                &tensor, &error_),
            TIR_OK);
  EXPECT_EQ(tir_tensor_data(tensor), values);
  EXPECT_EQ(tir_tensor_retain(tensor), tensor);
  tir_tensor_release(tensor);
  EXPECT_EQ(n_released, 0);
  tir_tensor_release(tensor);
  EXPECT_EQ(n_released, 1);

  ASSERT_EQ(tir_tensor_wrap(context_, TIR_DTYPE_F64, dims, 1, values, nullptr,
                            nullptr, &tensor, &error_),
            TIR_OK);
  tir_tensor_release(tensor);
}

TEST_F(Tensor, WrapNeedsWholeElements) {
  alignas(8) char bytes[32] = {};
  const int64_t dims[] = {1};
  for (tir_dtype dtype : {TIR_DTYPE_F64, TIR_DTYPE_F32, TIR_DTYPE_F16})
    for (size_t offset = 0; offset < 8; offset++) {
      tir_tensor *tensor = nullptr;
      const tir_status status =
          tir_tensor_wrap(context_, dtype, dims, 1, bytes + offset, nullptr,
                          nullptr, &tensor, &error_);
      const bool aligned = offset % tir_dtype_size(dtype) == 0;
      EXPECT_EQ(status, aligned ? TIR_OK : TIR_ERR_ARGUMENT);
      tir_tensor_release(tensor);
    }
}

struct BadShape {
  tir_dtype dtype;
  std::vector<int64_t> dims;
  int rank;
  tir_status status;
  const char *message;
};

TEST_F(Tensor, RefusesBadShapes) {
  const int64_t big = INT64_C(1) << 40;
  const std::vector<BadShape> cases = {
      {TIR_DTYPE_INVALID,
       {1},
       1,
       TIR_ERR_ARGUMENT,
       "tensor: dtype 0 does not exist"},
      {static_cast<tir_dtype>(15),
       {1},
       1,
       TIR_ERR_ARGUMENT,
       "tensor: dtype 15 does not exist"},
      {TIR_DTYPE_F32,
       {1, 1, 1, 1, 1, 1, 1, 1, 1},
       9,
       TIR_ERR_ARGUMENT,
       "tensor: rank is 9, expected 0 to 8"},
      {TIR_DTYPE_F32,
       {1},
       -1,
       TIR_ERR_ARGUMENT,
       "tensor: rank is -1, expected 0 to 8"},
      {TIR_DTYPE_F32,
       {2, -3},
       2,
       TIR_ERR_ARGUMENT,
       "tensor: dim 1 is -3, expected 0 or more"},
      {TIR_DTYPE_F32,
       {INT64_MIN},
       1,
       TIR_ERR_ARGUMENT,
       "tensor: dim 0 is -9223372036854775808, expected 0 or more"},
      {TIR_DTYPE_F32,
       {big, big},
       2,
       TIR_ERR_LIMIT,
       "tensor: more than 9223372036854775807 bytes"},
      {TIR_DTYPE_F64,
       {INT64_MAX / 8},
       1,
       TIR_ERR_LIMIT,
       "tensor: more than 9223372036854775807 bytes"},
      {TIR_DTYPE_F32,
       {big, big, 0},
       3,
       TIR_ERR_LIMIT,
       "tensor: more than 9223372036854775807 bytes"},
  };
  double data[1] = {};
  for (const BadShape &c : cases) {
    tir_tensor *tensor = reinterpret_cast<tir_tensor *>(1);
    EXPECT_EQ(tir_tensor_create(context_, c.dtype, c.dims.data(), c.rank,
                                &tensor, &error_),
              c.status);
    EXPECT_STREQ(error_.message, c.message);
    EXPECT_EQ(tensor, nullptr);
    EXPECT_EQ(tir_tensor_from_data(context_, c.dtype, c.dims.data(), c.rank,
                                   data, &tensor, &error_),
              c.status);
    EXPECT_EQ(tir_tensor_wrap(context_, c.dtype, c.dims.data(), c.rank, data,
                              nullptr, nullptr, &tensor, &error_),
              c.status);
  }
}

TEST_F(Tensor, RefusesMissingArguments) {
  const int64_t dims[] = {2};
  tir_tensor *tensor = nullptr;
  EXPECT_EQ(
      tir_tensor_create(nullptr, TIR_DTYPE_F32, dims, 1, &tensor, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_tensor_create(context_, TIR_DTYPE_F32, nullptr, 1, &tensor, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(
      tir_tensor_create(context_, TIR_DTYPE_F32, dims, 1, nullptr, &error_),
      TIR_ERR_ARGUMENT);
  EXPECT_EQ(tir_tensor_from_data(context_, TIR_DTYPE_F32, dims, 1, nullptr,
                                 &tensor, &error_),
            TIR_ERR_ARGUMENT);
  EXPECT_STREQ(error_.message, "tensor: data is NULL, expected 8 bytes");
  EXPECT_EQ(tir_tensor_wrap(context_, TIR_DTYPE_F32, dims, 1, nullptr, nullptr,
                            nullptr, &tensor, &error_),
            TIR_ERR_ARGUMENT);
}

// What a system cannot give is MEMORY, not a crash.
TEST_F(Tensor, HugeTensorIsOutOfMemory) {
  const int64_t dims[] = {INT64_C(1) << 60};
  tir_tensor *tensor = nullptr;
  FailingAllocator *allocator = &allocator_;
  allocator->FailAt(allocator->n_allocs() + 2);  // the data, not the struct
  EXPECT_EQ(
      tir_tensor_create(context_, TIR_DTYPE_U8, dims, 1, &tensor, &error_),
      TIR_ERR_MEMORY);
  EXPECT_STREQ(error_.message,
               "out of memory: 1152921504606846976 bytes asked");
}

TEST_F(Tensor, NullIsHarmless) {
  EXPECT_EQ(tir_tensor_retain(nullptr), nullptr);
  tir_tensor_release(nullptr);
  EXPECT_EQ(tir_tensor_dtype(nullptr), TIR_DTYPE_INVALID);
  EXPECT_EQ(tir_tensor_rank(nullptr), 0);
  EXPECT_EQ(tir_tensor_dim(nullptr, 0), -1);
  EXPECT_NE(tir_tensor_dims(nullptr), nullptr);
  EXPECT_EQ(tir_tensor_numel(nullptr), 0);
  EXPECT_EQ(tir_tensor_size_bytes(nullptr), 0u);
  EXPECT_EQ(tir_tensor_data(nullptr), nullptr);
  void *data = nullptr;
  EXPECT_EQ(tir_tensor_write_begin(nullptr, &data, nullptr), TIR_ERR_ARGUMENT);
  tir_tensor_write_end(nullptr);
}

TEST_F(Tensor, FrozenTensorIsNotWritten) {
  tir_tensor *tensor = nullptr;
  ASSERT_EQ(
      tir_tensor_create(context_, TIR_DTYPE_F32, nullptr, 0, &tensor, &error_),
      TIR_OK);
  void *data = nullptr;
  ASSERT_EQ(tir_tensor_write_begin(tensor, &data, &error_), TIR_OK);
  EXPECT_EQ(data, tir_tensor_data(tensor));
  tir_tensor_write_end(tensor);

  tir_base_tensor_freeze(tensor);
  tir_base_tensor_freeze(tensor);
  EXPECT_EQ(tir_tensor_write_begin(tensor, &data, &error_), TIR_ERR_STATE);
  EXPECT_EQ(data, nullptr);
  EXPECT_STREQ(error_.message,
               "tensor_write_begin: read by reference by 2 holders, write to "
               "a copy");
  tir_base_tensor_thaw(tensor);
  EXPECT_EQ(tir_tensor_write_begin(tensor, &data, &error_), TIR_ERR_STATE);
  tir_base_tensor_thaw(tensor);
  EXPECT_EQ(tir_tensor_write_begin(tensor, &data, &error_), TIR_OK);
  tir_tensor_write_end(tensor);
  EXPECT_EQ(tir_tensor_write_begin(tensor, nullptr, &error_), TIR_ERR_ARGUMENT);
  tir_tensor_release(tensor);
}

TEST(TensorFailure, AllocationFailure) {
  ForEachFailingAllocation([](FailingAllocator &allocator) {
    const TestContext context(&allocator);
    if (context.status() != TIR_OK) return context.status();
    const int64_t dims[] = {1000, 700};
    tir_tensor *a = nullptr, *b = nullptr;
    tir_status status =
        tir_tensor_create(context, TIR_DTYPE_F32, dims, 2, &a, nullptr);
    EXPECT_EQ(a != nullptr, status == TIR_OK);
    if (status == TIR_OK)
      status = tir_tensor_from_data(context, TIR_DTYPE_F32, dims, 2,
                                    tir_tensor_data(a), &b, nullptr);
    EXPECT_EQ(b != nullptr, status == TIR_OK);
    tir_tensor_release(a);
    tir_tensor_release(b);
    return status;
  });
}

}  // namespace
