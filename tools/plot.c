// The loss curve as SVG: no library, loads nothing, reads in any browser.
#include "plot.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  WIDTH = 720,
  HEIGHT = 400,
  LEFT = 70,
  RIGHT = 20,
  TOP = 40,
  BOTTOM = 50,
  MAX_POINTS = 600,
  LINE_BYTES = 512,
};

typedef struct drawing {
  char *text;
  size_t size, room;
  bool failed;
} drawing;

static void draw(drawing *d, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

// Room for one piece is there before it is written; a longer one fails the
// drawing instead of being cut.
static void draw(drawing *d, const char *format, ...) {
  if (d->room - d->size < LINE_BYTES) {
    char *more = realloc(d->text, d->room + 65536);
    if (!more) d->failed = true;
    if (!more) return;
    d->text = more;
    d->room += 65536;
  }
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(d->text + d->size, LINE_BYTES, format, args);
  va_end(args);
  if (n < 0 || n >= LINE_BYTES)
    d->failed = true;
  else
    d->size += (size_t)n;
}

// 1, 2 or 5 times a power of ten, for about `n` ticks over `range`.
static double tick(double range, int n) {
  // raw = times · power with times in 1 to 10, then times to the nearest of 1,
  // 2, 5, 10.
  const double raw = range / n, power = pow(10, floor(log10(raw)));
  const double times = raw / power;
  return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

typedef struct axes {
  double x0, x1, y0, y1;
} axes;

// From data to the frame. In SVG y grows downwards.
static double at_x(const axes *a, double x) {
  return LEFT + (x - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const axes *a, double y) {
  return HEIGHT - BOTTOM -
         (y - a->y0) / (a->y1 - a->y0) * (HEIGHT - TOP - BOTTOM);
}

// Lines across for values, short marks below for steps.
static void draw_axes(drawing *d, const axes *a) {
  const double dx = tick(a->x1 - a->x0, 8), dy = tick(a->y1 - a->y0, 6);
  // Ticks are counted in whole numbers: steps of 0.1 do not add up to 1.
  const long y_end = (long)floor(a->y1 / dy + 1e-6);
  const long x_end = (long)floor(a->x1 / dx + 1e-6);
  for (long i = (long)ceil(a->y0 / dy - 1e-6); i <= y_end; i++) {
    const double y = (double)i * dy;
    draw(d, "<path d='M%d %.1fH%d' stroke='#ddd'/>", LEFT, at_y(a, y),
         WIDTH - RIGHT);
    draw(d, "<text x='%d' y='%.1f' text-anchor='end'>%.6g</text>\n", LEFT - 8,
         at_y(a, y) + 4, y);
  }
  for (long i = (long)ceil(a->x0 / dx - 1e-6); i <= x_end; i++) {
    const double x = (double)i * dx;
    draw(d, "<path d='M%.1f %dv5' stroke='#888'/>", at_x(a, x),
         HEIGHT - BOTTOM);
    draw(d, "<text x='%.1f' y='%d' text-anchor='middle'>%.6g</text>\n",
         at_x(a, x), HEIGHT - BOTTOM + 19, x);
  }
  draw(d, "<path d='M%d %dV%dH%d' fill='none' stroke='#888'/>\n", LEFT, TOP,
       HEIGHT - BOTTOM, WIDTH - RIGHT);
  draw(d, "<text x='%d' y='%d' text-anchor='middle'>step</text>\n",
       (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 10);
}

// Means over bins of equal length.
static size_t bins(const double *y, size_t n, double *out) {
  const size_t n_bins = n < MAX_POINTS ? n : MAX_POINTS;
  for (size_t i = 0; i < n_bins; i++) {
    // Lengths differ by one at most, and all of y is covered.
    const size_t first = i * n / n_bins, end = (i + 1) * n / n_bins;
    double sum = 0;
    for (size_t k = first; k < end; k++) sum += y[k];
    // Never by 0: there are no more bins than numbers.
    out[i] = sum / (double)(end - first);
  }
  return n_bins;
}

// Points at the middles of equal parts of the axis.
static void draw_curve(drawing *d, const axes *a, const double *y, size_t n,
                       const char *colour) {
  draw(d,
       "<path fill='none' stroke='%s' stroke-width='1.5' "
       "stroke-linejoin='round' d='",
       colour);
  const double step = n ? (a->x1 - a->x0) / (double)n : 0;
  for (size_t i = 0; i < n; i++)
    draw(d, "%s%.2f %.2f", i ? "L" : "M",
         at_x(a, a->x0 + ((double)i + 0.5) * step), at_y(a, y[i]));
  draw(d, "'/>\n");
}

char *tool_plot(const double *y, size_t n, size_t first_step,
                const char *title) {
  static const char head[] =
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' "
      "font-family='sans-serif' font-size='12' fill='#333'>\n"
      "<rect width='100%%' height='100%%' fill='#fff'/>\n"
      "<text x='%d' y='24' font-size='15'>%s</text>\n";
  double points[MAX_POINTS];
  // A point for each bin, however long the run was.
  const size_t n_bins = bins(y, n, points);
  axes a = {.x0 = (double)first_step,
            .x1 = (double)(first_step + n),
            .y0 = INFINITY,
            .y1 = -INFINITY};
  for (size_t i = 0; i < n_bins; i++) {
    a.y0 = fmin(a.y0, points[i]);
    a.y1 = fmax(a.y1, points[i]);
  }
  // A curve near zero is drawn from zero on; a flat one gets some height.
  if (a.y0 > 0 && a.y0 < a.y1 / 2) a.y0 = 0;
  if (!(a.y1 > a.y0)) {
    a.y1 = a.y0 + fmax(fabs(a.y0) * 0.1, 1e-12);
    if (n_bins == 0) a = (axes){0, 1, 0, 1};
  }
  drawing d = {0};
  draw(&d, head, WIDTH, HEIGHT, LEFT, title);
  draw_axes(&d, &a);
  // First the bins themselves, pale, below the smooth curve.
  draw_curve(&d, &a, points, n_bins, "#b6cdf5");
  // The same as a running mean: what falls in all the noise.
  for (size_t i = 1; i < n_bins; i++)
    points[i] = points[i - 1] + (points[i] - points[i - 1]) * 0.08;
  draw_curve(&d, &a, points, n_bins, "#1f5fc4");
  draw(&d, "</svg>\n");
  if (!d.failed) return d.text;
  free(d.text);
  return NULL;
}
