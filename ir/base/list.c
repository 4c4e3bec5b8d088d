// Items stand whole in the text or not at all, so it is never cut inside a
// character; room for the count of the others is kept free.
#include "ir/base/list.h"

#include <stdio.h>
#include <string.h>

// More than " … and 4294967295 more" and its end take.
enum { ROOM_FOR_COUNT = 40 };

void tir_base_list_begin(tir_base_list *list, const tir_context *context,
                         tir_status status) {
  *list = (tir_base_list){.context = context, .status = status};
}

void tir_base_list_add(tir_base_list *list, const char *item,
                       const char *format, ...) {
  // Only a buffer: what is cut is cut as in any other error.
  tir_error whole;
  va_list args;
  va_start(args, format);
  tir_base_fail_v(&whole, list->status, format, args);
  va_end(args);
  tir_base_diagnose(list->context, list->status, whole.message);
  const size_t size = strlen(item), comma = list->n_shown ? 2 : 0;
  // After the first that does not fit no other is shown: they stay in order.
  if (list->n == list->n_shown &&
      list->used + comma + size < sizeof list->text - ROOM_FOR_COUNT) {
    memcpy(list->text + list->used, ", ", comma);
    memcpy(list->text + list->used + comma, item, size + 1);
    list->used += comma + size;
    list->n_shown++;
  }
  list->n++;
}

uint32_t tir_base_list_n_more(const tir_base_list *list) {
  const size_t n = list->n - list->n_shown;
  return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

// May be asked again: `used` does not move.
const char *tir_base_list_text(tir_base_list *list) {
  if (list->n > list->n_shown)
    snprintf(list->text + list->used, sizeof list->text - list->used,
             "%s… and %u more", list->n_shown ? " " : "",
             tir_base_list_n_more(list));
  return list->text;
}
