/* Scaling, and the two ways to draw. */
#include "client/cli/plot.h"

#include <math.h>
#include <string.h>

#define TEXT_ROWS    11
#define TEXT_COLUMNS 64
#define SVG_WIDTH    760
#define SVG_PANEL    150
#define SVG_LEFT     110
#define SVG_PLOT     (SVG_WIDTH - SVG_LEFT - 20)
#define SVG_HEIGHT   90

struct range {
	double low, high;
	bool any;
};

static struct range range_of(const struct plot_curve *curve)
{
	struct range range = {0, 0, false};

	for (size_t i = 0; i < curve->count; i++) {
		double v = curve->value[i];

		if (isnan(v))
			continue;
		if (!range.any || v < range.low)
			range.low = v;
		if (!range.any || v > range.high)
			range.high = v;
		range.any = true;
	}
	/* A level curve is drawn in the middle. */
	if (range.any && range.high - range.low < 1e-9) {
		range.low -= 1;
		range.high += 1;
	}
	return range;
}

/* 0 at the oldest point, 1 now. */
static double across(const struct plot_curve *curve, size_t i)
{
	double span_s = curve->ago_s[0];

	return span_s > 0 ? 1 - curve->ago_s[i] / span_s : 1;
}

static double up(const struct range *range, double value)
{
	return (value - range->low) / (range->high - range->low);
}

static const char *span_text(const struct plot_curve *curve, char text[32])
{
	double s = curve->ago_s[0];

	if (s < 120)
		snprintf(text, 32, "%.0f s ago", s);
	else if (s < 7200)
		snprintf(text, 32, "%.0f min ago", s / 60);
	else
		snprintf(text, 32, "%.1f h ago", s / 3600);
	return text;
}

/* -- text ---------------------------------------------------------------- */

void plot_text(FILE *out, const struct plot_curve *curve)
{
	char cells[TEXT_ROWS][TEXT_COLUMNS + 1];
	struct range range = range_of(curve);
	char span[32];

	fprintf(out, "%s (%s)\n", curve->title, curve->unit);
	if (!range.any) {
		fprintf(out, "  nothing to show yet\n\n");
		return;
	}
	for (int row = 0; row < TEXT_ROWS; row++) {
		memset(cells[row], ' ', TEXT_COLUMNS);
		cells[row][TEXT_COLUMNS] = '\0';
	}
	for (size_t i = 0; i < curve->count; i++) {
		if (isnan(curve->value[i]))
			continue;
		int column = (int)lround(across(curve, i) * (TEXT_COLUMNS - 1));
		int row = (int)lround((1 - up(&range, curve->value[i])) *
				      (TEXT_ROWS - 1));

		cells[row][column] = '*';
	}
	for (int row = 0; row < TEXT_ROWS; row++) {
		double at = range.high -
			    (range.high - range.low) * row / (TEXT_ROWS - 1);

		if (row % 5 == 0)
			fprintf(out, "%12.3f |%s\n", at, cells[row]);
		else
			fprintf(out, "%12s |%s\n", "", cells[row]);
	}
	fprintf(out, "%12s  %-*s%s\n\n", "", TEXT_COLUMNS - 3,
		span_text(curve, span), "now");
}

/* -- SVG ----------------------------------------------------------------- */

static void svg_text(FILE *out, double x, double y, const char *anchor,
		     const char *text)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
		anchor);
	for (; *text != '\0'; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if ((unsigned char)*text >= 0x20)
			fputc(*text, out);
	}
	fputs("</text>\n", out);
}

/* A gap ends one line and begins another. */
static void svg_curve(FILE *out, const struct plot_curve *curve,
		      const struct range *range, double top)
{
	bool drawing = false;

	for (size_t i = 0; i < curve->count; i++) {
		if (isnan(curve->value[i])) {
			if (drawing)
				fputs("\"/>\n", out);
			drawing = false;
			continue;
		}
		if (!drawing)
			fputs("<polyline class=\"c\" points=\"", out);
		drawing = true;
		fprintf(out, "%.1f,%.1f ",
			SVG_LEFT + across(curve, i) * SVG_PLOT,
			top + (1 - up(range, curve->value[i])) * SVG_HEIGHT);
	}
	if (drawing)
		fputs("\"/>\n", out);
}

static void svg_panel(FILE *out, const struct plot_curve *curve, double top)
{
	struct range range = range_of(curve);
	char text[PLOT_TITLE_BYTES + 32];

	snprintf(text, sizeof(text), "%s (%s)", curve->title, curve->unit);
	svg_text(out, SVG_LEFT, top - 8, "start", text);
	fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n",
		SVG_LEFT, top, SVG_PLOT, SVG_HEIGHT);
	if (!range.any) {
		svg_text(out, SVG_LEFT + 10, top + 20, "start",
			 "nothing to show yet");
		return;
	}
	snprintf(text, sizeof(text), "%.3f", range.high);
	svg_text(out, SVG_LEFT - 6, top + 10, "end", text);
	snprintf(text, sizeof(text), "%.3f", range.low);
	svg_text(out, SVG_LEFT - 6, top + SVG_HEIGHT, "end", text);
	svg_text(out, SVG_LEFT, top + SVG_HEIGHT + 14, "start",
		 span_text(curve, text));
	svg_text(out, SVG_LEFT + SVG_PLOT, top + SVG_HEIGHT + 14, "end", "now");
	svg_curve(out, curve, &range, top);
}

void plot_svg(FILE *out, const struct plot_curve *curves, size_t count)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%zu\" font-family=\"sans-serif\" "
		"font-size=\"11\">\n<style>rect{fill:none;stroke:#999}"
		".c{fill:none;stroke:#06c}</style>\n",
		SVG_WIDTH, count * SVG_PANEL + 10);
	for (size_t i = 0; i < count; i++)
		svg_panel(out, &curves[i], (double)i * SVG_PANEL + 30);
	fputs("</svg>\n", out);
}

void plot_detrend(struct plot_curve *curve)
{
	double n = 0, x = 0, y = 0, xx = 0, xy = 0;

	for (size_t i = 0; i < curve->count; i++) {
		if (isnan(curve->value[i]))
			continue;
		n += 1;
		x += curve->ago_s[i];
		y += curve->value[i];
	}
	if (n < 1)
		return;
	x /= n;
	y /= n;
	for (size_t i = 0; i < curve->count; i++) {
		double dx = curve->ago_s[i] - x;

		if (isnan(curve->value[i]))
			continue;
		xx += dx * dx;
		xy += dx * (curve->value[i] - y);
	}
	for (size_t i = 0; i < curve->count; i++)
		curve->value[i] -=
			y + (xx > 0 ? xy / xx : 0) * (curve->ago_s[i] - x);
}
