// Saving and loading .tir files with a given table of system calls.
#ifndef TAPEIR_SERIALIZE_TIR_FILE_H
#define TAPEIR_SERIALIZE_TIR_FILE_H

#include "ir/module.h"
#include "serialize/io.h"
#include "tapeir/file.h"

// Of the protobuf message; what every protobuf library can read.
enum { TIR_SER_MAX_GRAPH_BYTES = INT32_MAX };

tir_status tir_ser_save(const tir_ser_io *io, tir_module *module,
                        const char *path, tir_error *error);
tir_status tir_ser_load(const tir_ser_io *io, tir_context *context,
                        const char *path, const tir_load_options *options,
                        tir_module **out_module, tir_error *error);

#endif
