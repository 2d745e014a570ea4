/* Log lines: "2026-01-02T03:04:05.678Z raftfs-raftd[n1] warn: text".
 *
 * To stderr, one write(2) a line, so that lines of several processes do not
 * mix. Never call from a hot path: a full pipe blocks.
 */
#ifndef RAFTFS_COMMON_OS_LOG_H
#define RAFTFS_COMMON_OS_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR = 0,
	LOG_LEVEL_WARN = 1,
	LOG_LEVEL_NOTICE = 2, /* default: what an operator wants to know */
	LOG_LEVEL_INFO = 3,
	LOG_LEVEL_DEBUG = 4,
};

/* program and node are borrowed for ever; node may be NULL. Also installs
 * check_report so that a failed CHECK leaves a line. */
void log_init(const char *program, const char *node);
void log_set_node(const char *node);
void log_set_level(enum log_level level);

/* "error" .. "debug"; false when it is none of them. */
bool log_level_parse(const char *text, enum log_level *level);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)  log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)   log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)   log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)  log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* An error with errno's text appended; errno is left as it was. */
void log_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
