/* Structs to messages and back. */
#include "client/lib/convert.h"

#include <string.h>

#include "client/lib/session.h"

void convert_attr(const DistributedFs__FileAttr *from, struct raftfs_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	if (from == NULL)
		return;
	attr->ino = from->ino;
	attr->mode = from->mode;
	attr->nlink = from->nlink;
	attr->uid = from->uid;
	attr->gid = from->gid;
	attr->rdev = from->rdev;
	attr->size = from->size;
	attr->blocks = from->blocks;
	attr->atime_ns = from->atime_ns;
	attr->mtime_ns = from->mtime_ns;
	attr->ctime_ns = from->ctime_ns;
	attr->version = from->version;
}

enum rfs_err convert_name(const char *name, ProtobufCBinaryData *field)
{
	size_t bytes = strlen(name);

	session_set_reason("");
	if (bytes > RAFTFS_NAME_MAX)
		return RFS_ERR_NAMETOOLONG;
	if (bytes == 0 || memchr(name, '/', bytes) != NULL)
		return RFS_ERR_INVALID;
	field->data = (uint8_t *)name;
	field->len = bytes;
	return RFS_ERR_OK;
}
