/* The image of a membership, in entries of the log and beside snapshots.
 *
 *	u8 version, u8 flags, u16 count, u64 index, u32 last_id, u32 0
 *	count times: u32 id, u8 flags, u32 replaces, u16 bytes, about
 */
#include "raftd/core/raft.h"

#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define MEMBERSHIP_VERSION 1
#define MEMBERSHIP_JOINT   1u

#define MEMBER_VOTER	1u
#define MEMBER_BEFORE	2u
#define MEMBER_PROMOTE	4u

const struct raft_member *
raft_membership_find(const struct raft_membership *membership, uint32_t id)
{
	for (uint32_t i = 0; i < membership->count; i++)
		if (membership->members[i].id == id)
			return &membership->members[i];
	return NULL;
}

static void member_encode(struct writer *w, const struct raft_member *member)
{
	CHECK(member->about_bytes <= RAFT_ABOUT_MAX);
	writer_u32le(w, member->id);
	writer_u8(w, (uint8_t)((member->voter ? MEMBER_VOTER : 0) |
			       (member->voter_before ? MEMBER_BEFORE : 0) |
			       (member->promote ? MEMBER_PROMOTE : 0)));
	writer_u32le(w, member->replaces);
	writer_u16le(w, member->about_bytes);
	writer_put(w, member->about, member->about_bytes);
}

uint32_t raft_membership_encode(const struct raft_membership *membership,
				uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX])
{
	struct writer w;

	CHECK(membership->count >= 1);
	CHECK(membership->count <= RAFT_NODES_MAX);
	writer_init(&w, image, RAFT_MEMBERSHIP_BYTES_MAX);
	writer_u8(&w, MEMBERSHIP_VERSION);
	writer_u8(&w, membership->joint ? MEMBERSHIP_JOINT : 0);
	writer_u16le(&w, (uint16_t)membership->count);
	writer_u64le(&w, membership->index);
	writer_u32le(&w, membership->last_id);
	writer_u32le(&w, 0);
	for (uint32_t i = 0; i < membership->count; i++)
		member_encode(&w, &membership->members[i]);
	CHECK(!w.bad);
	return (uint32_t)writer_bytes(&w);
}

static bool member_decode(struct reader *r, struct raft_member *member)
{
	const uint8_t *about;
	uint8_t flags;

	member->id = reader_u32le(r);
	flags = reader_u8(r);
	member->voter = flags & MEMBER_VOTER;
	member->voter_before = flags & MEMBER_BEFORE;
	member->promote = flags & MEMBER_PROMOTE;
	member->replaces = reader_u32le(r);
	member->about_bytes = reader_u16le(r);
	if (r->bad || flags > (MEMBER_VOTER | MEMBER_BEFORE | MEMBER_PROMOTE) ||
	    member->about_bytes > RAFT_ABOUT_MAX)
		return false;
	about = reader_take(r, member->about_bytes);
	if (!about)
		return false;
	memcpy(member->about, about, member->about_bytes);
	return true;
}

/* A learner, and what it is to replace is a voter. */
static bool promote_makes_sense(const struct raft_membership *membership,
				const struct raft_member *member)
{
	const struct raft_member *replaced;

	if (!member->promote)
		return member->replaces == RAFT_NOBODY;
	if (member->voter || member->voter_before)
		return false;
	if (member->replaces == RAFT_NOBODY)
		return true;
	replaced = raft_membership_find(membership, member->replaces);
	return replaced && (replaced->voter || replaced->voter_before);
}

static bool makes_sense(const struct raft_membership *membership)
{
	uint32_t voters = 0, before = 0, previous_id = RAFT_NOBODY;

	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];

		if (member->id <= previous_id ||
		    !promote_makes_sense(membership, member))
			return false;
		previous_id = member->id;
		voters += member->voter;
		before += member->voter_before;
	}
	return voters > 0 && (before > 0) == membership->joint &&
	       previous_id <= membership->last_id;
}

enum rfs_err raft_membership_decode(const void *image, size_t bytes,
				    struct raft_membership *membership)
{
	struct raft_membership got = { 0 };
	struct reader r;
	uint8_t flags;

	reader_init(&r, image, bytes);
	if (reader_u8(&r) != MEMBERSHIP_VERSION)
		return r.bad ? RFS_ERR_CORRUPT : RFS_ERR_VERSION;
	flags = reader_u8(&r);
	got.joint = flags & MEMBERSHIP_JOINT;
	got.count = reader_u16le(&r);
	got.index = reader_u64le(&r);
	got.last_id = reader_u32le(&r);
	if (reader_u32le(&r) != 0 || r.bad || flags > MEMBERSHIP_JOINT ||
	    got.count > RAFT_NODES_MAX)
		return RFS_ERR_CORRUPT;
	for (uint32_t i = 0; i < got.count; i++)
		if (!member_decode(&r, &got.members[i]))
			return RFS_ERR_CORRUPT;
	if (reader_left(&r) != 0 || !makes_sense(&got))
		return RFS_ERR_CORRUPT;
	*membership = got;
	return RFS_ERR_OK;
}
