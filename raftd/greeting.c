/* Who is let in. What decides is the key that TLS has proved, and whether the
 * two of us would agree; the rest is for the one who is not. */
#include "raftd/greeting.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_BYTES 32

void greeting_hello(const struct config *config, const struct roster *roster,
		    uint64_t incarnation, DistributedFs__PeerHello *hello)
{
	distributed_fs__peer_hello__init(hello);
	hello->node = config_self(config)->id;
	hello->config_digest.data = (uint8_t *)config->digest;
	hello->config_digest.len = sizeof(config->digest);
	hello->nodes_digest.data = (uint8_t *)config->nodes_digest;
	hello->nodes_digest.len = sizeof(config->nodes_digest);
	hello->incarnation = incarnation;
	hello->members_index = roster->index;
	hello->joining = config->join;
	hello->fresh = roster->fresh;
}

static void refuse(struct greeting *greeting, enum rfs_err err,
		   const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct greeting *greeting, enum rfs_err err,
		   const char *format, ...)
{
	va_list args;

	greeting->err = err;
	va_start(args, format);
	vsnprintf(greeting->why, sizeof(greeting->why), format, args);
	va_end(args);
}

static void digest_text(const uint8_t *digest, size_t bytes, char text[17])
{
	text[0] = '\0';
	for (size_t i = 0; i < 8 && i < bytes; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static bool same_digest(const ProtobufCBinaryData *theirs,
			const uint8_t ours[DIGEST_BYTES])
{
	return theirs->len == DIGEST_BYTES &&
	       memcmp(theirs->data, ours, DIGEST_BYTES) == 0;
}

/* A stranger: it was a member, it is none yet, or it is nobody. */
static void judge_stranger(const struct config *config,
			   const struct roster *roster,
			   const DistributedFs__PeerHello *hello,
			   struct greeting *greeting)
{
	const char *self = config_self(config)->name;

	if (hello->node != 0 && hello->node <= roster->last_id &&
	    roster->settled) {
		greeting->removed_index = roster->index;
		refuse(greeting, RFS_ERR_DENIED,
		       "removed from the cluster (membership entry %" PRIu64
		       ")",
		       roster->index);
	} else {
		refuse(greeting, RFS_ERR_NOENT,
		       "%s does not know node id %u with this key: if it is "
		       "new, take it in by \"raftfs members add\"",
		       self, hello->node);
	}
}

/* What all nodes agree on, and what those must that start a cluster. */
static void compare(const struct config *config, const struct roster *roster,
		    const DistributedFs__PeerHello *hello,
		    struct greeting *greeting)
{
	const char *self = config_self(config)->name;
	const char *name = greeting->node->name;
	char theirs[17], ours[17];

	if (!same_digest(&hello->config_digest, config->digest)) {
		digest_text(hello->config_digest.data,
			    hello->config_digest.len, theirs);
		digest_text(config->digest, sizeof(config->digest), ours);
		refuse(greeting, RFS_ERR_INVALID,
		       "the configurations differ: %s has digest %s, %s has %s",
		       name, theirs, self, ours);
	} else if (hello->members_index == 0 && roster->index == 0 &&
		   !hello->joining && !config->join &&
		   !same_digest(&hello->nodes_digest, config->nodes_digest)) {
		refuse(greeting, RFS_ERR_INVALID,
		       "the configurations differ: %s and %s start with other "
		       "nodes",
		       name, self);
	}
}

bool greeting_has_forgotten(const struct roster *roster, uint32_t node,
			    bool fresh, char why[GREETING_WHY_MAX])
{
	if (!fresh || !roster_is_voter(roster, node))
		return false;
	snprintf(why, GREETING_WHY_MAX,
		 "%s was a voter and has lost its log: it can only come back "
		 "under a new id (raftfs members replace)",
		 roster_name(roster, node));
	return true;
}

void greeting_judge(const struct config *config, const struct roster *roster,
		    const DistributedFs__PeerHello *hello,
		    const uint8_t key[CONFIG_KEY_BYTES],
		    struct greeting *greeting)
{
	const struct config_node *node = roster_find(roster, hello->node);

	memset(greeting, 0, sizeof(*greeting));
	if (node == NULL) {
		judge_stranger(config, roster, hello, greeting);
	} else if (memcmp(node->key, key, CONFIG_KEY_BYTES) != 0 ||
		   node->id == config_self(config)->id) {
		refuse(greeting, RFS_ERR_DENIED,
		       "node id %u does not go with its key", hello->node);
	} else {
		greeting->node = node;
		compare(config, roster, hello, greeting);
		greeting->forgotten = greeting_has_forgotten(
			roster, hello->node, hello->fresh, greeting->why);
		if (greeting->forgotten)
			greeting->err = RFS_ERR_DENIED;
	}
}
