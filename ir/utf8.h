// UTF-8 as Unicode defines it: no over-long forms, no surrogates.
#ifndef TAPEIR_IR_UTF8_H
#define TAPEIR_IR_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// Length of the sequence at `text`, of which `room` bytes may be read; 0 if
// none begins there.
size_t tir_ir_utf8_length(const char *text, size_t room);
bool tir_ir_is_utf8(const char *text, size_t size);

#endif
