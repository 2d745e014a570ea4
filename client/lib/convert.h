/* Between the public structs and the messages of proto/files.proto. */
#ifndef RAFTFS_CLIENT_LIB_CONVERT_H
#define RAFTFS_CLIENT_LIB_CONVERT_H

#include "client/lib/raftfs.h"
#include "client/lib/wire.h"

/* from NULL gives zeros. */
void convert_attr(const DistributedFs__FileAttr *from,
		  struct raftfs_attr *attr);

/* Names longer than RAFTFS_NAME_MAX, empty or with '/': NAMETOOLONG, INVALID.
 * field borrows name. */
RFS_MUST_USE enum rfs_err convert_name(const char *name,
				       ProtobufCBinaryData *field);

#endif
