/* One formatted line, one write. */
#include "common/os/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"

static const char *log_program = "raftfs";
static const char *log_node;
static enum log_level log_level = LOG_LEVEL_NOTICE;

static const char *const level_names[] = { "error", "warn", "notice", "info",
					   "debug" };

static void report_check(const char *file, int line, const char *fact)
{
	log_error("bug: %s:%d: CHECK(%s) failed", file, line, fact);
}

void log_init(const char *program, const char *node)
{
	log_program = program;
	log_node = node;
	check_report = report_check;
}

void log_set_node(const char *node)
{
	log_node = node;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static void emit(enum log_level level, const char *suffix, const char *format,
		 va_list args)
{
	char line[1024];
	struct timespec now;
	struct tm utc;
	int used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = (int)strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
	used += snprintf(line + used, sizeof(line) - (size_t)used,
			 ".%03ldZ %s%s%s%s %s: ", now.tv_nsec / 1000000,
			 log_program, log_node ? "[" : "",
			 log_node ? log_node : "", log_node ? "]" : "",
			 level_names[level]);
	used += vsnprintf(line + used, sizeof(line) - (size_t)used, format,
			  args);
	if (used < (int)sizeof(line))
		used += snprintf(line + used, sizeof(line) - (size_t)used, "%s",
				 suffix);
	if (used > (int)sizeof(line) - 2)
		used = (int)sizeof(line) - 2;
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)used) < 0)
		return; /* nowhere left to say it */
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;
	int saved = errno;

	if (level > log_level)
		return;
	va_start(args, format);
	emit(level, "", format, args);
	va_end(args);
	errno = saved;
}

void log_errno(const char *format, ...)
{
	va_list args;
	int saved = errno;
	char suffix[128];

	snprintf(suffix, sizeof(suffix), ": %s", strerror(saved));
	va_start(args, format);
	emit(LOG_LEVEL_ERROR, suffix, format, args);
	va_end(args);
	errno = saved;
}
