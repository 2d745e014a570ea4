/* The death notice as bytes and back. */
#include "proto/death.h"

#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define SIGNED_BYTES (DEATH_BYTES - KEY_SIGNATURE_BYTES)

void death_encode(const struct death *death, const struct node_key *key,
		  uint8_t image[DEATH_BYTES])
{
	struct writer w;

	writer_init(&w, image, SIGNED_BYTES);
	writer_u32le(&w, DEATH_MAGIC);
	writer_u32le(&w, death->node);
	writer_put(&w, death->digest, DEATH_DIGEST_BYTES);
	writer_u64le(&w, death->incarnation);
	writer_u64le(&w, death->term_led);
	writer_u64le(&w, (uint64_t)death->wall_ns);
	CHECK(!w.bad);
	CHECK(writer_bytes(&w) == SIGNED_BYTES);
	keys_sign(key, image, SIGNED_BYTES, image + SIGNED_BYTES);
}

enum rfs_err death_peek(const void *image, size_t bytes, uint32_t *node)
{
	struct reader r;

	reader_init(&r, image, bytes);
	if (bytes != DEATH_BYTES || reader_u32le(&r) != DEATH_MAGIC)
		return RFS_ERR_INVALID;
	*node = reader_u32le(&r);
	return RFS_ERR_OK;
}

enum rfs_err death_decode(const void *image, size_t bytes,
			  const uint8_t public_key[KEY_PUBLIC_BYTES],
			  struct death *death)
{
	struct reader r;
	const uint8_t *digest;
	enum rfs_err err;
	uint32_t node;

	err = death_peek(image, bytes, &node);
	if (err != RFS_ERR_OK)
		return err;
	err = keys_verify(public_key, image, SIGNED_BYTES,
			  (const uint8_t *)image + SIGNED_BYTES);
	if (err != RFS_ERR_OK)
		return err;
	reader_init(&r, image, SIGNED_BYTES);
	(void)reader_take(&r, 8); /* magic and node, read above */
	digest = reader_take(&r, DEATH_DIGEST_BYTES);
	death->node = node;
	memcpy(death->digest, digest, DEATH_DIGEST_BYTES);
	death->incarnation = reader_u64le(&r);
	death->term_led = reader_u64le(&r);
	death->wall_ns = (int64_t)reader_u64le(&r);
	CHECK(!r.bad);
	return RFS_ERR_OK;
}
