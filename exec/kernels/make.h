// Results that do not depend on data.
#ifndef TAPEIR_EXEC_KERNELS_MAKE_H
#define TAPEIR_EXEC_KERNELS_MAKE_H

#include "exec/kernels/call.h"

// A step whose result is one element, as often as it has places. `element` is
// of the result's dtype.
tir_status tir_exec_prepare_repeated(tir_exec_prepare *q, const void *element);

#endif
