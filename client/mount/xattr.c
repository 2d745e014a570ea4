/* Extended attributes.
 *
 * The kernel asks for security.capability before every write; no file here has
 * one, and none can be given one, so that question is answered on the spot.
 * ACLs are not kept in this version: the mode bits decide. Other names than
 * those of the spaces that xattr(7) knows are refused, as by local systems.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/mount/mount.h"

#define CAPABILITY "security.capability"

static const char *const spaces[] = {"user.", "trusted.", "security."};

static bool is_unsupported(const char *name)
{
	if (strcmp(name, CAPABILITY) == 0)
		return true;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (strncmp(name, spaces[i], strlen(spaces[i])) == 0)
			return false;
	return true;
}

void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
	       const char *value, size_t bytes, int flags)
{
	if (is_unsupported(name)) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	enum rfs_err err =
		raftfs_setxattr(mount_of(req)->fs, mount_who(req), ino, name,
				value, bytes, (uint32_t)flags);

	mount_reply(req, "setxattr", ino, err);
}

void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t bytes)
{
	char *value = NULL;
	size_t got;

	if (is_unsupported(name)) {
		fuse_reply_err(req, strcmp(name, CAPABILITY) == 0 ? ENODATA
								  : EOPNOTSUPP);
		return;
	}
	if (bytes > 0 && (value = malloc(bytes)) == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	enum rfs_err err = raftfs_getxattr(mount_of(req)->fs, ino, name, value,
					   bytes, &got);

	if (err != RFS_ERR_OK)
		mount_reply(req, "getxattr", ino, err);
	else if (bytes == 0)
		fuse_reply_xattr(req, got);
	else
		fuse_reply_buf(req, value, got);
	free(value);
}

void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t bytes)
{
	char *names = NULL;
	size_t got;

	if (bytes > 0 && (names = malloc(bytes)) == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	enum rfs_err err =
		raftfs_listxattr(mount_of(req)->fs, ino, names, bytes, &got);

	if (err != RFS_ERR_OK)
		mount_reply(req, "listxattr", ino, err);
	else if (bytes == 0)
		fuse_reply_xattr(req, got);
	else
		fuse_reply_buf(req, names, got);
	free(names);
}

void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (is_unsupported(name)) {
		fuse_reply_err(req, strcmp(name, CAPABILITY) == 0 ? ENODATA
								  : EOPNOTSUPP);
		return;
	}
	mount_reply(req, "removexattr", ino,
		    raftfs_removexattr(mount_of(req)->fs, mount_who(req), ino,
				       name));
}
