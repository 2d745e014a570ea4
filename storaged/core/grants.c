/* Grant records: keyed by the last id, so that the first key at or after an id
 * is the only grant that can hold it. */
#include "storaged/core/grants.h"

#include <string.h>

#include "storaged/core/keys.h"

#define GRANT_HEAD_BYTES 24u /* first, ts, node, used count */
#define GRANT_BITS_BYTES ((COMMAND_GRANT_MAX + 7) / 8)

struct grant {
	struct query_grant about;
	uint64_t last;
	uint8_t bits[GRANT_BITS_BYTES]; /* ids that were named */
};

static size_t bits_bytes(uint32_t count)
{
	return (count + 7) / 8;
}

enum rfs_err grants_decode(struct kv *kv, uint64_t last, struct bytes value,
			   struct query_grant *grant)
{
	struct reader r;
	uint64_t span;

	reader_init(&r, value.data, value.bytes);
	grant->first = reader_u64le(&r);
	grant->ts_ns = (int64_t)reader_u64le(&r);
	grant->node = reader_u32le(&r);
	grant->used = reader_u32le(&r);
	span = last - grant->first;
	if (r.bad || span >= COMMAND_GRANT_MAX ||
	    reader_left(&r) != bits_bytes((uint32_t)span + 1))
		return kv_corrupt(kv);
	grant->count = (uint32_t)span + 1;
	return RFS_ERR_OK;
}

/* The grant that holds this id. NOENT: none does. */
static enum rfs_err grant_find(struct kv *kv, uint64_t chunk,
			       struct grant *grant)
{
	struct key key;
	struct bytes found, value;
	enum rfs_err err;

	err = kv_seek(kv, key_number(&key, KEY_GRANT, chunk), &found, &value);
	if (err)
		return err;
	if (!key_is_number(found, KEY_GRANT, &grant->last))
		return RFS_ERR_NOENT;
	err = grants_decode(kv, grant->last, value, &grant->about);
	if (err)
		return err;
	if (chunk < grant->about.first)
		return RFS_ERR_NOENT;
	memcpy(grant->bits, value.data + GRANT_HEAD_BYTES,
	       value.bytes - GRANT_HEAD_BYTES);
	return RFS_ERR_OK;
}

static void grant_save(struct kv *kv, const struct grant *grant)
{
	uint8_t image[GRANT_HEAD_BYTES + GRANT_BITS_BYTES];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u64le(&w, grant->about.first);
	writer_u64le(&w, (uint64_t)grant->about.ts_ns);
	writer_u32le(&w, grant->about.node);
	writer_u32le(&w, grant->about.used);
	writer_put(&w, grant->bits, bits_bytes(grant->about.count));
	kv_put(kv, key_number(&key, KEY_GRANT, grant->last),
	       (struct bytes){ image, writer_bytes(&w) });
}

static void grant_erase(struct kv *kv, const struct grant *grant)
{
	struct key key;

	kv_del(kv, key_number(&key, KEY_GRANT, grant->last));
}

enum rfs_err grants_make(struct apply *a)
{
	struct grant grant = {
		.about = {
			.first = a->meta.next_chunk,
			.count = (uint32_t)a->command->length,
			.node = a->command->node,
			.ts_ns = a->ts_ns,
		},
	};

	grant.last = grant.about.first + grant.about.count - 1;
	a->meta.next_chunk = grant.last + 1;
	grant_save(a->kv, &grant);
	a->result->value = grant.about.first;
	return RFS_ERR_OK;
}

enum rfs_err grants_expire(struct apply *a)
{
	struct grant grant;
	enum rfs_err err = grant_find(a->kv, a->command->target, &grant);

	if (err)
		return err;
	if (grant.about.first != a->command->target)
		return RFS_ERR_NOENT;
	grant_erase(a->kv, &grant);
	a->effects->expired_chunk = grant.about.first;
	a->effects->expired_count = grant.about.count;
	return RFS_ERR_OK;
}

static bool grant_bit(const struct grant *grant, uint64_t chunk)
{
	uint64_t n = chunk - grant->about.first;

	return grant->bits[n / 8] & (1u << n % 8);
}

enum rfs_err grants_check(struct kv *kv, uint64_t chunk)
{
	struct grant grant;
	enum rfs_err err = grant_find(kv, chunk, &grant);

	if (!err && grant_bit(&grant, chunk))
		return RFS_ERR_NOENT;
	return err;
}

void grants_use(struct apply *a, uint64_t chunk)
{
	struct grant grant;
	uint64_t n;

	if (grant_find(a->kv, chunk, &grant) != RFS_ERR_OK) {
		kv_corrupt(a->kv);
		return;
	}
	n = chunk - grant.about.first;
	grant.bits[n / 8] |= (uint8_t)(1u << n % 8);
	grant.about.used++;
	if (grant.about.used == grant.about.count)
		grant_erase(a->kv, &grant);
	else
		grant_save(a->kv, &grant);
}
