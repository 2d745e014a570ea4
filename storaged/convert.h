/* Client messages to commands, and answers back. Pure: no state, no I/O. */
#ifndef RAFTFS_STORAGED_CONVERT_H
#define RAFTFS_STORAGED_CONVERT_H

#include <stdbool.h>

#include "common/err.h"
#include "proto/files.pb-c.h"
#include "storaged/core/command.h"
#include "storaged/core/inode.h"
#include "storaged/core/store.h"

enum convert_class {
	CONVERT_BAD = 0, /* no such operation */
	CONVERT_READ,	 /* answered from the state */
	CONVERT_CHANGE,	 /* a command for the log */
};
enum convert_class convert_class_of(DistributedFs__FileOp op);

/* Fill *command from a CHANGE request, content aside (data of a WRITE or PUT
 * is left to the caller: inline or chunks). Views point into the request.
 * INVALID: fields that no command has; FBIG: a WRITE that would end past
 * INODE_SIZE_MAX; else what command_check() says of all but the content. What
 * is OK is sound with any content of that length, too. */
RFS_MUST_USE enum rfs_err
convert_command(const DistributedFs__FileRequest *request,
		struct command *command);

/* Does the request bring content, to go inline or into chunks? */
bool convert_has_content(const DistributedFs__FileRequest *request);

/* attr is already initialised. */
void convert_attr(const struct inode *inode, DistributedFs__FileAttr *attr);

/* Fill *reply (initialised; id is left alone) with an answer; attr is where the
 * attributes go, and must live as long as the reply. */
void convert_result(const struct store_result *result,
		    DistributedFs__FileReply *reply,
		    DistributedFs__FileAttr *attr);

#endif
