/* Every option of raftfs.conf, once: name, kind, range, default, home in
 * struct config. Scanning, checking, printing, the digest and the reload rules
 * all walk this one table, so that an option cannot be known to one of them
 * and not to another. Only config*.c include this.
 */
#ifndef RAFTFS_COMMON_OS_CONFIG_SCHEMA_H
#define RAFTFS_COMMON_OS_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/os/config.h"

enum option_kind {
	OPTION_TEXT,	 /* char[], printable */
	OPTION_NAME,	 /* char[], letters, digits and . _ - */
	OPTION_PATH,	 /* char[], absolute; or empty where min is 0 */
	OPTION_ADDRESS,	 /* char[], numeric IPv4 or IPv6, kept canonical */
	OPTION_KEY,	 /* uint8_t[32], base64 in the file */
	OPTION_U32,	 /* uint32_t */
	OPTION_U64,	 /* uint64_t, a count */
	OPTION_PORT,	 /* uint16_t */
	OPTION_DURATION, /* int64_t nanoseconds */
	OPTION_SIZE,	 /* uint64_t bytes */
	OPTION_DOUBLE,	 /* double */
	OPTION_BOOL,	 /* bool */
	OPTION_LEVEL,	 /* enum log_level */
	OPTION_REFERENCE, /* enum config_reference */
	OPTION_SERVERS,	 /* struct config_servers */
};

enum option_flags {
	OPTION_REQUIRED = 1,
	OPTION_AGREED = 2, /* part of the digest: the same on all nodes */
	OPTION_FIXED = 4,  /* a reload may not change it; AGREED implies it */
};

struct option {
	const char *section; /* "": top level */
	const char *name;
	enum option_kind kind;
	unsigned int flags;
	size_t offset; /* in struct config; in struct config_node for "node" */
	size_t bytes;
	double min; /* ns, bytes or plain, as the kind says */
	double max;
	const char *fallback; /* text of the default; NULL: zero */
};

/* In the order of printing: top level first, then section by section. */
extern const struct option config_options[];
extern const size_t config_option_count;

/* The one section with a title, and one instance per node. */
#define CONFIG_NODE_SECTION "node"

/* NULL when there is none. */
const struct option *option_find(const char *section, const char *name);
bool option_section_exists(const char *section);

#define OPTION_REASON_MAX 160
#define OPTION_VALUE_MAX  (CONFIG_PATH_MAX + 8)

/* Parse text into the option's place under base (a struct config, or one
 * struct config_node). False: `reason` says why, and nothing was written. */
bool option_parse(const struct option *option, const char *text, void *base,
		  char reason[OPTION_REASON_MAX]);

/* The value as text that option_parse() reads back to the same value. */
void option_format(const struct option *option, const void *base,
		   char text[OPTION_VALUE_MAX]);

/* Whether text can be a node's name: 1 to 31 letters, digits, . _ and -. */
bool option_is_title(const char *text);

/* Whether nodes a and b, which may be the same one, contradict each other in
 * b's option: an id, name or key twice; a port of one address twice (raft and
 * storage listen on TCP; time, and raft for death notices, on UDP). */
bool option_clashes(const struct config_node *a, const struct config_node *b,
		    const char *option);

/* The known name nearest to a mistyped one, for a hint: an option of the
 * section, or (sections = true) a section. NULL when none is near. */
const char *option_nearest(const char *section, const char *name,
			   bool sections);

#endif
