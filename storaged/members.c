/* Conversion, look-up, and the two majorities. */
#include "storaged/members.h"

#include <stdio.h>
#include <string.h>

_Static_assert(CONFIG_NODES_MAX <= 32, "a set of members is a uint32_t");

void members_from_config(struct members *members, const struct config *config)
{
	*members = (struct members){ .count = config->node_count };
	for (uint32_t i = 0; i < config->node_count; i++)
		members->list[i] = (struct member){ .node = config->nodes[i],
						    .voter = true };
}

static bool take_member(struct member *member,
			const DistributedFs__LocalMember *message)
{
	const DistributedFs__Member *about = message->about;
	struct config_node *node = &member->node;

	if (message->id == 0 || !about || about->key.len != CONFIG_KEY_BYTES ||
	    strlen(about->name) >= sizeof(node->name) ||
	    strlen(about->address) >= sizeof(node->address) ||
	    about->storage_port == 0 || about->storage_port > UINT16_MAX)
		return false;
	*member = (struct member){ .voter = message->voter,
				   .voter_before = message->voter_before };
	node->id = message->id;
	snprintf(node->name, sizeof(node->name), "%s", about->name);
	snprintf(node->address, sizeof(node->address), "%s", about->address);
	node->storage_port = (uint16_t)about->storage_port;
	memcpy(node->key, about->key.data, CONFIG_KEY_BYTES);
	return true;
}

enum rfs_err members_from_message(struct members *members,
				  const DistributedFs__LocalMembers *message)
{
	struct members fresh = { .index = message->index,
				 .joint = message->joint };

	if (message->n_members > CONFIG_NODES_MAX)
		return RFS_ERR_INVALID;
	for (size_t i = 0; i < message->n_members; i++)
		if (!take_member(&fresh.list[fresh.count++],
				 message->members[i]))
			return RFS_ERR_INVALID;
	*members = fresh;
	return RFS_ERR_OK;
}

const struct member *members_find(const struct members *members, uint32_t id)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (members->list[i].node.id == id)
			return &members->list[i];
	return NULL;
}

const struct member *members_find_key(const struct members *members,
				      const uint8_t key[CONFIG_KEY_BYTES])
{
	for (uint32_t i = 0; i < members->count; i++)
		if (memcmp(members->list[i].node.key, key, CONFIG_KEY_BYTES) ==
		    0)
			return &members->list[i];
	return NULL;
}

bool members_decide(const struct members *members, uint32_t set)
{
	uint32_t voters = 0;
	uint32_t before = 0;
	uint32_t of_voters = 0;
	uint32_t of_before = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct member *member = &members->list[i];
		bool has = set >> i & 1;

		voters += member->voter;
		before += member->voter_before;
		of_voters += member->voter && has;
		of_before += member->voter_before && has;
	}
	return of_voters > voters / 2 &&
	       (!members->joint || of_before > before / 2);
}
