/* Names in directories: found by name, listed by cookie.
 *
 * A name has two records.  (directory, name) answers lookups; (directory,
 * cookie) is the place of the name in listings, which never moves: cookies
 * rise with the log, so a new name comes after every old one, and a listing
 * goes on after the cookie it stopped at whatever happened meanwhile.
 */
#ifndef RAFTFS_STORAGED_CORE_DIRENT_H
#define RAFTFS_STORAGED_CORE_DIRENT_H

#include "storaged/core/apply.h"

struct dirent_place {
	uint64_t ino;
	uint64_t cookie;
	uint32_t type;
};

/* NOENT: no such name. */
RFS_MUST_USE enum rfs_err dirent_find(struct kv *kv, uint64_t parent,
				      struct bytes name,
				      struct dirent_place *place);

/* A new name, which must not be there; cookie from the entry's index. */
void dirent_add(struct apply *a, uint64_t parent, struct bytes name,
		const struct inode *inode);

/* The name at this place means another inode now. */
void dirent_point(struct apply *a, uint64_t parent, struct bytes name,
		  const struct dirent_place *place, const struct inode *inode);

void dirent_remove(struct apply *a, uint64_t parent, struct bytes name,
		   const struct dirent_place *place);

/* The value of a cookie record: inode, type, then the name. */
RFS_MUST_USE enum rfs_err dirent_decode(struct kv *kv, struct bytes value,
					struct dirent_place *place,
					struct bytes *name);

#endif
