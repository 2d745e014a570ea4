/* What one node's description must be, alone and beside another's: for files,
 * and for members that arrive by other ways. */
#include <stdio.h>
#include <string.h>

#include "common/os/config_schema.h"

/* Ports that collide on one address; of one node, with itself. */
static bool ports_clash(const struct config_node *a,
			const struct config_node *b, const char *option)
{
	bool same = a == b;

	if (strcmp(a->address, b->address) != 0)
		return false;
	if (strcmp(option, "raft_port") == 0)
		return b->raft_port == a->storage_port ||
		       b->raft_port == a->time_port ||
		       (!same && b->raft_port == a->raft_port);
	if (same)
		return false;
	if (strcmp(option, "storage_port") == 0)
		return b->storage_port == a->raft_port ||
		       b->storage_port == a->storage_port;
	return b->time_port == a->time_port || b->time_port == a->raft_port;
}

bool option_clashes(const struct config_node *a, const struct config_node *b,
		    const char *option)
{
	if (strstr(option, "port") != NULL)
		return ports_clash(a, b, option);
	if (a == b)
		return false;
	if (strcmp(option, "id") == 0)
		return a->id == b->id;
	if (strcmp(option, "name") == 0)
		return strcmp(a->name, b->name) == 0;
	return memcmp(a->key, b->key, CONFIG_KEY_BYTES) == 0;
}

static const char *const unique[] = { "id",	   "name",	   "key",
				      "raft_port", "storage_port", "time_port" };

const char *config_node_clash(const struct config_node *a,
			      const struct config_node *b)
{
	for (size_t i = 0; i < sizeof(unique) / sizeof(*unique); i++) {
		if (option_clashes(a, b, unique[i]))
			return unique[i];
	}
	return NULL;
}

/* A value that came by another way must be one that a file could have held. */
static bool reads_back(const struct option *option,
		       const struct config_node *node,
		       char reason[OPTION_REASON_MAX])
{
	char text[OPTION_VALUE_MAX];
	struct config_node scratch;
	size_t length;

	option_format(option, node, text);
	length = strlen(text);
	if (text[0] == '"') {
		text[length - 1] = '\0';
		return option_parse(option, text + 1, &scratch, reason);
	}
	return option_parse(option, text, &scratch, reason);
}

const char *config_node_fault(const struct config_node *node)
{
	static char fault[OPTION_REASON_MAX + 32];
	char reason[OPTION_REASON_MAX];

	if (!option_is_title(node->name)) {
		snprintf(fault, sizeof(fault),
			 "name: must be 1 to %d letters, digits, '.', '_' and "
			 "'-'",
			 CONFIG_NAME_MAX - 1);
		return fault;
	}
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];

		if (strcmp(option->section, CONFIG_NODE_SECTION) != 0 ||
		    reads_back(option, node, reason))
			continue;
		snprintf(fault, sizeof(fault), "%s: %s", option->name, reason);
		return fault;
	}
	if (option_clashes(node, node, "raft_port"))
		return "raft_port: used for something else too";
	return NULL;
}
