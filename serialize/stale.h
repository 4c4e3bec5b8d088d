// Temporary files that a killed save left behind.
#ifndef TAPEIR_SERIALIZE_STALE_H
#define TAPEIR_SERIALIZE_STALE_H

#include "serialize/io.h"

enum {
  TIR_SER_NAME_MAX = 256,    // NAME_MAX and its NUL
  TIR_SER_SHOWN_NAME = 200,  // bytes of the target's name in a temporary one
};
// Stands between the target's name and "PID.RANDOM".
#define TIR_SER_TEMPORARY ".tir-tmp."

// Locks a new temporary file until *out_mark (-1: none needed) and `fd` are
// both closed, so that other processes see that its save still runs. False: the
// file must not be used; errno is EEXIST if another save takes it for stale.
bool tir_ser_mark_live(int fd, int *out_mark);
// Locks a file of which no running save holds the lock. False: leave it alone.
bool tir_ser_take_stale(int fd);
// Removes temporary files of saves to `base` in directory `dir` whose process
// is gone. Best effort: what cannot be judged stays.
void tir_ser_remove_stale(const tir_ser_io *io, int dir, const char *base);

#endif
