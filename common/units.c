/* Text to numbers and back, for people. */
#include "common/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit durations[] = {
	{ "ns", 1 },	 { "us", 1e3 },	   { "ms", 1e6 },  { "s", 1e9 },
	{ "", 1e9 },	 { "min", 60e9 },  { "h", 3600e9 }, { "d", 86400e9 },
};

static const struct unit sizes[] = {
	{ "", 1 },	  { "B", 1 },	    { "KiB", 1024.0 },
	{ "MiB", 0x1p20 }, { "GiB", 0x1p30 }, { "TiB", 0x1p40 },
	{ "KB", 1e3 },	  { "MB", 1e6 },    { "GB", 1e9 },
	{ "TB", 1e12 },
};

static enum rfs_err parse(const char *text, const struct unit *units,
			  size_t unit_count, double max, double *value)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || !(number >= 0))
		return RFS_ERR_INVALID;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < unit_count; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (number * units[i].factor > max)
			return RFS_ERR_RANGE;
		*value = number * units[i].factor;
		return RFS_ERR_OK;
	}
	return RFS_ERR_INVALID;
}

enum rfs_err units_parse_duration(const char *text, int64_t *ns)
{
	double value;
	enum rfs_err err = parse(text, durations,
				 sizeof(durations) / sizeof(*durations),
				 100.0 * 365 * 86400e9, &value);

	if (err == RFS_ERR_OK)
		*ns = llround(value);
	return err;
}

enum rfs_err units_parse_size(const char *text, uint64_t *bytes)
{
	double value;
	enum rfs_err err = parse(text, sizes, sizeof(sizes) / sizeof(*sizes),
				 0x1p62, &value);

	if (err == RFS_ERR_OK)
		*bytes = (uint64_t)llround(value);
	return err;
}

const char *units_format_duration(int64_t ns, char *buf, size_t size)
{
	double a = fabs((double)ns);

	if (a < 1e3)
		snprintf(buf, size, "%lld ns", (long long)ns);
	else if (a < 1e6)
		snprintf(buf, size, "%.1f us", (double)ns / 1e3);
	else if (a < 1e9)
		snprintf(buf, size, "%.2f ms", (double)ns / 1e6);
	else
		snprintf(buf, size, "%.2f s", (double)ns / 1e9);
	return buf;
}

const char *units_format_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t i = 0;

	while (value >= 1024 && i + 1 < sizeof(names) / sizeof(*names)) {
		value /= 1024;
		i++;
	}
	snprintf(buf, size, i == 0 ? "%.0f %s" : "%.1f %s", value, names[i]);
	return buf;
}
