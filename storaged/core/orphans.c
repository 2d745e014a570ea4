/* Pins, and the end of inodes. */
#include "storaged/core/orphans.h"

#include "storaged/core/chunkmap.h"
#include "storaged/core/keys.h"
#include "storaged/core/xattr.h"

static void inode_destroy(struct apply *a, const struct inode *inode)
{
	struct key key;

	xattr_erase_all(a, inode);
	if (inode_is(inode, INODE_TYPE_SYMLINK))
		kv_del(a->kv, key_number(&key, KEY_SYMLINK, inode->ino));
	chunkmap_discard(a, inode);
	inode_erase(a->kv, inode->ino);
	a->meta.inode_count--;
}

void orphans_drop(struct apply *a, struct inode *inode)
{
	struct key key;

	apply_changed(a, inode->ino);
	if (inode->pins == 0) {
		inode_destroy(a, inode);
		return;
	}
	kv_put(a->kv, key_number(&key, KEY_ORPHAN, inode->ino),
	       (struct bytes){ 0 });
	apply_save(a, inode);
}

/* How often the session has the inode open; 0: not. */
static uint32_t pin_load(struct kv *kv, uint64_t session, uint64_t ino)
{
	struct key key;
	struct bytes value;
	struct reader r;
	uint32_t opens;

	if (kv_get(kv, key_pair(&key, KEY_PIN, session, ino), &value))
		return 0;
	reader_init(&r, value.data, value.bytes);
	opens = reader_u32le(&r);
	if (r.bad || opens == 0)
		kv_corrupt(kv);
	return opens;
}

static void pin_save(struct kv *kv, uint64_t session, uint64_t ino,
		     uint32_t opens)
{
	uint8_t image[4];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, opens);
	kv_put(kv, key_pair(&key, KEY_PIN, session, ino),
	       (struct bytes){ image, sizeof(image) });
}

void orphans_pin(struct apply *a, struct inode *inode)
{
	uint64_t session = a->command->session;
	uint32_t opens = pin_load(a->kv, session, inode->ino);

	pin_save(a->kv, session, inode->ino, opens + 1);
	if (opens == 0)
		inode->pins++;
}

enum rfs_err orphans_open(struct apply *a)
{
	struct inode inode;
	enum rfs_err err = inode_load(a->kv, a->command->ino, &inode);

	if (err)
		return err;
	orphans_pin(a, &inode);
	inode_save(a->kv, &inode);
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

/* Erase a pin; the last one of an orphan takes the inode with it. */
static void pin_erase(struct apply *a, uint64_t session, uint64_t ino)
{
	struct inode inode;
	struct key key;

	kv_del(a->kv, key_pair(&key, KEY_PIN, session, ino));
	if (apply_load(a, ino, &inode) != RFS_ERR_OK)
		return;
	if (inode.pins == 0) {
		kv_corrupt(a->kv);
		return;
	}
	inode.pins--;
	if (inode.nlink > 0 || inode.pins > 0) {
		inode_save(a->kv, &inode);
		return;
	}
	kv_del(a->kv, key_number(&key, KEY_ORPHAN, ino));
	inode_destroy(a, &inode);
}

enum rfs_err orphans_release(struct apply *a)
{
	uint64_t session = a->command->session, ino = a->command->ino;
	uint32_t opens = pin_load(a->kv, session, ino);

	if (opens == 0)
		return RFS_ERR_NOENT;
	if (opens > 1)
		pin_save(a->kv, session, ino, opens - 1);
	else
		pin_erase(a, session, ino);
	return RFS_ERR_OK;
}

void orphans_end_session(struct apply *a, uint64_t session)
{
	struct key key;
	struct bytes found, value;
	uint64_t ino;

	while (kv_seek(a->kv, key_pair(&key, KEY_PIN, session, 0), &found,
		       &value) == RFS_ERR_OK &&
	       key_is_pair(found, KEY_PIN, session, &ino))
		pin_erase(a, session, ino);
}
