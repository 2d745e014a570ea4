/* Who may speak: packet MACs, replay windows, and how often one may ask.
 *
 * A MAC, not encryption: nothing in a time packet is secret. Keys are derived,
 * never configured: BLAKE2b over the two nodes' X25519 secret, the cluster's
 * id, both node ids and both boot ids, in the order sender, receiver.
 */
#ifndef RAFTFS_TIMESYNCD_AUTH_H
#define RAFTFS_TIMESYNCD_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/config.h"
#include "common/os/keys.h"
#include "proto/timepacket.h"

/* What two nodes share for as long as the configuration stands. */
struct auth {
	uint8_t secret[32];
	char cluster_id[CONFIG_NAME_MAX];
};

/* INVALID: the peer's public key is no key. Wipe with auth_fini(). */
RFS_MUST_USE enum rfs_err auth_init(struct auth *auth,
				    const struct node_key *own,
				    const uint8_t peer_public[KEY_PUBLIC_BYTES],
				    const char *cluster_id);
void auth_fini(struct auth *auth);

/* Both derive the same keys. */
bool auth_same(const struct auth *a, const struct auth *b);

/* MAC the packet, whose header says from whom to whom, in place. */
void auth_seal(const struct auth *auth, const struct timepacket_head *head,
	       uint8_t packet[TIMEPACKET_BYTES]);

/* DENIED: the MAC does not fit. */
RFS_MUST_USE enum rfs_err auth_check(const struct auth *auth,
				     const struct timepacket_head *head,
				     const uint8_t packet[TIMEPACKET_BYTES]);

/* Counters seen of one boot of one peer (RFC 6479 in spirit): each once, and
 * none that is more than REPLAY_WINDOW behind the highest. */
#define REPLAY_WINDOW 1024u

struct replay {
	uint64_t highest; /* 0: nothing yet; counters start at 1 */
	uint64_t seen[REPLAY_WINDOW / 64];
};

void replay_reset(struct replay *replay);

/* True once for each counter. Call only for what auth_check() passed. */
bool replay_accept(struct replay *replay, uint64_t counter);

/* A token bucket: bounds what a flood may cost before its MAC is looked at. */
struct bucket {
	int64_t filled_ns; /* raw: when the tokens below were counted */
	uint32_t tokens;
	uint32_t capacity;
	int64_t interval_ns; /* one token each */
};

void bucket_init(struct bucket *bucket, uint32_t capacity, uint32_t per_second,
		 int64_t raw_ns);
bool bucket_take(struct bucket *bucket, int64_t raw_ns);

#endif
