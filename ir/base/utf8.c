// UTF-8: Unicode 15, table 3-7. The first byte tells the length; the second one
// is restricted further where a short form, a surrogate or too large a number
// would come out.
#include "ir/base/utf8.h"

#include <string.h>

// C0 and C1 could only begin over-long forms; F5 and above lie beyond U+10FFFF.
size_t tir_base_utf8_promised(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

size_t tir_base_utf8_length(const char *text, size_t room) {
  const unsigned char *s = (const unsigned char *)text;
  if (room == 0) return 0;
  const size_t n = tir_base_utf8_promised(s[0]);
  if (n > room) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if (s[0] == 0xe0 && s[1] < 0xa0) return 0;  // over-long
  if (s[0] == 0xed && s[1] > 0x9f) return 0;  // surrogate
  if (s[0] == 0xf0 && s[1] < 0x90) return 0;  // over-long
  if (s[0] == 0xf4 && s[1] > 0x8f) return 0;  // above U+10FFFF
  return n;
}

bool tir_base_is_utf8(const char *text, size_t size) {
  for (size_t i = 0; i < size;) {
    const size_t n = tir_base_utf8_length(text + i, size - i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

static bool is_continuation(char byte) {
  return ((unsigned char)byte & 0xC0) == 0x80;
}

void tir_base_utf8_cut(char *text) {
  const size_t size = strlen(text);
  // At most three continuation bytes stand behind a lead: four steps back are
  // enough to find it.
  size_t lead = size;
  for (int i = 0; i < 4 && lead > 0; i++) {
    lead--;
    if (!is_continuation(text[lead])) break;
  }
  if (size > 0 &&
      lead + tir_base_utf8_promised((unsigned char)text[lead]) > size)
    text[lead] = '\0';
}

const char *tir_base_utf8_tail(const char *text, size_t most) {
  const size_t size = strlen(text);
  if (size <= most) return text;
  text += size - most;
  while (is_continuation(*text)) text++;
  return text;
}
