/* Apply one committed entry; the same entry has the same effect everywhere. */
#include "tests/sim/kv.h"

#include <string.h>

#include "common/check.h"
#include "tests/sim/facts.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ b) * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;

	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
	return x ^ (x >> 32);
}

static void apply_command(struct kv *kv, const struct fact *fact,
			  struct kv_outcome *outcome)
{
	struct kv_command *what = &outcome->what;
	uint64_t before;

	CHECK(fact->bytes == sizeof(*what));
	memcpy(what, fact->data, sizeof(*what));
	CHECK(what->identity < KV_IDENTITIES && what->key < KV_KEYS);
	outcome->command = true;
	outcome->duplicate =
		what->sequence <= kv->last[what->identity].sequence;
	if (!outcome->duplicate) {
		before = what->kind == KV_APPEND ? kv->keys[what->key] : 0;
		kv->keys[what->key] = mix(before, what->value);
		kv->last[what->identity].sequence = what->sequence;
		kv->last[what->identity].result = kv->keys[what->key];
	}
	outcome->result = kv->last[what->identity].result;
}

void kv_apply(struct kv *kv, const struct fact *fact,
	      struct kv_outcome *outcome)
{
	CHECK(fact->index == kv->applied + 1);
	memset(outcome, 0, sizeof(*outcome));
	if (fact->kind == RAFT_ENTRY_COMMAND)
		apply_command(kv, fact, outcome);
	kv->applied = fact->index;
	kv->digest =
		mix(mix(kv->digest, fact->index), fact->term ^ outcome->result);
}
