/* The table of options, and their values as text and back. */
#include "common/os/config_schema.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/keys.h"
#include "common/units.h"

#define US  1e3
#define MS  1e6
#define SEC 1e9
#define MIN (60 * SEC)
#define DAY (86400 * SEC)

#define MEMBER(type, field)                                                    \
	offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define TOP(name, kind, flags, min, max, def)                                  \
	{                                                                      \
		"", #name, kind, flags, MEMBER(config, name), min, max, def    \
	}
#define NODE(name, kind, min, max)                                             \
	{                                                                      \
		CONFIG_NODE_SECTION, #name, kind, OPTION_REQUIRED,             \
			MEMBER(config_node, name), min, max, NULL              \
	}
#define OPT(section, name, field, kind, flags, min, max, def)                  \
	{                                                                      \
#section, name, kind, flags, MEMBER(config, section.field),    \
			min, max, def                                          \
	}

#define D OPTION_DURATION
#define S OPTION_SIZE

/* Upper ends are where a value stops making sense, not what is wise. Durations
 * stay below 2^53 ns, so that their text reads back exactly. run_dir leaves
 * room for a socket's name in the 108 bytes of sun_path. */
const struct option config_options[] = {
	TOP(self, OPTION_NAME, OPTION_REQUIRED | OPTION_FIXED, 0, 0, NULL),
	TOP(data_dir, OPTION_PATH, OPTION_FIXED, 1, 255, "/var/lib/raftfs"),
	TOP(run_dir, OPTION_PATH, OPTION_FIXED, 1, 80, "/run/raftfs"),
	TOP(key_file, OPTION_PATH, OPTION_FIXED, 1, 255,
	    "/etc/raftfs/node.key"),
	TOP(join, OPTION_BOOL, 0, 0, 0, "false"),

	{ "cluster", "id", OPTION_NAME, OPTION_REQUIRED | OPTION_AGREED,
	  MEMBER(config, cluster_id), 0, 0, NULL },

	NODE(id, OPTION_U32, 1, 1e6),
	NODE(address, OPTION_ADDRESS, 0, 0),
	NODE(raft_port, OPTION_PORT, 1, 65535),
	NODE(storage_port, OPTION_PORT, 1, 65535),
	NODE(time_port, OPTION_PORT, 1, 65535),
	NODE(key, OPTION_KEY, 0, 0),

	OPT(time_sync, "sync_interval", sync_interval_ns, D, 0, 10 * MS, DAY,
	    "60"),
	OPT(time_sync, "min_peers", min_peers, OPTION_U32, 0, 1, 9, "3"),
	OPT(time_sync, "max_peers", max_peers, OPTION_U32, 0, 1, 9, "5"),
	OPT(time_sync, "timeout", timeout_ns, D, 0, 1 * MS, MIN, "1.0"),
	OPT(time_sync, "drift_threshold", drift_threshold, OPTION_DOUBLE, 0,
	    1e-9, 1e6, "0.1"),
	OPT(time_sync, "adjustment_rate", adjustment_rate, OPTION_DOUBLE, 0,
	    1e-6, 1, "0.1"),
	OPT(time_sync, "history_size", history_size, OPTION_U32, 0, 1, 64,
	    "10"),
	OPT(time_sync, "burst", burst, OPTION_U32, 0, 1, 8, "1"),
	OPT(time_sync, "max_rate_ppm", max_rate_ppm, OPTION_DOUBLE,
	    OPTION_AGREED, 1, 10000, "200"),
	OPT(time_sync, "max_slew_ppm", max_slew_ppm, OPTION_DOUBLE, 0, 1, 10000,
	    "500"),
	OPT(time_sync, "max_correction", max_correction_ns, D, 0, 1 * MS,
	    60 * MIN, 	    "250ms"),
	OPT(time_sync, "target_bound", target_bound_ns, D, 0, 1 * US, MIN,
	    "1ms"),
	OPT(time_sync, "void_after", void_after_ns, D, 0, SEC, 7 * DAY,
	    "10min"),
	OPT(time_sync, "max_rtt", max_rtt_ns, D, 0, 100 * US, MIN, "500ms"),
	OPT(time_sync, "reference", reference, OPTION_REFERENCE, OPTION_FIXED,
	    0, 0, "cluster"),
	OPT(time_sync, "servers", servers, OPTION_SERVERS, OPTION_FIXED, 0, 0,
	    ""),
	OPT(time_sync, "serve_ntp", serve_ntp, OPTION_PORT, OPTION_FIXED, 0,
	    65535, "0"),
	OPT(time_sync, "discipline_system_clock", discipline_system_clock,
	    OPTION_BOOL, OPTION_FIXED, 0, 0, "false"),

	OPT(raft, "election_timeout_min", election_timeout_min_ns, D, 0,
	    10 * MS, MIN, "50ms"),
	OPT(raft, "election_timeout_max", election_timeout_max_ns, D, 0,
	    20 * MS, 10 * MIN, "3s"),
	OPT(raft, "heartbeat_min", heartbeat_min_ns, D, 0, 1 * MS, MIN, "20ms"),
	OPT(raft, "lease", lease_ns, D, 0, 0, MIN, "50ms"),
	OPT(raft, "segment", segment_bytes, S, OPTION_FIXED, 0x1p23, 0x1p30,
	    "16MiB"),
	OPT(raft, "snapshot_after", snapshot_after_bytes, S, 0, 0x1p16, 0x1p40,
	    "64MiB"),
	OPT(raft, "snapshot_after_entries", snapshot_after_entries, OPTION_U64,
	    0, 10, 1e12, "100000"),
	OPT(raft, "scrub_interval", scrub_interval_ns, D, 0, 0, 30 * DAY, "1h"),
	OPT(raft, "log_bytes_max", log_bytes_max, S, OPTION_FIXED, 0x1p20,
	    0x1p40, "192MiB"),

	OPT(storage, "inline_max", inline_max_bytes, S, OPTION_AGREED, 0,
	    0x1p18, "64KiB"),
	OPT(storage, "chunk", chunk_bytes, S, OPTION_AGREED, 0x1p16, 0x1p20,
	    "1MiB"),
	OPT(storage, "map", map_bytes, S, OPTION_FIXED, 0x1p20, 0x1p45,
	    "64GiB"),
	OPT(storage, "reserve", reserve_bytes, S, 0, 0, 0x1p45, "64MiB"),
	OPT(storage, "session_timeout", session_timeout_ns, D, OPTION_AGREED,
	    SEC, DAY, "60s"),

	OPT(grpc, "address", address, OPTION_ADDRESS, 0, 0, 0, "127.0.0.1"),
	OPT(grpc, "port", port, OPTION_PORT, 0, 0, 65535, "0"),
	OPT(grpc, "certificate", certificate, OPTION_PATH, 0, 0, 255, ""),
	OPT(grpc, "key", key, OPTION_PATH, 0, 0, 255, ""),
	OPT(grpc, "client_ca", client_ca, OPTION_PATH, 0, 0, 255, ""),

	OPT(supervisor, "user", user, OPTION_NAME, OPTION_FIXED, 0, 0, ""),
	OPT(supervisor, "cgroups", cgroups, OPTION_BOOL, OPTION_FIXED, 0, 0,
	    "true"),
	OPT(supervisor, "bpf", bpf, OPTION_BOOL, OPTION_FIXED, 0, 0, "true"),
	OPT(supervisor, "watchdog", watchdog_ns, D, 0, 0, 10 * MIN, "5s"),
	OPT(supervisor, "stop_timeout", stop_timeout_ns, D, 0, 10 * MS,
	    10 * MIN, "5s"),
	OPT(supervisor, "restarts", restarts_max, OPTION_U32, 0, 1, 64, "10"),
	OPT(supervisor, "restarts_window", restarts_window_ns, D, 0, SEC, DAY,
	    "60s"),

	{ "log", "level", OPTION_LEVEL, 0, MEMBER(config, log_level), 0, 0,
	  "notice" },
};
const size_t config_option_count =
	sizeof(config_options) / sizeof(config_options[0]);

const struct option *option_find(const char *section, const char *name)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(config_options[i].section, section) == 0 &&
		    strcmp(config_options[i].name, name) == 0)
			return &config_options[i];
	}
	return NULL;
}

bool option_section_exists(const char *section)
{
	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(config_options[i].section, section) == 0)
			return true;
	}
	return false;
}

/* "10 ms", "64 KiB" or "3", as the kind wants it. */
static const char *bound_text(const struct option *option, double bound,
			      char *buf, size_t size)
{
	if (option->kind == OPTION_DURATION)
		return units_format_duration((int64_t)bound, buf, size);
	if (option->kind == OPTION_SIZE)
		return units_format_size((uint64_t)bound, buf, size);
	snprintf(buf, size, "%.10g", bound);
	return buf;
}

static bool in_range(const struct option *option, double value, char *reason)
{
	char low[32];
	char high[32];

	if (value >= option->min && value <= option->max)
		return true;
	snprintf(reason, OPTION_REASON_MAX, "must be from %s to %s",
		 bound_text(option, option->min, low, sizeof(low)),
		 bound_text(option, option->max, high, sizeof(high)));
	return false;
}

static bool fail(char *reason, const char *text)
{
	snprintf(reason, OPTION_REASON_MAX, "%s", text);
	return false;
}

/* What is printed between double quotes must come back unchanged. */
static bool printable(const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (*at < ' ' || *at == 0x7f || *at == '"' || *at == '\\' ||
		    *at == '$')
			return false;
	}
	return true;
}

static bool name_like(const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL)
			return false;
	}
	return true;
}

bool option_is_title(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < CONFIG_NAME_MAX && name_like(text);
}

static bool parse_string(const struct option *option, const char *text,
			 char *place, char *reason)
{
	size_t length = strlen(text);

	if (length >= option->bytes) {
		snprintf(reason, OPTION_REASON_MAX, "longer than %zu bytes",
			 option->bytes - 1);
		return false;
	}
	if (!printable(text))
		return fail(reason, "control characters, quotes, backslashes "
				    "and $ are not possible here");
	if (option->kind == OPTION_NAME && !name_like(text))
		return fail(
			reason,
			"only letters, digits, '.', '_' and '-' make a name");
	if (length == 0 && (option->flags & OPTION_REQUIRED))
		return fail(reason, "may not be empty");
	if (option->kind == OPTION_PATH &&
	    (length > 0 || option->min > 0)) {
		if (text[0] != '/')
			return fail(reason, "must be an absolute path");
		if ((double)length > option->max) {
			snprintf(reason, OPTION_REASON_MAX,
				 "longer than %.0f bytes", option->max);
			return false;
		}
	}
	memset(place, 0, option->bytes);
	memcpy(place, text, length);
	return true;
}

static bool parse_address(const struct option *option, const char *text,
			  char *place, char *reason)
{
	uint8_t raw[16];
	static const uint8_t zero[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, raw) != 1)
		return fail(reason, "must be a numeric IPv4 or IPv6 address");
	if (memcmp(raw, zero, family == AF_INET6 ? 16 : 4) == 0)
		return fail(reason, "must be an address peers can reach");
	memset(place, 0, option->bytes);
	CHECK(inet_ntop(family, raw, place, (socklen_t)option->bytes) != NULL);
	return true;
}

static bool parse_integer(const struct option *option, const char *text,
			  void *place, char *reason)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0')
		return fail(reason, "must be a whole number");
	if (errno != 0)
		value = UINT64_MAX;
	if (!in_range(option, (double)value, reason))
		return false;
	if (option->kind == OPTION_PORT)
		*(uint16_t *)place = (uint16_t)value;
	else if (option->kind == OPTION_U64)
		*(uint64_t *)place = value;
	else
		*(uint32_t *)place = (uint32_t)value;
	return true;
}

static bool parse_quantity(const struct option *option, const char *text,
			   void *place, char *reason)
{
	int64_t ns = INT64_MAX;
	uint64_t bytes = UINT64_MAX;
	bool duration = option->kind == OPTION_DURATION;
	enum rfs_err err = duration ? units_parse_duration(text, &ns) :
				      units_parse_size(text, &bytes);

	if (err == RFS_ERR_INVALID)
		return fail(reason,
			    duration ? "must be a duration: a number and ns, "
				       "us, ms, s, min, h or d" :
				       "must be a size: a number and B, KiB, "
				       "MiB, GiB, TiB, KB, MB, GB or TB");
	if (!in_range(option, duration ? (double)ns : (double)bytes, reason))
		return false;
	if (duration)
		*(int64_t *)place = ns;
	else
		*(uint64_t *)place = bytes;
	return true;
}

static bool parse_double(const struct option *option, const char *text,
			 double *place, char *reason)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(value))
		return fail(reason, "must be a number");
	if (!in_range(option, value, reason))
		return false;
	*place = value;
	return true;
}

static bool parse_bool(const char *text, bool *place, char *reason)
{
	static const char *const words[] = { "false", "true", "no",
					     "yes",   "off",  "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*place = i % 2 == 1;
			return true;
		}
	}
	return fail(reason, "must be true or false");
}

static const char *const reference_names[] = {
	[CONFIG_REFERENCE_CLUSTER] = "cluster",
	[CONFIG_REFERENCE_SYSTEM] = "system",
	[CONFIG_REFERENCE_NTP] = "ntp",
};

static bool parse_reference(const char *text, enum config_reference *place,
			    char *reason)
{
	for (size_t i = 0;
	     i < sizeof(reference_names) / sizeof(*reference_names); i++) {
		if (strcmp(text, reference_names[i]) == 0) {
			*place = (enum config_reference)i;
			return true;
		}
	}
	return fail(reason, "must be cluster, system or ntp");
}

/* "ADDRESS", "IPV4:PORT" or "[IPV6]:PORT"; text is cut where the address
 * ends. */
static bool parse_server(char *text, char *address, size_t address_size,
			 uint16_t *port)
{
	char *first_colon = strchr(text, ':');
	char *port_text = NULL;
	uint8_t raw[16];
	int family;

	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		port_text = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		text++;
	} else if (first_colon != NULL && strchr(first_colon + 1, ':') == NULL) {
		*first_colon = '\0';
		port_text = first_colon + 1;
	}
	family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, raw) != 1 ||
	    inet_ntop(family, raw, address, (socklen_t)address_size) == NULL)
		return false;
	*port = 123;
	if (port_text != NULL) {
		char *end;
		unsigned long value = strtoul(port_text, &end, 10);

		if (!isdigit((unsigned char)port_text[0]) || *end != '\0' ||
		    value < 1 || value > 65535)
			return false;
		*port = (uint16_t)value;
	}
	return true;
}

static bool parse_servers(const char *text, struct config_servers *place,
			  char *reason)
{
	struct config_servers servers = { 0 };
	char copy[CONFIG_PATH_MAX];
	char *rest = copy;
	char *word;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return fail(reason, "too long");
	while ((word = strtok_r(rest, " ,\t", &rest)) != NULL) {
		if (servers.count == CONFIG_SERVERS_MAX)
			return fail(reason, "more than four servers");
		if (!parse_server(word, servers.list[servers.count].address,
				  sizeof(servers.list[0].address),
				  &servers.list[servers.count].port))
			return fail(reason,
				    "must be numeric addresses, each perhaps "
				    "with :PORT ([ADDRESS]:PORT for IPv6)");
		servers.count++;
	}
	*place = servers;
	return true;
}

static void format_servers(const struct config_servers *servers, char *text)
{
	size_t used = 1;

	snprintf(text, OPTION_VALUE_MAX, "\"");
	for (uint32_t i = 0; i < servers->count; i++) {
		const char *address = servers->list[i].address;
		bool six = strchr(address, ':') != NULL;

		used += (size_t)snprintf(text + used, OPTION_VALUE_MAX - used,
					 six ? "%s[%s]:%u" : "%s%s:%u",
					 i > 0 ? " " : "", address,
					 servers->list[i].port);
		CHECK(used < OPTION_VALUE_MAX - 1);
	}
	snprintf(text + used, OPTION_VALUE_MAX - used, "\"");
}

bool option_parse(const struct option *option, const char *text, void *base,
		  char reason[OPTION_REASON_MAX])
{
	void *place = (uint8_t *)base + option->offset;

	switch (option->kind) {
	case OPTION_TEXT:
	case OPTION_NAME:
	case OPTION_PATH:
		return parse_string(option, text, place, reason);
	case OPTION_ADDRESS:
		return parse_address(option, text, place, reason);
	case OPTION_KEY:
		return keys_public_parse(text, place) == RFS_ERR_OK ||
		       fail(reason, "must be a public key as printed by "
				    "raftfs keygen (44 characters)");
	case OPTION_U32:
	case OPTION_U64:
	case OPTION_PORT:
		return parse_integer(option, text, place, reason);
	case OPTION_DURATION:
	case OPTION_SIZE:
		return parse_quantity(option, text, place, reason);
	case OPTION_DOUBLE:
		return parse_double(option, text, place, reason);
	case OPTION_BOOL:
		return parse_bool(text, place, reason);
	case OPTION_LEVEL:
		return log_level_parse(text, place) ||
		       fail(reason, "must be error, warn, notice, info or "
				    "debug");
	case OPTION_REFERENCE:
		return parse_reference(text, place, reason);
	case OPTION_SERVERS:
		return parse_servers(text, place, reason);
	}
	return fail(reason, "unknown kind");
}

void option_format(const struct option *option, const void *base,
		   char text[OPTION_VALUE_MAX])
{
	static const char *const levels[] = { "error", "warn", "notice", "info",
					      "debug" };
	const void *place = (const uint8_t *)base + option->offset;
	char key[KEY_TEXT_BYTES];

	switch (option->kind) {
	case OPTION_TEXT:
	case OPTION_NAME:
	case OPTION_PATH:
	case OPTION_ADDRESS:
		snprintf(text, OPTION_VALUE_MAX, "\"%s\"", (const char *)place);
		break;
	case OPTION_KEY:
		keys_public_text(place, key);
		snprintf(text, OPTION_VALUE_MAX, "\"%s\"", key);
		break;
	case OPTION_U32:
		snprintf(text, OPTION_VALUE_MAX, "%" PRIu32,
			 *(const uint32_t *)place);
		break;
	case OPTION_PORT:
		snprintf(text, OPTION_VALUE_MAX, "%u",
			 *(const uint16_t *)place);
		break;
	case OPTION_DURATION:
		snprintf(text, OPTION_VALUE_MAX, "%" PRId64 "ns",
			 *(const int64_t *)place);
		break;
	case OPTION_U64:
	case OPTION_SIZE:
		snprintf(text, OPTION_VALUE_MAX, "%" PRIu64,
			 *(const uint64_t *)place);
		break;
	case OPTION_DOUBLE:
		/* An exponent's '+' is an operator to libconfuse: quote. */
		snprintf(text, OPTION_VALUE_MAX, "\"%.17g\"",
			 *(const double *)place);
		break;
	case OPTION_BOOL:
		snprintf(text, OPTION_VALUE_MAX, "%s",
			 *(const bool *)place ? "true" : "false");
		break;
	case OPTION_LEVEL:
		snprintf(text, OPTION_VALUE_MAX, "%s",
			 levels[*(const enum log_level *)place]);
		break;
	case OPTION_REFERENCE:
		snprintf(text, OPTION_VALUE_MAX, "\"%s\"",
			 reference_names[*(const enum config_reference *)
						 place]);
		break;
	case OPTION_SERVERS:
		format_servers(place, text);
		break;
	}
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time; long names are far from all. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64];
	size_t b_length = strlen(b);

	if (b_length >= sizeof(row) / sizeof(*row))
		return SIZE_MAX;
	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t old = row[j + 1];

			row[j + 1] = smallest(old + 1, row[j] + 1,
					      diagonal + (a[i] != b[j]));
			diagonal = old;
		}
	}
	return row[b_length];
}

const char *option_nearest(const char *section, const char *name, bool sections)
{
	const char *nearest = NULL;
	size_t least = strlen(name) / 3 + 2; /* farther is no hint */

	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];
		const char *known = sections ? option->section : option->name;
		size_t far;

		if (known[0] == '\0' ||
		    (!sections && strcmp(option->section, section) != 0))
			continue;
		far = distance(name, known);
		if (far < least) {
			least = far;
			nearest = known;
		}
	}
	return nearest;
}
