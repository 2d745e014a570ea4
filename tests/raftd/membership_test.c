/* The image of a membership: exact, strict, and for every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/prng.h"
#include "raftd/core/raft.h"

static const struct raft_membership joint = {
	.index = 77,
	.joint = true,
	.last_id = 12,
	.count = 4,
	.members = {
		{ .id = 1, .voter = true, .voter_before = true,
		  .about_bytes = 3, .about = "one" },
		{ .id = 2, .voter_before = true },
		{ .id = 9, .promote = true, .replaces = 1 },
		{ .id = 12, .voter = true },
	},
};

static struct raft_membership plain(uint32_t count)
{
	struct raft_membership m = { .index = 5, .last_id = count,
				     .count = count };

	for (uint32_t i = 0; i < count; i++)
		m.members[i] = (struct raft_member){ .id = i + 1,
						     .voter = true };
	return m;
}

static enum rfs_err through(const struct raft_membership *m,
			    struct raft_membership *got)
{
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];
	uint32_t bytes = raft_membership_encode(m, image);

	return raft_membership_decode(image, bytes, got);
}

static void assert_same(const struct raft_membership *a,
			const struct raft_membership *b)
{
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->joint, b->joint);
	assert_int_equal(a->last_id, b->last_id);
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		const struct raft_member *x = &a->members[i];
		const struct raft_member *y = &b->members[i];

		assert_int_equal(x->id, y->id);
		assert_int_equal(x->voter, y->voter);
		assert_int_equal(x->voter_before, y->voter_before);
		assert_int_equal(x->promote, y->promote);
		assert_int_equal(x->replaces, y->replaces);
		assert_int_equal(x->about_bytes, y->about_bytes);
		assert_memory_equal(x->about, y->about, x->about_bytes);
	}
}

static void what_is_encoded_is_decoded(void **state)
{
	struct raft_membership got;
	(void)state;

	assert_int_equal(through(&joint, &got), RFS_ERR_OK);
	assert_same(&joint, &got);
	for (uint32_t count = 1; count <= RAFT_NODES_MAX; count++) {
		struct raft_membership m = plain(count);

		for (uint32_t i = 0; i < count; i++) {
			m.members[i].about_bytes = RAFT_ABOUT_MAX;
			memset(m.members[i].about, (int)i, RAFT_ABOUT_MAX);
		}
		assert_int_equal(through(&m, &got), RFS_ERR_OK);
		assert_same(&m, &got);
	}
}

static void a_member_is_found_by_its_id(void **state)
{
	(void)state;

	assert_ptr_equal(raft_membership_find(&joint, 9), &joint.members[2]);
	assert_null(raft_membership_find(&joint, 3));
	assert_null(raft_membership_find(&joint, RAFT_NOBODY));
}

static void nonsense_is_refused(void **state)
{
	struct raft_membership m, got;
	(void)state;

	m = plain(3);
	m.members[2].id = 2; /* twice */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(3);
	m.members[0].id = RAFT_NOBODY;
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(3);
	m.last_id = 2; /* an id that was never given out */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(1);
	m.members[0].voter = false; /* nobody votes */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(3);
	m.joint = true; /* with nobody before */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(3);
	m.members[1].voter_before = true; /* not joint */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(3);
	m.members[1].promote = true; /* a voter already */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = plain(3);
	m.members[1].replaces = 1; /* and is not to be promoted */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
	m = joint;
	m.members[2].replaces = 7; /* who is no member */
	assert_int_equal(through(&m, &got), RFS_ERR_CORRUPT);
}

static void no_part_of_an_image_and_nothing_longer_is_one(void **state)
{
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX + 1] = { 0 };
	uint32_t bytes = raft_membership_encode(&joint, image);
	struct raft_membership got;
	(void)state;

	for (uint32_t cut = 0; cut < bytes; cut++)
		assert_int_equal(raft_membership_decode(image, cut, &got),
				 RFS_ERR_CORRUPT);
	assert_int_equal(raft_membership_decode(image, bytes + 1, &got),
			 RFS_ERR_CORRUPT);
	image[0]++;
	assert_int_equal(raft_membership_decode(image, bytes, &got),
			 RFS_ERR_VERSION);
}

/* What is accepted can be encoded again, and says the same. */
static void a_flipped_bit_is_refused_or_another_good_image(void **state)
{
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];
	uint32_t bytes = raft_membership_encode(&joint, image);
	struct raft_membership got, again;
	struct prng prng;
	(void)state;

	prng_seed(&prng, 4);
	for (int i = 0; i < 20000; i++) {
		uint8_t bent[RAFT_MEMBERSHIP_BYTES_MAX];

		memcpy(bent, image, bytes);
		for (uint64_t n = 1 + prng_below(&prng, 3); n > 0; n--)
			bent[prng_below(&prng, bytes)] ^=
				(uint8_t)(1u << prng_below(&prng, 8));
		if (raft_membership_decode(bent, bytes, &got) != RFS_ERR_OK)
			continue;
		assert_int_equal(through(&got, &again), RFS_ERR_OK);
		assert_same(&got, &again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(a_member_is_found_by_its_id),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(no_part_of_an_image_and_nothing_longer_is_one),
		cmocka_unit_test(a_flipped_bit_is_refused_or_another_good_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
