/// @file
/// Status codes, errors, dtypes, contexts and tensors.
///
/// Everything else in Tapeir is created from a `tir_context`. A context, its
/// tensors, modules and programs may be shared by threads; a tape or an
/// instance belongs to one thread at a time. Objects may be destroyed in any
/// order: each keeps what it needs alive.
#ifndef TAPEIR_BASE_H
#define TAPEIR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Marks what the library exports.
#if defined(__GNUC__)
#define TIR_API __attribute__((visibility("default")))
#else
#define TIR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// Version of the headers; tir_version tells that of the library.
#define TIR_VERSION_MAJOR 0
/// Second number of the version.
#define TIR_VERSION_MINOR 1
/// Third number of the version.
#define TIR_VERSION_PATCH 0

/// Most axes a shape may have.
#define TIR_MAX_RANK 8
/// Most threads a run may use.
#define TIR_MAX_THREADS 64

/// Status codes: X(code, name, meaning).
#define TIR_STATUS_LIST(X)                                             \
  X(TIR_OK, "ok", "no error")                                          \
  X(TIR_ERR_ARGUMENT, "argument", "an argument is not allowed")        \
  X(TIR_ERR_SHAPE, "shape", "shapes do not fit")                       \
  X(TIR_ERR_DTYPE, "dtype", "dtypes do not fit")                       \
  X(TIR_ERR_STATE, "state", "the object is not in a state to do this") \
  X(TIR_ERR_MEMORY, "memory", "the allocator returned NULL")           \
  X(TIR_ERR_LIMIT, "limit", "a limit would be exceeded")               \
  X(TIR_ERR_IO, "io", "the operating system reported a failure")       \
  X(TIR_ERR_FORMAT, "format", "a file or text is malformed")           \
  X(TIR_ERR_VALUE, "value", "a run met a value that has no result")    \
  X(TIR_ERR_BUSY, "busy", "another run or save holds the module")      \
  X(TIR_ERR_TORN, "torn", "a failed run left state half written")      \
  X(TIR_ERR_CANCELLED, "cancelled", "cancelled or past its deadline")  \
  X(TIR_ERR_UNSUPPORTED, "unsupported", "not available in this build")

/// How a call ended.
typedef enum tir_status {
/// @cond
#define TIR_STATUS_ENUM(code, name, meaning) code,
  TIR_STATUS_LIST(TIR_STATUS_ENUM)
#undef TIR_STATUS_ENUM
  /// @endcond
} tir_status;

/// Short lower-case name of a status, "unknown" for any other number.
TIR_API const char *tir_status_name(tir_status status);

/// What went wrong, in caller-owned memory. All-zero means no error. Every
/// function that takes a `tir_error *` accepts NULL and leaves the struct
/// alone when it succeeds.
typedef struct tir_error {
  tir_status status;     ///< TIR_OK: no error
  int32_t line;          ///< line in a text form, 0 if not from text
  uint64_t byte_offset;  ///< offset in a file, UINT64_MAX if not from a file
  uint32_t node;         ///< node id in the graph concerned, 0 if none
  uint32_t n_more;       ///< further errors that went to the diagnostics
  char message[488];     ///< one line, UTF-8, NUL-terminated
} tir_error;

/// Element types. f16 and bf16 are for storage: cast to compute.
typedef enum tir_dtype {
  TIR_DTYPE_INVALID = 0,
  TIR_DTYPE_F32,
  TIR_DTYPE_F64,
  TIR_DTYPE_F16,
  TIR_DTYPE_BF16,
  TIR_DTYPE_I8,
  TIR_DTYPE_U8,
  TIR_DTYPE_I16,
  TIR_DTYPE_I32,
  TIR_DTYPE_I64,
  TIR_DTYPE_BOOL,
} tir_dtype;

/// "f32", "i64", …; "invalid" for any other number.
TIR_API const char *tir_dtype_name(tir_dtype dtype);
/// Bytes of one element, 0 for an invalid dtype.
TIR_API size_t tir_dtype_size(tir_dtype dtype);

// --- context ---------------------------------------------------------------

/// Allocator, CPU level, limits and diagnostics: what all else is made from.
typedef struct tir_context tir_context;
/// Dense data, reference-counted.
typedef struct tir_tensor tir_tensor;

/// Caller's allocator. `align` is a power of two. Called only on threads that
/// called into Tapeir. `free` gets the size and alignment of the `alloc`.
typedef struct tir_allocator {
  /// NULL when there is no memory.
  void *(*alloc)(void *user, size_t size, size_t align);
  /// Ends an allocation.
  void (*free)(void *user, void *ptr, size_t size, size_t align);
  void *user;  ///< handed to both
} tir_allocator;

/// One diagnostic; the strings live only during the call.
typedef void (*tir_diagnostics_fn)(void *user, tir_status status,
                                   const char *message);

/// Caller's threads, used instead of threads of Tapeir's own. `run` calls
/// task(arg, index, worker) once for every index in 0 … n − 1, in any order,
/// on any threads, serially if it likes, and returns when all are done.
/// `worker` is below n_workers and not shared by two tasks running at a time.
/// No result depends on how the work is spread.
typedef struct tir_runner {
  /// Does all of it before it returns.
  void (*run)(void *user, size_t n,
              void (*task)(void *arg, size_t index, size_t worker), void *arg);
  void *user;        ///< handed to `run`
  size_t n_workers;  ///< 1 to TIR_MAX_THREADS
} tir_runner;

/// Options of a context; all-zero means defaults.
typedef struct tir_context_options {
  tir_allocator allocator;         ///< default: aligned_alloc and free
  tir_diagnostics_fn diagnostics;  ///< full error lists, item by item
  void *diagnostics_user;          ///< handed to `diagnostics`
  int32_t cpu_level;   ///< 0 best found, 1 baseline, 2 AVX2+FMA, 3 AVX-512
  int32_t n_threads;   ///< threads a run may use, its caller's included; 0
                       ///< means 1. Started when a program first needs them
  uint64_t max_bytes;  ///< refuse a plan above this many bytes, 0 = no limit
  tir_runner runner;   ///< runs tasks in place of own threads; n_threads is
                       ///< then to be 0
  uint64_t reserved[8];
} tir_context_options;

/// Creates a context. `options` may be NULL.
/// Errors  ARGUMENT for a non-zero reserved word or half an allocator; MEMORY.
/// Owner   the caller, ends with tir_context_destroy.
TIR_API tir_status tir_context_create(const tir_context_options *options,
                                      tir_context **out_context,
                                      tir_error *error);
/// Gives the caller's hold up; the memory goes with the last object made from
/// the context. NULL is allowed.
TIR_API void tir_context_destroy(tir_context *context);

/// Version of the library as "major.minor.patch".
TIR_API const char *tir_version(void);

// --- tensors ---------------------------------------------------------------

/// Dense row-major data of one dtype and shape, reference-counted, starting
/// on a 64-byte boundary unless it wraps the caller's memory.

/// New tensor, filled with zero bytes.
/// Errors  ARGUMENT (rank, negative dim, dtype), LIMIT (size), MEMORY.
/// Owner   the caller holds one reference.
TIR_API tir_status tir_tensor_create(tir_context *context, tir_dtype dtype,
                                     const int64_t *dims, int rank,
                                     tir_tensor **out_tensor, tir_error *error);
/// New tensor holding a copy of `data`.
TIR_API tir_status tir_tensor_from_data(tir_context *context, tir_dtype dtype,
                                        const int64_t *dims, int rank,
                                        const void *data,
                                        tir_tensor **out_tensor,
                                        tir_error *error);
/// Tensor over the caller's memory, which must stay valid until `release` is
/// called with `user` (NULL: until every reference is gone).
TIR_API tir_status tir_tensor_wrap(tir_context *context, tir_dtype dtype,
                                   const int64_t *dims, int rank, void *data,
                                   void (*release)(void *user), void *user,
                                   tir_tensor **out_tensor, tir_error *error);
/// One more reference; returns its argument. NULL is allowed.
TIR_API tir_tensor *tir_tensor_retain(tir_tensor *tensor);
/// One reference less. NULL is allowed.
TIR_API void tir_tensor_release(tir_tensor *tensor);

/// INVALID for NULL.
TIR_API tir_dtype tir_tensor_dtype(const tir_tensor *tensor);
/// Number of axes.
TIR_API int tir_tensor_rank(const tir_tensor *tensor);
/// Size of an axis, 0 <= axis < rank; −1 otherwise.
TIR_API int64_t tir_tensor_dim(const tir_tensor *tensor, int axis);
/// Borrowed, `rank` entries, never NULL.
TIR_API const int64_t *tir_tensor_dims(const tir_tensor *tensor);
/// Number of elements.
TIR_API int64_t tir_tensor_numel(const tir_tensor *tensor);
/// Bytes of all elements.
TIR_API size_t tir_tensor_size_bytes(const tir_tensor *tensor);
/// Borrowed data. A tensor in use by a tape, module or instance must not be
/// written through this pointer except between tir_tensor_write_begin/end.
TIR_API const void *tir_tensor_data(const tir_tensor *tensor);
/// Data for writing. Errors: STATE when the tensor is frozen because a tape
/// or a run reads it by reference, or when it was imported as read-only
/// (`tapeir/dlpack.h`).
TIR_API tir_status tir_tensor_write_begin(tir_tensor *tensor, void **out_data,
                                          tir_error *error);
/// Ends what tir_tensor_write_begin began.
TIR_API void tir_tensor_write_end(tir_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
