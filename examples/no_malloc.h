// A watch over the C library's allocator: any malloc, calloc, realloc or free
// of the process, from whatever library, ends it while forbidden.
#ifndef NO_MALLOC_H
#define NO_MALLOC_H

#include <stdbool.h>

void forbid_malloc(bool forbidden);

#endif
