/* How a file's attributes look to people and to programs. */
#ifndef RAFTFS_CLIENT_CLI_SHOW_H
#define RAFTFS_CLIENT_CLI_SHOW_H

#include <stdint.h>

#include "client/cli/json.h"
#include "client/lib/raftfs.h"

#define SHOW_TIME_BYTES 48
#define SHOW_MODE_BYTES 11

/* "regular file", "directory", ... */
const char *show_type(uint32_t mode);

/* "2026-01-02 03:04:05.678901234 +0100" into text, returned. */
const char *show_time(int64_t ns, char text[SHOW_TIME_BYTES]);

/* "drwxr-xr-x" into text, returned. */
const char *show_mode(uint32_t mode, char text[SHOW_MODE_BYTES]);

/* One object: the name under `key`, then every attribute. */
void show_attr_json(struct json *json, const char *key, const char *name,
		    const struct raftfs_attr *attr);

#endif
