/* Node identity: one Ed25519 key pair per node (libsodium).
 *
 * The secret lives in a file of mode 0400; public keys are 32 bytes, base64 in
 * raftfs.conf. No CA and no dates: a cluster whose clock is broken must talk.
 */
#ifndef RAFTFS_COMMON_OS_KEYS_H
#define RAFTFS_COMMON_OS_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define KEY_PUBLIC_BYTES 32
#define KEY_SEED_BYTES	 32
#define KEY_TEXT_BYTES	 48 /* base64 of a public key, and a NUL */
#define KEY_SIGNATURE_BYTES 64

struct node_key {
	uint8_t public_key[KEY_PUBLIC_BYTES];
	uint8_t seed[KEY_SEED_BYTES]; /* secret; wipe with keys_wipe() */
};

/* Call once per process before anything below; aborts if libsodium cannot
 * start. */
void keys_init(void);

RFS_MUST_USE enum rfs_err keys_generate(struct node_key *key);

/* Write to a new file, mode 0400, durable; EXIST when there is one already. */
RFS_MUST_USE enum rfs_err keys_save(const char *path,
				    const struct node_key *key);

/* NOENT, CORRUPT, or DENIED when others than the owner may read it; each is
 * logged with the path and what to do. */
RFS_MUST_USE enum rfs_err keys_load(const char *path, struct node_key *key);
/* The same, and DENIED, logged, when its public key is not `expected`. */
RFS_MUST_USE enum rfs_err
keys_load_own(const char *path, const uint8_t expected[KEY_PUBLIC_BYTES],
	      struct node_key *key);
void keys_wipe(struct node_key *key);

void keys_public_text(const uint8_t public_key[KEY_PUBLIC_BYTES],
		      char text[KEY_TEXT_BYTES]);
RFS_MUST_USE enum rfs_err
keys_public_parse(const char *text, uint8_t public_key[KEY_PUBLIC_BYTES]);

/* Ed25519 over a message; verify returns DENIED when it does not fit. */
void keys_sign(const struct node_key *key, const void *message, size_t bytes,
	       uint8_t signature[KEY_SIGNATURE_BYTES]);
RFS_MUST_USE enum rfs_err
keys_verify(const uint8_t public_key[KEY_PUBLIC_BYTES], const void *message,
	    size_t bytes, const uint8_t signature[KEY_SIGNATURE_BYTES]);

/* The secret two nodes share without a message: X25519 of the two identities.
 * INVALID: the peer's key is not a point. Wipe after deriving keys from it. */
RFS_MUST_USE enum rfs_err
keys_shared_secret(const struct node_key *key,
		   const uint8_t peer_public[KEY_PUBLIC_BYTES],
		   uint8_t secret[32]);

#endif
