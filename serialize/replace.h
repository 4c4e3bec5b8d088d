// Replacing a file in one step: at every instant the path holds the complete
// old or the complete new content.
#ifndef TAPEIR_SERIALIZE_REPLACE_H
#define TAPEIR_SERIALIZE_REPLACE_H

#include "serialize/io.h"

// The file being written, for the content callback.
typedef struct tir_ser_output {
  const tir_ser_io *io;
  const char *path;
  int fd;
  uint64_t written;
} tir_ser_output;

typedef tir_status (*tir_ser_content_fn)(void *user, tir_ser_output *output,
                                         tir_error *error);

// Writes all bytes, in pieces, through short writes and interrupts.
tir_status tir_ser_write(tir_ser_output *output, const void *bytes, size_t size,
                         tir_error *error);
// Zero bytes up to file offset `offset`.
tir_status tir_ser_pad(tir_ser_output *output, uint64_t offset,
                       tir_error *error);

// Temporary file beside the target, content, flush, rename, flush of the
// directory. On an error before the rename the old file is untouched and the
// temporary one is gone. The target must be a regular file or not exist.
tir_status tir_ser_replace_file(const tir_ser_io *io, const char *path,
                                tir_ser_content_fn content, void *user,
                                tir_error *error);

// Is `name` a temporary file that a save to a file called `target` makes?
bool tir_ser_is_temporary(const char *name, const char *target);

#endif
