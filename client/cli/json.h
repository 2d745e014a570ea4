/* JSON out, one value after the other; commas and escapes are its business. */
#ifndef RAFTFS_CLIENT_CLI_JSON_H
#define RAFTFS_CLIENT_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16

struct json {
	FILE *out;
	int depth;
	bool first[JSON_DEPTH_MAX];
};

void json_init(struct json *json, FILE *out);

/* key: NULL inside an array and at the top. bracket: '{' or '['. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket); /* '}' or ']' */

/* text may be NULL: null. Bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json *json, const char *key, const char *text);
void json_int(struct json *json, const char *key, int64_t value);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);

#endif
