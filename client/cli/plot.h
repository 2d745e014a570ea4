/* Curves over time, drawn with characters or as SVG. */
#ifndef RAFTFS_CLIENT_CLI_PLOT_H
#define RAFTFS_CLIENT_CLI_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PLOT_TITLE_BYTES 96

/* One curve. ago_s falls from the first point to the last; NaN in value: a
 * gap. Both arrays are the caller's. */
struct plot_curve {
	char title[PLOT_TITLE_BYTES];
	const char *unit;
	size_t count;
	const double *ago_s;
	double *value;
};

/* Some 16 lines of text; a curve without a value says so. */
void plot_text(FILE *out, const struct plot_curve *curve);

/* A document with one panel a curve, one under the other. */
void plot_svg(FILE *out, const struct plot_curve *curves, size_t count);

/* Take the straight line that fits best off the curve: what is left of an
 * offset that drifts is its wander. */
void plot_detrend(struct plot_curve *curve);

#endif
