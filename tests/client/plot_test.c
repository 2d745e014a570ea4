/* Curves: scaled, with gaps, and what is left of one without its trend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/plot.h"

static const double ago_s[] = { 40, 30, 20, 10, 0 };

static struct plot_curve curve_of(double *values, const char *title)
{
	struct plot_curve curve = { .unit = "us",
				    .count = 5,
				    .ago_s = ago_s,
				    .value = values };

	snprintf(curve.title, sizeof(curve.title), "%s", title);
	return curve;
}

/* Owned by the caller. */
static char *drawn(const struct plot_curve *curve, bool svg)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	if (svg)
		plot_svg(out, curve, 1);
	else
		plot_text(out, curve);
	fclose(out);
	return text;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		count++;
	return count;
}

static void a_trend_is_taken_off_and_the_rest_left(void **state)
{
	(void)state;
	double values[] = { 1000 + 40 * 7.5, 1000 + 30 * 7.5, NAN,
			    1000 + 10 * 7.5, 1000 };
	struct plot_curve curve = curve_of(values, "t");

	plot_detrend(&curve);
	for (size_t i = 0; i < 5; i++)
		assert_true(i == 2 ? isnan(values[i]) :
				     fabs(values[i]) < 1e-6);
}

static void the_ends_of_the_scale_are_those_of_the_curve(void **state)
{
	(void)state;
	double values[] = { -5, 0, 1, 2, 15 };
	struct plot_curve curve = curve_of(values, "offset");
	char *text = drawn(&curve, false);

	assert_non_null(strstr(text, "15.000 |"));
	assert_non_null(strstr(text, "-5.000 |*"));
	assert_non_null(strstr(text, "40 s ago"));
	assert_int_equal(count_of(text, "*"), 5);
	free(text);
}

static void a_gap_ends_the_line(void **state)
{
	(void)state;
	double values[] = { 1, 2, NAN, 2, 1 };
	struct plot_curve curve = curve_of(values, "a <b> & c");
	char *text = drawn(&curve, true);

	assert_int_equal(count_of(text, "<polyline"), 2);
	assert_int_equal(count_of(text, "\"/>"), 3); /* and the frame */
	assert_non_null(strstr(text, "a &lt;b&gt; &amp; c"));
	assert_null(strstr(text, "nan"));
	free(text);
}

static void nothing_to_show_is_said(void **state)
{
	(void)state;
	double values[] = { NAN, NAN, NAN, NAN, NAN };
	struct plot_curve curve = curve_of(values, "offset");
	char *text = drawn(&curve, false);

	assert_non_null(strstr(text, "nothing to show yet"));
	free(text);
	curve.count = 0;
	text = drawn(&curve, true);
	assert_non_null(strstr(text, "nothing to show yet"));
	free(text);
}

static void a_level_curve_is_drawn_too(void **state)
{
	(void)state;
	double values[] = { 3, 3, 3, 3, 3 };
	struct plot_curve curve = curve_of(values, "offset");
	char *text = drawn(&curve, false);

	assert_int_equal(count_of(text, "*"), 5);
	assert_null(strstr(text, "nan"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trend_is_taken_off_and_the_rest_left),
		cmocka_unit_test(the_ends_of_the_scale_are_those_of_the_curve),
		cmocka_unit_test(a_gap_ends_the_line),
		cmocka_unit_test(nothing_to_show_is_said),
		cmocka_unit_test(a_level_curve_is_drawn_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
