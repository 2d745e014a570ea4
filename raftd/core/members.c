/* Quorum arithmetic over a fixed list of voters. */
#include "raftd/core/members.h"

#include <stdio.h>

uint32_t members_position(const struct members *members, uint32_t id)
{
	for (uint32_t i = 0; i < members->count; i++)
		if (members->ids[i] == id)
			return i;
	return MEMBERS_NONE;
}

uint32_t members_quorum(const struct members *members)
{
	return members->count / 2 + 1;
}

uint64_t members_reached(const struct members *members, const uint64_t *values)
{
	uint64_t best = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		uint32_t there = 0;

		for (uint32_t k = 0; k < members->count; k++)
			there += values[k] >= values[i];
		if (there >= members_quorum(members) && values[i] > best)
			best = values[i];
	}
	return best;
}

bool members_is_quorum(const struct members *members, uint32_t bits)
{
	uint32_t count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count >= members_quorum(members);
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
