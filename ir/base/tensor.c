// Tensors: refcounted dense data, owned or wrapped.
//
// Data is written between write_begin and write_end, and never while anyone
// reads it by reference (frozen). Own data comes from the context; of the
// caller's memory only the end is known, a function.
#include "ir/base/tensor.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/checked.h"

// Overflow is ruled out once, here; sizes computed later cannot fail.
static tir_status check_shape(tir_dtype dtype, const int64_t *dims, int rank,
                              tir_error *error) {
  if (tir_dtype_size(dtype) == 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tensor: dtype %d does not exist", (int)dtype);
  if (rank < 0 || rank > TIR_MAX_RANK)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tensor: rank is %d, expected 0 to %d", rank,
                         TIR_MAX_RANK);
  if (rank > 0 && !dims)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tensor: dims is NULL for rank %d", rank);
  for (int i = 0; i < rank; i++)
    if (dims[i] < 0)
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "tensor: dim %d is %" PRId64 ", expected 0 or more",
                           i, dims[i]);
  size_t bytes = 0;
  if (!tir_base_tensor_bytes(dims, rank, tir_dtype_size(dtype), &bytes))
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "tensor: more than %" PRIdPTR " bytes",
                         (intptr_t)PTRDIFF_MAX);
  return TIR_OK;
}

// A tensor without data. The shape was checked.
static tir_status new_tensor(tir_context *context, tir_dtype dtype,
                             const int64_t *dims, int rank,
                             tir_tensor **out_tensor, tir_error *error) {
  tir_tensor *tensor =
      tir_base_alloc_zero(context, sizeof *tensor, _Alignof(tir_tensor));
  if (!tensor) return tir_base_fail_memory(error, sizeof *tensor);
  atomic_init(&tensor->n_refs, 1);
  atomic_init(&tensor->n_frozen, 0);
  // Holds the context, so a tensor may outlive the caller's own use of it.
  tensor->context = tir_base_context_retain(context);
  tensor->dtype = dtype;
  tensor->rank = rank;
  for (int i = 0; i < rank; i++) tensor->dims[i] = dims[i];
  (void)tir_base_numel(tensor->dims, rank, &tensor->numel);
  (void)tir_base_tensor_bytes(tensor->dims, rank, tir_dtype_size(dtype),
                              &tensor->size_bytes);
  *out_tensor = tensor;
  return TIR_OK;
}

// Output pointers are cleared before anything can fail.
static tir_status check_call(tir_context *context, tir_dtype dtype,
                             const int64_t *dims, int rank,
                             tir_tensor **out_tensor, tir_error *error) {
  if (!out_tensor)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "tensor: out_tensor is NULL");
  *out_tensor = NULL;
  if (!context)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "tensor: context is NULL");
  return check_shape(dtype, dims, rank, error);
}

// Own memory, not filled yet except for the padding.
static tir_status new_owning(tir_context *context, tir_dtype dtype,
                             const int64_t *dims, int rank,
                             tir_tensor **out_tensor, tir_error *error) {
  TIR_TRY(check_call(context, dtype, dims, rank, out_tensor, error));
  tir_tensor *tensor = NULL;
  TIR_TRY(new_tensor(context, dtype, dims, rank, &tensor, error));
  // Even an empty tensor gets an address here.
  tensor->data =
      tir_base_alloc_pages(context, tensor->size_bytes, &tensor->alloc_bytes);
  if (!tensor->data) {
    const size_t size = tensor->size_bytes;
    // No data yet (alloc_bytes is 0), so this frees the struct alone.
    tir_tensor_release(tensor);
    return tir_base_fail_memory(error, size);
  }
  // Kernels may read the last line to its end; what they find there is 0.
  memset((char *)tensor->data + tensor->size_bytes, 0,
         tensor->alloc_bytes - tensor->size_bytes);
  *out_tensor = tensor;
  return TIR_OK;
}

tir_status tir_tensor_create(tir_context *context, tir_dtype dtype,
                             const int64_t *dims, int rank,
                             tir_tensor **out_tensor, tir_error *error) {
  TIR_TRY(new_owning(context, dtype, dims, rank, out_tensor, error));
  memset((*out_tensor)->data, 0, (*out_tensor)->size_bytes);
  return TIR_OK;
}

// An empty tensor needs no data.
static tir_status check_data(tir_dtype dtype, const int64_t *dims, int rank,
                             const void *data, tir_error *error) {
  size_t bytes = 0;
  (void)tir_base_tensor_bytes(dims, rank, tir_dtype_size(dtype), &bytes);
  if (bytes > 0 && !data)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tensor: data is NULL, expected %zu bytes", bytes);
  return TIR_OK;
}

tir_status tir_tensor_from_data(tir_context *context, tir_dtype dtype,
                                const int64_t *dims, int rank, const void *data,
                                tir_tensor **out_tensor, tir_error *error) {
  TIR_TRY(check_call(context, dtype, dims, rank, out_tensor, error));
  TIR_TRY(check_data(dtype, dims, rank, data, error));
  TIR_TRY(new_owning(context, dtype, dims, rank, out_tensor, error));
  if ((*out_tensor)->size_bytes > 0)
    memcpy((*out_tensor)->data, data, (*out_tensor)->size_bytes);
  return TIR_OK;
}

// On an error the memory is still the caller's and `release` is not called.
tir_status tir_tensor_wrap(tir_context *context, tir_dtype dtype,
                           const int64_t *dims, int rank, void *data,
                           void (*release)(void *user), void *user,
                           tir_tensor **out_tensor, tir_error *error) {
  TIR_TRY(check_call(context, dtype, dims, rank, out_tensor, error));
  TIR_TRY(check_data(dtype, dims, rank, data, error));
  // Kernels read whole elements.
  if ((uintptr_t)data % tir_dtype_size(dtype) != 0)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "tensor: data is not aligned to the %zu bytes of %s",
                         tir_dtype_size(dtype), tir_dtype_name(dtype));
  tir_tensor *tensor = NULL;
  TIR_TRY(new_tensor(context, dtype, dims, rank, &tensor, error));
  tensor->data = data;
  tensor->release = release;
  tensor->user = user;
  *out_tensor = tensor;
  return TIR_OK;
}

tir_tensor *tir_tensor_retain(tir_tensor *tensor) {
  if (tensor)
    atomic_fetch_add_explicit(&tensor->n_refs, 1, memory_order_relaxed);
  return tensor;
}

// The last holder's thread frees; acquire and release order all use before it.
void tir_tensor_release(tir_tensor *tensor) {
  if (!tensor) return;
  if (atomic_fetch_sub_explicit(&tensor->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  tir_context *context = tensor->context;
  // Own data has a size, foreign data may have a function; never both.
  if (tensor->alloc_bytes > 0)
    tir_base_free_pages(context, tensor->data, tensor->alloc_bytes);
  if (tensor->release) tensor->release(tensor->user);
  tir_base_free(context, tensor, sizeof *tensor, _Alignof(tir_tensor));
  tir_base_context_release(context);
}

// --- getters: harmless on NULL ---------------------------------------------

tir_dtype tir_tensor_dtype(const tir_tensor *tensor) {
  return tensor ? tensor->dtype : TIR_DTYPE_INVALID;
}

int tir_tensor_rank(const tir_tensor *tensor) {
  return tensor ? tensor->rank : 0;
}

int64_t tir_tensor_dim(const tir_tensor *tensor, int axis) {
  if (!tensor || axis < 0 || axis >= tensor->rank) return -1;
  return tensor->dims[axis];
}

// Never NULL, so that a caller may index it as rank says.
const int64_t *tir_tensor_dims(const tir_tensor *tensor) {
  static const int64_t none[TIR_MAX_RANK] = {0};
  return tensor ? tensor->dims : none;
}

int64_t tir_tensor_numel(const tir_tensor *tensor) {
  return tensor ? tensor->numel : 0;
}

size_t tir_tensor_size_bytes(const tir_tensor *tensor) {
  return tensor ? tensor->size_bytes : 0;
}

const void *tir_tensor_data(const tir_tensor *tensor) {
  return tensor ? tensor->data : NULL;
}

// --- writing ---------------------------------------------------------------

tir_status tir_tensor_write_begin(tir_tensor *tensor, void **out_data,
                                  tir_error *error) {
  if (!tensor || !out_data)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "tensor_write_begin: %s",
                         tensor ? "out_data is NULL" : "tensor is NULL");
  *out_data = NULL;
  if (tensor->read_only)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "tensor_write_begin: imported as read-only, write "
                         "to a copy");
  // A check, not a lock: until write_end the caller keeps others from taking
  // the tensor.
  const int n = atomic_load_explicit(&tensor->n_frozen, memory_order_acquire);
  if (n > 0)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "tensor_write_begin: read by reference by %d "
                         "holder%s, write to a copy",
                         n, n == 1 ? "" : "s");
  *out_data = tensor->data;
  return TIR_OK;
}

// What was written is seen by whoever takes the tensor afterwards: handing it
// to a tape or run freezes it, an acquire on the same counter.
void tir_tensor_write_end(tir_tensor *tensor) {
  if (tensor)
    atomic_fetch_add_explicit(&tensor->n_frozen, 0, memory_order_release);
}

// While any holder reads by reference, nobody may write.
void tir_base_tensor_freeze(tir_tensor *tensor) {
  atomic_fetch_add_explicit(&tensor->n_frozen, 1, memory_order_acq_rel);
}

void tir_base_tensor_thaw(tir_tensor *tensor) {
  atomic_fetch_sub_explicit(&tensor->n_frozen, 1, memory_order_acq_rel);
}
