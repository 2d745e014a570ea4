/* RFC 3339, a little relaxed, and times ago. */
#include "client/cli/when.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/units.h"

/* Decimals of a second: as many as there are count, nine are kept. */
static const char *parse_fraction(const char *at, int64_t *ns)
{
	int64_t unit_ns = NS_PER_SEC;

	*ns = 0;
	if (*at != '.' || !isdigit((unsigned char)at[1]))
		return at;
	for (at++; isdigit((unsigned char)*at); at++) {
		unit_ns /= 10;
		*ns += unit_ns * (*at - '0');
	}
	return at;
}

/* "Z", "+01:00", or nothing: local. NULL: something else. */
static const char *parse_zone(const char *at, bool *local, int64_t *east_s)
{
	int hours, minutes, read = 0;

	*local = *at == '\0';
	*east_s = 0;
	if (*at == 'Z' || *at == 'z')
		return at + 1;
	if (*at != '+' && *at != '-')
		return at;
	if (sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &read) != 2 ||
	    read != 5 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return NULL;
	*east_s = (*at == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return at + 6;
}

static const char *parse_clock(const char *at, struct tm *tm,
			       int64_t *fraction_ns)
{
	const char *end;

	*fraction_ns = 0;
	if (*at != 'T' && *at != 't' && *at != ' ')
		return at;
	at++;
	end = strptime(at, "%H:%M:%S", tm);
	if (end != NULL)
		return parse_fraction(end, fraction_ns);
	return strptime(at, "%H:%M", tm);
}

static enum rfs_err parse_absolute(const char *text, int64_t *ns)
{
	struct tm tm = { .tm_isdst = -1 };
	int64_t fraction_ns, east_s;
	bool local;
	const char *at = strptime(text, "%Y-%m-%d", &tm);

	if (at != NULL)
		at = parse_clock(at, &tm, &fraction_ns);
	if (at != NULL)
		at = parse_zone(at, &local, &east_s);
	if (at == NULL || *at != '\0' || tm.tm_year < 70 || tm.tm_year > 300)
		return RFS_ERR_INVALID;

	int64_t seconds = local ? mktime(&tm) : timegm(&tm) - east_s;

	*ns = seconds * NS_PER_SEC + fraction_ns;
	return RFS_ERR_OK;
}

enum rfs_err when_parse(const char *text, struct when *when)
{
	int64_t ago_ns = 0;

	if (strcmp(text, "now") != 0 && text[0] != '-') {
		when->relative = false;
		return parse_absolute(text, &when->ns);
	}
	if (text[0] == '-' &&
	    units_parse_duration(text + 1, &ago_ns) != RFS_ERR_OK)
		return RFS_ERR_INVALID;
	*when = (struct when){ .relative = true, .ns = -ago_ns };
	return RFS_ERR_OK;
}
