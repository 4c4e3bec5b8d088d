// UTF-8 as Unicode defines it: no over-long forms, no surrogates.
#ifndef TAPEIR_IR_BASE_UTF8_H
#define TAPEIR_IR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// Length of the sequence at `text`, of which `room` bytes may be read; 0 if
// none begins there.
size_t tir_base_utf8_length(const char *text, size_t room);
// Length that the first byte promises; 0 if none begins with it.
size_t tir_base_utf8_promised(unsigned char lead);
bool tir_base_is_utf8(const char *text, size_t size);
// Takes away a character that was cut in the middle at the end of the text.
void tir_base_utf8_cut(char *text);
// The end of a text, at most so many bytes, from where a character begins.
const char *tir_base_utf8_tail(const char *text, size_t most);

#endif
