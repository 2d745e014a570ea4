/* Reading grpc-timeout and content-type, writing grpc-message. */
#include "client/grpc/fields.h"

#include <ctype.h>
#include <string.h>

#include "common/units.h"

#define TIMEOUT_DIGITS_MAX 8

/* 0: no such unit. */
static int64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return 3600 * NS_PER_SEC;
	case 'M':
		return 60 * NS_PER_SEC;
	case 'S':
		return NS_PER_SEC;
	case 'm':
		return NS_PER_MS;
	case 'u':
		return NS_PER_US;
	case 'n':
		return 1;
	default:
		return 0;
	}
}

enum rfs_err fields_timeout(const char *value, int64_t *timeout_ns)
{
	int64_t number = 0;
	int64_t each_ns;
	int digits = 0;

	for (; isdigit((unsigned char)value[digits]); digits++) {
		if (digits == TIMEOUT_DIGITS_MAX)
			return RFS_ERR_INVALID;
		number = number * 10 + (value[digits] - '0');
	}
	each_ns = unit_ns(value[digits]);
	if (digits == 0 || each_ns == 0 || value[digits + 1] != '\0')
		return RFS_ERR_INVALID;
	*timeout_ns =
		number > INT64_MAX / each_ns ? INT64_MAX : number * each_ns;
	return RFS_ERR_OK;
}

bool fields_is_grpc(const char *content_type)
{
	static const char *const known[] = {"application/grpc+proto",
					    "application/grpc"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t length = strlen(known[i]);

		if (strncasecmp(content_type, known[i], length) != 0)
			continue;
		content_type += length;
		content_type += strspn(content_type, " \t");
		return *content_type == '\0' || *content_type == ';';
	}
	return false;
}

size_t fields_percent(const char *text, char *encoded, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t used = 0;

	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		bool plain = byte >= ' ' && byte <= '~' && byte != '%';

		if (used + (plain ? 1 : 3) >= size)
			break;
		if (plain) {
			encoded[used++] = (char)byte;
			continue;
		}
		encoded[used++] = '%';
		encoded[used++] = hex[byte >> 4];
		encoded[used++] = hex[byte & 15];
	}
	if (size > 0)
		encoded[used] = '\0';
	return used;
}
