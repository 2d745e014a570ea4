/* A first reading of raftfs.conf that libconfuse's cannot replace: it knows
 * the line of every option, sees what is repeated, unknown or never closed,
 * and lets through only text that libconfuse understands the same way.
 *
 * The grammar it accepts, a part of libconfuse's:
 *
 *	file    = { option | section }
 *	section = name [ title ] "{" { option } "}"
 *	option  = name "=" value
 *	value   = word | "..." | '...'		(on one line, no ${...})
 *	comments: # ..., // ..., / * ... * /
 */
#ifndef RAFTFS_COMMON_OS_CONFIG_SCAN_H
#define RAFTFS_COMMON_OS_CONFIG_SCAN_H

#include "common/os/config_schema.h"

#define CONFIG_FILES_MAX 64
#define CONFIG_MARKS_MAX 160

/* Where one option was set. */
struct config_mark {
	const struct option *option;
	int node; /* index into scan->nodes, -1 outside of node sections */
	int file; /* index into scan->files */
	int line;
};

struct config_place {
	char name[CONFIG_NAME_MAX];
	int file;
	int line;
};

/* What has been read so far, over all files of one configuration. */
struct config_scan {
	const struct config_errors *errors;
	bool bad; /* something was given to errors */

	char files[CONFIG_FILES_MAX][CONFIG_PATH_MAX];
	int file_count;
	struct config_mark marks[CONFIG_MARKS_MAX];
	int mark_count;
	struct config_place nodes[CONFIG_NODES_MAX];
	int node_count;
	struct config_place sections[16]; /* untitled: the latest of each */
	int section_count;
};

void config_scan_init(struct config_scan *scan,
		      const struct config_errors *errors);

/* Read one file's text, NUL-terminated, after config_scan_add_file(). Faults
 * go to errors and set scan->bad. */
void config_scan_text(struct config_scan *scan, int file, const char *text);

/* The new file's index; -1 and bad when there are too many. */
int config_scan_add_file(struct config_scan *scan, const char *path);

/* NULL when the option was not set (node: -1 outside of node sections). */
const struct config_mark *config_scan_find(const struct config_scan *scan,
					   const struct option *option,
					   int node);

/* Give "file:line: where: reason" to errors and set bad. line 0: the file as a
 * whole. */
void config_scan_fault(struct config_scan *scan, int file, int line,
		       const char *where, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* A fault of a marked option, at its line, or of its section when it was not
 * set. */
void config_scan_option_fault(struct config_scan *scan,
			      const struct option *option, int node,
			      const char *reason);

#endif
