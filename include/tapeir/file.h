/// @file
/// Files: modules as .tir, weights as .safetensors, tensors as .npy.
#ifndef TAPEIR_FILE_H
#define TAPEIR_FILE_H

#include "tapeir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Limits of loading an untrusted file; 0 means the default.
typedef struct tir_load_options {
  uint64_t max_bytes;    ///< memory used; default max(64 MiB, 16 × file size)
  uint64_t max_nodes;    ///< default 16,777,216
  uint64_t max_tensors;  ///< default 1,048,576
  uint64_t max_name;     ///< bytes of one name; default 1,024
  bool map;              ///< map the file copy-on-write instead of reading:
                         ///< only for files no one truncates meanwhile;
                         ///< tensors are verified by tir_module_verify_param
  uint64_t reserved[8];
} tir_load_options;

/// Loads a .tir file. `options` may be NULL. On an error *out_module is NULL.
/// Errors  IO, FORMAT (with byte_offset), LIMIT, MEMORY, UNSUPPORTED.
TIR_API tir_status tir_module_load(tir_context *context, const char *path,
                                   const tir_load_options *options,
                                   tir_module **out_module, tir_error *error);
/// Loads the bytes of a .tir file. Errors as tir_module_load.
TIR_API tir_status tir_module_load_memory(tir_context *context,
                                          const void *bytes, size_t size,
                                          const tir_load_options *options,
                                          tir_module **out_module,
                                          tir_error *error);
/// Checks a mapped parameter against its checksum.
TIR_API tir_status tir_module_verify_param(tir_module *module, const char *name,
                                           tir_error *error);
/// Saves crash-safely: at every instant the path holds the complete old or
/// the complete new file. Holds the module as a reader.
/// Errors  IO (says which step failed), BUSY, TORN, MEMORY.
TIR_API tir_status tir_module_save(tir_module *module, const char *path,
                                   tir_error *error);

// --- safetensors -----------------------------------------------------------

/// Loads a .safetensors file into a module of its own: each tensor a trainable
/// parameter, in the order of the data, and its metadata; no graphs. The limits
/// are those of tir_module_load (`max_nodes` does not apply, `map` is refused).
/// Errors  IO, FORMAT (with byte_offset), LIMIT, MEMORY, UNSUPPORTED (a dtype
///         Tapeir does not have).
TIR_API tir_status tir_safetensors_load(tir_context *context, const char *path,
                                        const tir_load_options *options,
                                        tir_module **out_module,
                                        tir_error *error);
/// Loads the bytes of a .safetensors file. Errors as tir_safetensors_load.
TIR_API tir_status tir_safetensors_load_memory(tir_context *context,
                                               const void *bytes, size_t size,
                                               const tir_load_options *options,
                                               tir_module **out_module,
                                               tir_error *error);

/// Flags of tir_safetensors_load_into.
enum {
  TIR_WEIGHTS_ALLOW_MISSING = 1,  ///< parameters not in the file stay
  TIR_WEIGHTS_ALLOW_EXTRA = 2,    ///< other tensors of the file are skipped
};

/// Overwrites parameters and state of `module` by the tensors of the same
/// names, all of them or, on an error, none. Metadata is not taken over.
/// Errors  those of tir_safetensors_load; ARGUMENT for a parameter without
///         tensor or a tensor without parameter, unless `flags` allow it;
///         SHAPE, DTYPE (nothing is converted), BUSY, TORN.
/// Cost    the memory of the file's tensors, until it returns.
TIR_API tir_status tir_safetensors_load_into(tir_module *module,
                                             const char *path, uint32_t flags,
                                             const tir_load_options *options,
                                             tir_error *error);
/// Saves all parameters and state, with the metadata, crash-safely as
/// tir_module_save does. Graphs, and what is state and what is trained, have no
/// place in the format.
/// Errors  IO (says which step failed), BUSY, TORN, MEMORY, LIMIT; ARGUMENT for
///         a parameter named "__metadata__".
TIR_API tir_status tir_safetensors_save(tir_module *module, const char *path,
                                        tir_error *error);

// --- npy -------------------------------------------------------------------

/// NumPy .npy, version 1.0 written, 1.0 to 3.0 read, C and Fortran order,
/// little-endian. bf16 travels as u2.
TIR_API tir_status tir_npy_load(tir_context *context, const char *path,
                                tir_tensor **out_tensor, tir_error *error);
/// Writes a tensor as .npy, replacing the file as tir_module_save does.
TIR_API tir_status tir_npy_save(const tir_tensor *tensor, const char *path,
                                tir_error *error);

#ifdef __cplusplus
}
#endif
#endif
