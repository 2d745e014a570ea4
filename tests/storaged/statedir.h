/* A state on disk for tests, fed with commands as the log would. */
#ifndef RAFTFS_TESTS_STORAGED_STATEDIR_H
#define RAFTFS_TESTS_STORAGED_STATEDIR_H

#include "storaged/packs.h"
#include "storaged/snapshot.h"
#include "storaged/state.h"
#include "tests/storaged/scratch.h"

struct statedir {
	char dir[64];
	struct packs *packs;
	struct snapshots *snapshots;
	struct state *state;
	uint64_t index; /* of the last entry given */
	uint64_t session;
	uint64_t seq;
	struct store_result result; /* the last one reported */
	uint32_t results;
	uint64_t freed[16];
	uint32_t freed_count;
	uint64_t applied; /* last reported */
};

/* cmocka setup and teardown: an empty state with a session open. */
int statedir_setup(void **state);
int statedir_teardown(void **state);

/* Open and close everything that is open on disk. */
void statedir_open(struct statedir *d);
void statedir_close(struct statedir *d, bool clean);

/* The next entry; in a session and under the next seq where the op wants it.
 * Not committed. */
enum rfs_err statedir_apply(struct statedir *d, struct command *command);
/* The same, committed; returns the command's own answer. */
enum rfs_err statedir_do(struct statedir *d, struct command *command);

void statedir_mkdir(struct statedir *d, const char *name);
void statedir_put(struct statedir *d, const char *name, const void *data,
		  size_t bytes);
bool statedir_has(struct statedir *d, const char *name);

#endif
