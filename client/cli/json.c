/* A JSON writer. */
#include "client/cli/json.h"

#include <inttypes.h>
#include <stddef.h>

#include "common/check.h"

void json_init(struct json *json, FILE *out)
{
	json->out = out;
	json->depth = 0;
	json->first[0] = true;
}

/* Length of the UTF-8 sequence at text; 0 when it is none. */
static size_t utf8_bytes(const unsigned char *text)
{
	size_t bytes;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		bytes = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		bytes = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		bytes = 4;
	else
		return 0;
	for (size_t i = 1; i < bytes; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return bytes;
}

static void put_text(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	fputc('"', out);
	while (*at != '\0') {
		size_t bytes = utf8_bytes(at);

		if (bytes == 0) {
			fputs("\\ufffd", out);
			bytes = 1;
		} else if (*at < 0x20 || *at == 0x7f) {
			fprintf(out, "\\u%04x", *at);
		} else {
			if (*at == '"' || *at == '\\')
				fputc('\\', out);
			fwrite(at, 1, bytes, out);
		}
		at += bytes;
	}
	fputc('"', out);
}

static void begin(struct json *json, const char *key)
{
	if (!json->first[json->depth])
		fputc(',', json->out);
	json->first[json->depth] = false;
	if (key != NULL) {
		put_text(json->out, key);
		fputc(':', json->out);
	}
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	CHECK(json->depth + 1 < JSON_DEPTH_MAX);
	json->first[++json->depth] = true;
	fputc(bracket, json->out);
}

void json_close(struct json *json, char bracket)
{
	CHECK(json->depth > 0);
	json->depth--;
	fputc(bracket, json->out);
	if (json->depth == 0)
		fputc('\n', json->out);
}

void json_text(struct json *json, const char *key, const char *text)
{
	begin(json, key);
	if (text == NULL)
		fputs("null", json->out);
	else
		put_text(json->out, text);
}

void json_int(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}
