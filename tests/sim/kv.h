/* The replicated state machine of the simulator: a few keys, put and append,
 * and an exactly-once table. Pure; a plain struct, copied for a snapshot.
 *
 * The state of a key is summed up in a digest of every value put together;
 * values are unique, so a digest names the write that made it.
 */
#ifndef RAFTFS_TESTS_SIM_KV_H
#define RAFTFS_TESTS_SIM_KV_H

#include <stdbool.h>
#include <stdint.h>

struct fact;

#define KV_KEYS	      6
#define KV_IDENTITIES 256

enum kv_kind {
	KV_PUT = 1,
	KV_APPEND = 2,
};

/* Data of a RAFT_ENTRY_COMMAND. */
struct kv_command {
	uint32_t identity;
	uint32_t sequence; /* from 1, one outstanding per identity */
	uint32_t key;
	uint32_t kind;
	uint64_t value; /* unique */
};

struct kv {
	uint64_t applied;
	uint64_t digest;	/* of everything applied, in order */
	uint64_t keys[KV_KEYS]; /* digest of the key's state; 0: never put */
	struct {
		uint64_t result;
		uint32_t sequence;
	} last[KV_IDENTITIES];
};

struct kv_outcome {
	bool command;
	bool duplicate; /* answered from the table, no effect */
	struct kv_command what;
	uint64_t result; /* the key's digest just after the write */
};

/* Apply the entry at kv->applied + 1. */
void kv_apply(struct kv *kv, const struct fact *fact,
	      struct kv_outcome *outcome);

#endif
