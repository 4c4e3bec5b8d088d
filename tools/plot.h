// Loss curves.
#ifndef TAPEIR_TOOLS_PLOT_H
#define TAPEIR_TOOLS_PLOT_H

#include <stddef.h>

// SVG of n finite numbers, one a step; NULL when memory runs out. The caller
// frees it. `title` must be fit for XML.
char *tool_plot(const double *y, size_t n, size_t first_step,
                const char *title);

#endif
