/* Inode records: a fixed little-endian image, inode number in the key. */
#include "storaged/core/inode.h"

#include "storaged/core/keys.h"

void inode_write(struct writer *w, const struct inode *inode)
{
	writer_u32le(w, inode->mode);
	writer_u32le(w, inode->nlink);
	writer_u32le(w, inode->uid);
	writer_u32le(w, inode->gid);
	writer_u64le(w, inode->rdev);
	writer_u64le(w, inode->size_bytes);
	writer_u64le(w, inode->allocated_bytes);
	writer_u64le(w, (uint64_t)inode->atime_ns);
	writer_u64le(w, (uint64_t)inode->mtime_ns);
	writer_u64le(w, (uint64_t)inode->ctime_ns);
	writer_u64le(w, inode->version);
	writer_u64le(w, inode->parent);
	writer_u64le(w, inode->map);
	writer_u32le(w, inode->pins);
	writer_u32le(w, inode->xattr_bytes);
}

void inode_read(struct reader *r, uint64_t ino, struct inode *inode)
{
	inode->ino = ino;
	inode->mode = reader_u32le(r);
	inode->nlink = reader_u32le(r);
	inode->uid = reader_u32le(r);
	inode->gid = reader_u32le(r);
	inode->rdev = reader_u64le(r);
	inode->size_bytes = reader_u64le(r);
	inode->allocated_bytes = reader_u64le(r);
	inode->atime_ns = (int64_t)reader_u64le(r);
	inode->mtime_ns = (int64_t)reader_u64le(r);
	inode->ctime_ns = (int64_t)reader_u64le(r);
	inode->version = reader_u64le(r);
	inode->parent = reader_u64le(r);
	inode->map = reader_u64le(r);
	inode->pins = reader_u32le(r);
	inode->xattr_bytes = reader_u32le(r);
}

enum rfs_err inode_load(struct kv *kv, uint64_t ino, struct inode *inode)
{
	struct key key;
	struct bytes value;
	struct reader r;
	enum rfs_err err;

	err = kv_get(kv, key_number(&key, KEY_INODE, ino), &value);
	if (err)
		return err;
	if (value.bytes != INODE_IMAGE_BYTES)
		return kv_corrupt(kv);
	reader_init(&r, value.data, value.bytes);
	inode_read(&r, ino, inode);
	return RFS_ERR_OK;
}

void inode_save(struct kv *kv, const struct inode *inode)
{
	uint8_t image[INODE_IMAGE_BYTES];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	inode_write(&w, inode);
	kv_put(kv, key_number(&key, KEY_INODE, inode->ino),
	       (struct bytes){ image, sizeof(image) });
}

void inode_erase(struct kv *kv, uint64_t ino)
{
	struct key key;

	kv_del(kv, key_number(&key, KEY_INODE, ino));
}

void inode_drop_privileges(struct inode *inode)
{
	if (!inode_is(inode, INODE_TYPE_REGULAR))
		return;
	inode->mode &= ~INODE_SETUID;
	if (inode->mode & INODE_GROUP_EXEC)
		inode->mode &= ~INODE_SETGID;
}
