// DLPack: tensors over foreign memory, and foreign views of tensors.
//
// An import trusts the struct in nothing but that its memory is where it says:
// every field is checked before it is used, and all of them before ownership
// moves. An export is one block with everything the struct points to. Of an
// import that succeeds the producer's deleter runs exactly once: when the
// wrapping tensor ends, or at once after a copy.
#include "tapeir/dlpack.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/strided.h"
#include "ir/base/tensor.h"
#include "ir/type.h"

enum { MAJOR = 1, MINOR = 0 };  // the version written, and the major read

// For both ways: by code and bits on import, by dtype on export.
static const struct {
  uint8_t code;
  tir_dtype dtype;
} types[] = {
    {kDLFloat, TIR_DTYPE_F32}, {kDLFloat, TIR_DTYPE_F64},
    {kDLFloat, TIR_DTYPE_F16}, {kDLBfloat, TIR_DTYPE_BF16},
    {kDLInt, TIR_DTYPE_I8},    {kDLUInt, TIR_DTYPE_U8},
    {kDLInt, TIR_DTYPE_I16},   {kDLInt, TIR_DTYPE_I32},
    {kDLInt, TIR_DTYPE_I64},   {kDLBool, TIR_DTYPE_BOOL},
};
enum { N_TYPES = sizeof types / sizeof *types };

// DLPack counts bits, and bool as 8 of them.
static uint8_t bits_of(tir_dtype dtype) {
  return (uint8_t)(8 * tir_dtype_size(dtype));
}

// --- import ----------------------------------------------------------------

// One import, with what was learned of it so far: each check fills the fields
// that those behind it rely on.
typedef struct importing {
  tir_context *context;
  const DLTensor *from;
  void *managed;  // either form
  void (*release)(void *managed);
  uint32_t flags;
  bool read_only;
  tir_ir_type type;
  int64_t strides[TIR_MAX_RANK];  // of a row-major tensor, where from has none
  void *data;                     // of the first element
  bool copied;
  tir_error *error;
} importing;

// Vectors of several lanes have no counterpart; nor have complex and narrow
// types.
static tir_status find_dtype(importing *q) {
  const DLDataType dtype = q->from->dtype;
  if (dtype.lanes != 1)
    return tir_base_fail(q->error, TIR_ERR_DTYPE,
                         "elements of %u lanes, expected 1", dtype.lanes);
  for (size_t i = 0; i < N_TYPES; i++) {
    if (types[i].code != dtype.code || bits_of(types[i].dtype) != dtype.bits)
      continue;
    q->type.dtype = types[i].dtype;
    return TIR_OK;
  }
  return tir_base_fail(q->error, TIR_ERR_DTYPE,
                       "type code %u of %u bits has no dtype here", dtype.code,
                       dtype.bits);
}

// The struct is foreign: a rank too large would be read past its arrays. The
// type check behind it bounds the number of elements, so that no product of
// sizes overflows from there on.
static tir_status check_shape(importing *q) {
  const DLTensor *from = q->from;
  if (from->ndim < 0 || from->ndim > TIR_MAX_RANK)
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "ndim is %" PRId32 ", expected 0 to %d", from->ndim,
                         TIR_MAX_RANK);
  if (from->ndim > 0 && !from->shape)
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "shape is NULL for ndim %" PRId32, from->ndim);
  q->type.rank = from->ndim;
  for (int i = 0; i < from->ndim; i++) q->type.dims[i] = from->shape[i];
  return tir_ir_type_check(&q->type, q->error);
}

// The address of the first element. An empty tensor has none.
static tir_status find_data(importing *q) {
  const DLTensor *from = q->from;
  if (tir_ir_type_numel(&q->type) == 0) return TIR_OK;
  if (!from->data)
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "data is NULL, expected %zu bytes",
                         tir_ir_type_bytes(&q->type));
  if (from->byte_offset > PTRDIFF_MAX ||
      from->byte_offset > UINTPTR_MAX - (uintptr_t)from->data)
    return tir_base_fail(q->error, TIR_ERR_LIMIT,
                         "byte_offset %" PRIu64 " leaves the address space",
                         from->byte_offset);
  q->data = (uint8_t *)from->data + from->byte_offset;
  return TIR_OK;
}

// Fills `strides` with those of the struct, and finds out whether they are
// compact and row-major.
static bool is_row_major(importing *q, tir_ir_type *expected) {
  *expected = q->type;
  bool same = true;
  int64_t stride = 1;
  for (int i = q->type.rank - 1; i >= 0; i--) {
    expected->dims[i] = stride;
    q->strides[i] = q->from->strides ? q->from->strides[i] : stride;
    // An axis of one element is never stepped along.
    same = same && (q->type.dims[i] == 1 || q->strides[i] == stride);
    // Cannot overflow: check_shape bounds the product of the dims other than 0,
    // and after a 0 it stays 0.
    stride *= q->type.dims[i];
  }
  // Without elements nothing is ever read, whatever the strides say.
  return same || tir_ir_type_numel(&q->type) == 0;
}

// Is every byte the strides reach inside the address space?
static bool strides_fit(const importing *q) {
  const int64_t size = (int64_t)tir_dtype_size(q->type.dtype);
  // Bytes reached below the first element, as a negative number, and above it,
  // its own included. Each axis reaches to one side only.
  int64_t low = 0, high = size;
  for (int i = 0; i < q->type.rank; i++) {
    if (q->type.dims[i] == 1) continue;  // never stepped along
    int64_t reach = 0;
    if (!tir_base_i64_mul(q->strides[i], size, &reach) ||
        !tir_base_i64_mul(reach, q->type.dims[i] - 1, &reach))
      return false;
    int64_t *end = reach < 0 ? &low : &high;
    if (!tir_base_i64_add(*end, reach, end)) return false;
  }
  const uintptr_t at = (uintptr_t)q->data;
  // −(low + 1) + 1 cannot overflow.
  const uint64_t below = low < 0 ? (uint64_t)(-(low + 1)) + 1 : 0;
  return below <= at && (uint64_t)high <= UINTPTR_MAX - at;
}

// The order of the checks is that of what the caller can do about it.
static tir_status check_layout(importing *q) {
  tir_ir_type expected;
  const size_t size = tir_dtype_size(q->type.dtype);
  const bool dense = is_row_major(q, &expected);
  // Kernels load whole elements, so an element must not lie across its
  // alignment. A copy puts that right as well.
  const bool aligned = (uintptr_t)q->data % size == 0;
  const bool may_copy = q->flags & TIR_DLPACK_COPY;
  tir_ir_type strides = q->type;
  memcpy(strides.dims, q->strides, sizeof strides.dims);
  char text[3][TIR_TYPE_TEXT_MAX];
  tir_ir_shape_text(&strides, text[0]);
  if (tir_ir_type_numel(&q->type) > 0 && !strides_fit(q))
    return tir_base_fail(q->error, TIR_ERR_LIMIT,
                         "strides %s leave the address space", text[0]);
  if (!dense && !may_copy)
    return tir_base_fail(q->error, TIR_ERR_SHAPE,
                         "strides %s of shape %s are not row-major, expected "
                         "%s; TIR_DLPACK_COPY would copy",
                         text[0], tir_ir_shape_text(&q->type, text[1]),
                         tir_ir_shape_text(&expected, text[2]));
  if (!aligned && !may_copy)
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "data is not aligned to the %zu bytes of %s; "
                         "TIR_DLPACK_COPY would copy",
                         size, tir_dtype_name(q->type.dtype));
  q->copied = !dense || !aligned;
  return TIR_OK;
}

static tir_status check_import(importing *q) {
  const DLTensor *from = q->from;
  if (q->flags & ~(uint32_t)TIR_DLPACK_COPY)
    return tir_base_fail(q->error, TIR_ERR_ARGUMENT,
                         "flags are 0x%" PRIx32 ", expected 0 or 1", q->flags);
  if (from->device.device_type != kDLCPU)
    return tir_base_fail(q->error, TIR_ERR_UNSUPPORTED,
                         "device type is %d, expected %d, the CPU",
                         (int)from->device.device_type, (int)kDLCPU);
  TIR_TRY(find_dtype(q));
  TIR_TRY(check_shape(q));
  TIR_TRY(find_data(q));
  return check_layout(q);
}

// The source is given back at once: nothing refers to it any more. An axis of
// one element gets stride 0: the number there may be anything and was not
// checked.
static tir_status copy_in(importing *q, tir_tensor **out_tensor) {
  TIR_TRY(tir_tensor_create(q->context, q->type.dtype, q->type.dims,
                            q->type.rank, out_tensor, q->error));
  const int64_t size = (int64_t)tir_dtype_size(q->type.dtype);
  for (int i = 0; i < q->type.rank; i++)
    q->strides[i] = q->type.dims[i] == 1 ? 0 : q->strides[i] * size;
  tir_base_copy_strided((*out_tensor)->data, q->data, q->type.dims, q->strides,
                        q->type.rank, (size_t)size);
  q->release(q->managed);
  return TIR_OK;
}

// Either way the source is taken over only when nothing can fail any more.
static tir_status import_checked(importing *q, tir_tensor **out_tensor) {
  TIR_TRY(check_import(q));
  if (q->copied) return copy_in(q, out_tensor);
  TIR_TRY(tir_tensor_wrap(q->context, q->type.dtype, q->type.dims, q->type.rank,
                          q->data, q->release, q->managed, out_tensor,
                          q->error));
  (*out_tensor)->read_only = q->read_only;
  return TIR_OK;
}

static tir_status check_call(const tir_context *context, const void *managed,
                             tir_tensor **out_tensor, tir_error *error) {
  if (out_tensor) *out_tensor = NULL;
  if (context && managed && out_tensor) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_ARGUMENT, "from_dlpack: %s is NULL",
                       !context   ? "context"
                       : !managed ? "managed"
                                  : "out_tensor");
}

// On an error the caller still owns the source, as if nothing was asked.
static tir_status run_import(importing *q, tir_tensor **out_tensor) {
  const tir_status status = import_checked(q, out_tensor);
  if (status != TIR_OK) tir_base_error_prefix(q->error, "from_dlpack");
  return status;
}

// DLPack lets the deleter be NULL: then nobody has to be told.
static void release_managed(void *user) {
  DLManagedTensor *managed = user;
  if (managed->deleter) managed->deleter(managed);
}

static void release_versioned(void *user) {
  DLManagedTensorVersioned *managed = user;
  if (managed->deleter) managed->deleter(managed);
}

tir_status tir_tensor_from_dlpack(tir_context *context,
                                  struct DLManagedTensor *managed,
                                  uint32_t flags, tir_tensor **out_tensor,
                                  tir_error *error) {
  TIR_TRY(check_call(context, managed, out_tensor, error));
  importing q = {.context = context,
                 .from = &managed->dl_tensor,
                 .managed = managed,
                 .release = release_managed,
                 .flags = flags,
                 .error = error};
  return run_import(&q, out_tensor);
}

tir_status tir_tensor_from_dlpack_versioned(
    tir_context *context, struct DLManagedTensorVersioned *managed,
    uint32_t flags, tir_tensor **out_tensor, tir_error *error) {
  TIR_TRY(check_call(context, managed, out_tensor, error));
  // Of another major version only `version` and `deleter` may be read.
  if (managed->version.major != MAJOR)
    return tir_base_fail(error, TIR_ERR_UNSUPPORTED,
                         "from_dlpack: version is %" PRIu32 ".%" PRIu32
                         ", expected %d.x",
                         managed->version.major, managed->version.minor, MAJOR);
  importing q = {.context = context,
                 .from = &managed->dl_tensor,
                 .managed = managed,
                 .release = release_versioned,
                 .flags = flags,
                 .read_only = managed->flags & DLPACK_FLAG_BITMASK_READ_ONLY,
                 .error = error};
  return run_import(&q, out_tensor);
}

// --- export ----------------------------------------------------------------

// What a consumer gets is the struct at the front; its manager_ctx leads back
// to the block, which holds the tensor.
typedef struct exporting {
  union {
    DLManagedTensor plain;
    DLManagedTensorVersioned versioned;
  } managed;
  tir_tensor *tensor;
  int64_t shape[TIR_MAX_RANK];
  int64_t strides[TIR_MAX_RANK];
} exporting;

// Called by whoever holds the view last, on any thread.
static void end_export(void *manager_ctx) {
  exporting *e = manager_ctx;
  tir_tensor *tensor = e->tensor;  // keeps the context
  // The tensor goes last, because the block is from its context's allocator.
  tir_base_free(tensor->context, e, sizeof *e, _Alignof(exporting));
  tir_tensor_release(tensor);
}

static void delete_managed(DLManagedTensor *self) {
  if (self) end_export(self->manager_ctx);
}

static void delete_versioned(DLManagedTensorVersioned *self) {
  if (self) end_export(self->manager_ctx);
}

// Frozen while a tape or a run reads it by reference. A view handed out before
// it is frozen does not learn of it.
static bool is_read_only(tir_tensor *tensor) {
  return tensor->read_only ||
         atomic_load_explicit(&tensor->n_frozen, memory_order_acquire) > 0;
}

// Strides are always written: since version 1 a consumer may insist on them.
static DLTensor describe(exporting *e) {
  const tir_tensor *tensor = e->tensor;
  int64_t stride = 1;
  for (int i = tensor->rank - 1; i >= 0; i--) {
    e->shape[i] = tensor->dims[i];
    e->strides[i] = stride;
    stride *= tensor->dims[i];
  }
  DLTensor out = {
      .data = tensor->data,
      .device = {kDLCPU, 0},
      .ndim = tensor->rank,
      .dtype = {0, bits_of(tensor->dtype), 1},
      .shape = e->shape,
      .strides = e->strides,
  };
  for (size_t i = 0; i < N_TYPES; i++)
    if (types[i].dtype == tensor->dtype) out.dtype.code = types[i].code;
  return out;
}

// One block for struct, shape and strides, so that one free ends it.
static tir_status new_export(tir_tensor *tensor, exporting **out_export,
                             tir_error *error) {
  exporting *e =
      tir_base_alloc_zero(tensor->context, sizeof *e, _Alignof(exporting));
  if (!e) {
    tir_base_fail_memory(error, sizeof *e);
    tir_base_error_prefix(error, "to_dlpack");
    return TIR_ERR_MEMORY;
  }
  e->tensor = tir_tensor_retain(tensor);
  *out_export = e;
  return TIR_OK;
}

tir_status tir_tensor_to_dlpack(tir_tensor *tensor,
                                struct DLManagedTensor **out_managed,
                                tir_error *error) {
  if (out_managed) *out_managed = NULL;
  if (!tensor || !out_managed)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "to_dlpack: %s is NULL",
                         tensor ? "out_managed" : "tensor");
  // The old form has no flag for it, and a consumer would write.
  if (is_read_only(tensor))
    return tir_base_fail(error, TIR_ERR_STATE,
                         "to_dlpack: the tensor must not be written, which "
                         "only the versioned form can say");
  exporting *e = NULL;
  TIR_TRY(new_export(tensor, &e, error));
  e->managed.plain = (DLManagedTensor){
      .dl_tensor = describe(e), .manager_ctx = e, .deleter = delete_managed};
  *out_managed = &e->managed.plain;
  return TIR_OK;
}

tir_status tir_tensor_to_dlpack_versioned(
    tir_tensor *tensor, struct DLManagedTensorVersioned **out_managed,
    tir_error *error) {
  if (out_managed) *out_managed = NULL;
  if (!tensor || !out_managed)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "to_dlpack: %s is NULL",
                         tensor ? "out_managed" : "tensor");
  exporting *e = NULL;
  TIR_TRY(new_export(tensor, &e, error));
  e->managed.versioned = (DLManagedTensorVersioned){
      .version = {MAJOR, MINOR},
      .manager_ctx = e,
      .deleter = delete_versioned,
      .flags = is_read_only(tensor) ? DLPACK_FLAG_BITMASK_READ_ONLY : 0,
      .dl_tensor = describe(e),
  };
  *out_managed = &e->managed.versioned;
  return TIR_OK;
}
