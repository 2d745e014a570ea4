/* Directory entries, both records of each. */
#include "storaged/core/dirent.h"

#include "storaged/core/keys.h"
#include "storaged/core/query.h"

#define NAME_IMAGE_BYTES  20u
#define COOKIE_HEAD_BYTES 12u

enum rfs_err dirent_find(struct kv *kv, uint64_t parent, struct bytes name,
			 struct dirent_place *place)
{
	struct key key;
	struct bytes value;
	struct reader r;
	enum rfs_err err;

	err = kv_get(kv, key_named(&key, KEY_NAME, parent, name), &value);
	if (err)
		return err;
	if (value.bytes != NAME_IMAGE_BYTES)
		return kv_corrupt(kv);
	reader_init(&r, value.data, value.bytes);
	place->ino = reader_u64le(&r);
	place->cookie = reader_u64le(&r);
	place->type = reader_u32le(&r);
	return RFS_ERR_OK;
}

enum rfs_err dirent_decode(struct kv *kv, struct bytes value,
			   struct dirent_place *place, struct bytes *name)
{
	struct reader r;

	reader_init(&r, value.data, value.bytes);
	place->ino = reader_u64le(&r);
	place->type = reader_u32le(&r);
	if (r.bad || reader_left(&r) == 0)
		return kv_corrupt(kv);
	*name = (struct bytes){ r.at, reader_left(&r) };
	return RFS_ERR_OK;
}

void dirent_point(struct apply *a, uint64_t parent, struct bytes name,
		  const struct dirent_place *place, const struct inode *inode)
{
	uint8_t image[COOKIE_HEAD_BYTES + INODE_NAME_MAX];
	uint32_t type = inode->mode & INODE_TYPE_MASK;
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u64le(&w, inode->ino);
	writer_u64le(&w, place->cookie);
	writer_u32le(&w, type);
	kv_put(a->kv, key_named(&key, KEY_NAME, parent, name),
	       (struct bytes){ image, writer_bytes(&w) });

	writer_init(&w, image, sizeof(image));
	writer_u64le(&w, inode->ino);
	writer_u32le(&w, type);
	writer_put(&w, name.data, name.bytes);
	kv_put(a->kv, key_pair(&key, KEY_COOKIE, parent, place->cookie),
	       (struct bytes){ image, writer_bytes(&w) });
}

/* One entry adds at most one name to a directory, so its index is a cookie
 * that no other name there ever had. */
void dirent_add(struct apply *a, uint64_t parent, struct bytes name,
		const struct inode *inode)
{
	const struct dirent_place place = {
		.cookie = a->index + QUERY_COOKIE_FIRST,
	};

	dirent_point(a, parent, name, &place, inode);
}

void dirent_remove(struct apply *a, uint64_t parent, struct bytes name,
		   const struct dirent_place *place)
{
	struct key key;

	kv_del(a->kv, key_named(&key, KEY_NAME, parent, name));
	kv_del(a->kv, key_pair(&key, KEY_COOKIE, parent, place->cookie));
}
