/// @file
/// DLPack: tensors shared with other libraries without copying them.
///
/// DLPack is a struct that NumPy, PyTorch, JAX and others exchange: a pointer,
/// a shape, and a function that ends the loan. What is declared here has the
/// names and the layout of the official `dlpack/dlpack.h`; a program that
/// needs both headers includes the official one first. Not part of
/// `tapeir/tapeir.h`.
///
/// Both sides see the same memory. Who writes to it while the other reads must
/// keep them apart; Tapeir itself never writes to an imported tensor, nor to
/// an exported one except between tir_tensor_write_begin and
/// tir_tensor_write_end.
#ifndef TAPEIR_DLPACK_H
#define TAPEIR_DLPACK_H

#include "tapeir/base.h"

#ifdef __cplusplus
extern "C" {
#endif

// Official headers before 1.0 have the first of them alone.
struct DLManagedTensor;
struct DLManagedTensorVersioned;

#ifndef DLPACK_DLPACK_H_

/// Version of the struct's layout; another major is another layout.
typedef struct {
  uint32_t major;  ///< 1
  uint32_t minor;  ///< larger ones only add
} DLPackVersion;

/// Where the memory is: Tapeir takes kDLCPU alone.
#ifdef __cplusplus
typedef enum : int32_t {
#else
typedef enum {
#endif
  kDLCPU = 1,  ///< main memory
} DLDeviceType;

/// Which device of a type.
typedef struct {
  DLDeviceType device_type;  ///< one of DLDeviceType
  int32_t device_id;         ///< 0 for the CPU
} DLDevice;

/// What a `DLDataType.code` may be, as far as Tapeir knows the type.
typedef enum {
  kDLInt = 0,     ///< signed integer
  kDLUInt = 1,    ///< unsigned integer
  kDLFloat = 2,   ///< IEEE 754
  kDLBfloat = 4,  ///< bfloat16
  kDLBool = 6,    ///< one byte, 0 or 1
} DLDataTypeCode;

/// Type of an element.
typedef struct {
  uint8_t code;    ///< one of DLDataTypeCode
  uint8_t bits;    ///< of one lane
  uint16_t lanes;  ///< 1 for what is no vector
} DLDataType;

/// Memory and what lies in it.
typedef struct {
  void *data;            ///< start of the memory
  DLDevice device;       ///< where it is
  int32_t ndim;          ///< number of axes
  DLDataType dtype;      ///< of every element
  int64_t *shape;        ///< `ndim` sizes
  int64_t *strides;      ///< in elements; NULL means compact and row-major
  uint64_t byte_offset;  ///< of the first element from `data`
} DLTensor;

/// The form of DLPack 0.x, without a version.
typedef struct DLManagedTensor {
  DLTensor dl_tensor;  ///< what is lent
  void *manager_ctx;   ///< the producer's
  /// Ends the loan; NULL when nothing has to be done.
  void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

/// The form of DLPack 1.x.
typedef struct DLManagedTensorVersioned {
  DLPackVersion version;  ///< of this struct
  void *manager_ctx;      ///< the producer's
  /// Ends the loan; NULL when nothing has to be done.
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags;      ///< DLPACK_FLAG_BITMASK_…
  DLTensor dl_tensor;  ///< what is lent
} DLManagedTensorVersioned;

/// The consumer must not write.
#define DLPACK_FLAG_BITMASK_READ_ONLY (1UL << 0UL)
/// The producer made a copy.
#define DLPACK_FLAG_BITMASK_IS_COPIED (1UL << 1UL)

#endif

/// Flags of tir_tensor_from_dlpack.
enum {
  TIR_DLPACK_COPY = 1,  ///< copy what cannot be used where it lies
};

/// Tensor over the memory of `managed`.
///
///   dtypes   float 16, 32, 64; bfloat 16; int 8, 16, 32, 64; uint 8; bool 8
///   strides  compact row-major, or NULL; axes of size 1 and empty tensors may
///            have any
///   address  data + byte_offset: a multiple of the element size
///
/// Memory with other strides or at another address is refused, or copied when
/// `flags` has TIR_DLPACK_COPY. Elements of dtype bool must be 0 or 1.
///
/// Errors  ARGUMENT (a field no tensor can have), DTYPE, SHAPE (strides),
///         LIMIT (size), UNSUPPORTED (device), MEMORY.
/// Owner   on success Tapeir has taken `managed` over: its deleter is called
///         once, with the last reference to the tensor or, after a copy, at
///         once, on the thread that gave that reference up. On an error it
///         stays the caller's.
/// Cost    constant, unless copied.
TIR_API tir_status tir_tensor_from_dlpack(tir_context *context,
                                          struct DLManagedTensor *managed,
                                          uint32_t flags,
                                          tir_tensor **out_tensor,
                                          tir_error *error);
/// The same for the form of DLPack 1.x. A tensor flagged read-only is never
/// written: tir_tensor_write_begin refuses it.
/// Errors  those of tir_tensor_from_dlpack; UNSUPPORTED for a major version
///         other than 1.
TIR_API tir_status tir_tensor_from_dlpack_versioned(
    tir_context *context, struct DLManagedTensorVersioned *managed,
    uint32_t flags, tir_tensor **out_tensor, tir_error *error);

/// The tensor's memory for another library, with strides and no offset. The
/// data starts on a 64-byte boundary unless the tensor wraps other memory.
/// Errors  STATE when the tensor must not be written (a tape reads it by
///         reference, or it was imported as read-only), which this form cannot
///         say; MEMORY.
/// Owner   whoever receives *out_managed; its deleter gives the tensor's
///         reference back and may be called on any thread.
TIR_API tir_status tir_tensor_to_dlpack(tir_tensor *tensor,
                                        struct DLManagedTensor **out_managed,
                                        tir_error *error);
/// The same in the form of DLPack 1.0; a tensor that must not be written is
/// flagged read-only instead of refused.
TIR_API tir_status tir_tensor_to_dlpack_versioned(
    tir_tensor *tensor, struct DLManagedTensorVersioned **out_managed,
    tir_error *error);

#ifdef __cplusplus
}
#endif
#endif
