/* Quorum arithmetic over one set of voters, or two. */
#include "raftd/core/members.h"

#include <stdio.h>

#include "common/check.h"

void members_load(struct members *members,
		  const struct raft_membership *membership)
{
	CHECK(membership->count <= RAFT_NODES_MAX);
	*members = (struct members){ .count = membership->count };
	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];

		CHECK(member->id != RAFT_NOBODY);
		CHECK(i == 0 || member->id > members->ids[i - 1]);
		members->ids[i] = member->id;
		members->voters |= (uint32_t)member->voter << i;
		members->before |= (uint32_t)member->voter_before << i;
	}
	CHECK(members->voters != 0 || members->count == 0);
	CHECK((members->before != 0) == membership->joint);
}

uint32_t members_position(const struct members *members, uint32_t id)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (members->ids[i] == id)
			return i;
	return MEMBERS_NONE;
}

static uint32_t count_bits(uint32_t bits)
{
	uint32_t count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count;
}

bool members_votes(const struct members *members, uint32_t position)
{
	return position < members->count &&
	       (members->voters | members->before) & 1u << position;
}

uint32_t members_voter_count(const struct members *members)
{
	return count_bits(members->voters | members->before);
}

bool members_is_alone(const struct members *members, uint32_t id)
{
	uint32_t at = members_position(members, id);

	return at != MEMBERS_NONE &&
	       (members->voters | members->before) == 1u << at;
}

/* More than half of one set. */
static bool is_majority(uint32_t set, uint32_t bits)
{
	return 2 * count_bits(set & bits) > count_bits(set);
}

bool members_is_quorum(const struct members *members, uint32_t bits)
{
	return is_majority(members->voters, bits) &&
	       (members->before == 0 || is_majority(members->before, bits));
}

uint64_t members_reached(const struct members *members, const uint64_t *values)
{
	uint64_t best = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		uint32_t there = 0;

		for (uint32_t k = 0; k < members->count; k++)
			there |= (uint32_t)(values[k] >= values[i]) << k;
		if (values[i] > best && members_is_quorum(members, there))
			best = values[i];
	}
	return best;
}

const char *members_text(const struct members *members, uint32_t bits,
			 char text[MEMBERS_TEXT_MAX])
{
	int at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < members->count; i++)
		if (bits & 1u << i)
			at += snprintf(text + at, MEMBERS_TEXT_MAX - (size_t)at,
				       "%s%u", at ? "," : "", members->ids[i]);
	return text;
}
