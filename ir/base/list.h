// A list of things that are wrong: each goes to the diagnostics callback, and
// as many as fit stand in one message.
#ifndef TAPEIR_IR_BASE_LIST_H
#define TAPEIR_IR_BASE_LIST_H

#include "ir/base/context.h"

typedef struct tir_base_list {
  const tir_context *context;
  tir_status status;
  size_t n;        // items in all
  size_t n_shown;  // of which in `text`
  size_t used;
  char text[320];  // "sgd (a.c:3), adam (a.c:9)"
} tir_base_list;

void tir_base_list_begin(tir_base_list *list, const tir_context *context,
                         tir_status status);
// One more item: `item` for the message, the formatted text, which says it by
// itself, for the diagnostics.
void tir_base_list_add(tir_base_list *list, const char *item,
                       const char *format, ...) TIR_PRINTF(3, 4);
// The items as one text, with "… and 37 more" when not all fit.
const char *tir_base_list_text(tir_base_list *list);
// How many the message does not show.
uint32_t tir_base_list_n_more(const tir_base_list *list);

#endif
