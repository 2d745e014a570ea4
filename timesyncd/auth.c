/* Keys, MACs, replay windows and token buckets. */
#include "timesyncd/auth.h"

#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/units.h"

static const char key_label[] = "raftfs time packet 1";

enum rfs_err auth_init(struct auth *auth, const struct node_key *own,
		       const uint8_t peer_public[KEY_PUBLIC_BYTES],
		       const char *cluster_id)
{
	memset(auth, 0, sizeof(*auth));
	memcpy(auth->cluster_id, cluster_id,
	       strnlen(cluster_id, sizeof(auth->cluster_id) - 1));
	return keys_shared_secret(own, peer_public, auth->secret);
}

void auth_fini(struct auth *auth)
{
	sodium_memzero(auth, sizeof(*auth));
}

/* Every input has a fixed length, so no two sets of inputs run together. */
static void derive(const struct auth *auth, const struct timepacket_head *head,
		   uint8_t key[32])
{
	uint8_t input[sizeof(key_label) + CONFIG_NAME_MAX + 8 +
		      2 * TIMEPACKET_BOOT_BYTES];
	struct writer w;

	writer_init(&w, input, sizeof(input));
	writer_put(&w, key_label, sizeof(key_label));
	writer_put(&w, auth->cluster_id, CONFIG_NAME_MAX);
	writer_u32le(&w, head->from);
	writer_u32le(&w, head->to);
	writer_put(&w, head->from_boot, TIMEPACKET_BOOT_BYTES);
	writer_put(&w, head->to_boot, TIMEPACKET_BOOT_BYTES);
	CHECK(!w.bad && writer_bytes(&w) == sizeof(input));
	crypto_generichash(key, 32, input, sizeof(input), auth->secret,
			   sizeof(auth->secret));
}

bool auth_same(const struct auth *a, const struct auth *b)
{
	return sodium_memcmp(a->secret, b->secret, sizeof(a->secret)) == 0 &&
	       strcmp(a->cluster_id, b->cluster_id) == 0;
}

static void mac_of(const struct auth *auth, const struct timepacket_head *head,
		   const uint8_t *packet, uint8_t mac[TIMEPACKET_MAC_BYTES])
{
	uint8_t key[32];

	derive(auth, head, key);
	crypto_generichash(mac, TIMEPACKET_MAC_BYTES, packet,
			   TIMEPACKET_BYTES - TIMEPACKET_MAC_BYTES, key,
			   sizeof(key));
	sodium_memzero(key, sizeof(key));
}

void auth_seal(const struct auth *auth, const struct timepacket_head *head,
	       uint8_t packet[TIMEPACKET_BYTES])
{
	mac_of(auth, head, packet,
	       packet + TIMEPACKET_BYTES - TIMEPACKET_MAC_BYTES);
}

enum rfs_err auth_check(const struct auth *auth,
			const struct timepacket_head *head,
			const uint8_t packet[TIMEPACKET_BYTES])
{
	uint8_t mac[TIMEPACKET_MAC_BYTES];

	mac_of(auth, head, packet, mac);
	if (sodium_memcmp(mac, packet + TIMEPACKET_BYTES - sizeof(mac),
			  sizeof(mac)) != 0)
		return RFS_ERR_DENIED;
	return RFS_ERR_OK;
}

void replay_reset(struct replay *replay)
{
	memset(replay, 0, sizeof(*replay));
}

static void forget_between(struct replay *replay, uint64_t from, uint64_t to)
{
	if (to - from >= REPLAY_WINDOW) {
		memset(replay->seen, 0, sizeof(replay->seen));
		return;
	}
	for (uint64_t c = from + 1; c <= to; c++)
		replay->seen[c % REPLAY_WINDOW / 64] &=
			~(UINT64_C(1) << (c % 64));
}

bool replay_accept(struct replay *replay, uint64_t counter)
{
	uint64_t *word = &replay->seen[counter % REPLAY_WINDOW / 64];
	uint64_t bit = UINT64_C(1) << (counter % 64);

	if (counter == 0 || counter == UINT64_MAX)
		return false;
	if (counter > replay->highest) {
		forget_between(replay, replay->highest, counter);
		replay->highest = counter;
	} else if (replay->highest - counter >= REPLAY_WINDOW) {
		return false;
	} else if (*word & bit) {
		return false;
	}
	*word |= bit;
	return true;
}

void bucket_init(struct bucket *bucket, uint32_t capacity, uint32_t per_second,
		 int64_t raw_ns)
{
	*bucket = (struct bucket){
		.filled_ns = raw_ns,
		.tokens = capacity,
		.capacity = capacity,
		.interval_ns = NS_PER_SEC / per_second,
	};
}

bool bucket_take(struct bucket *bucket, int64_t raw_ns)
{
	int64_t fresh = (raw_ns - bucket->filled_ns) / bucket->interval_ns;

	if (fresh > 0) {
		bucket->filled_ns += fresh * bucket->interval_ns;
		bucket->tokens = fresh >= bucket->capacity - bucket->tokens ?
					 bucket->capacity :
					 bucket->tokens + (uint32_t)fresh;
	}
	if (bucket->tokens == 0)
		return false;
	bucket->tokens--;
	return true;
}
