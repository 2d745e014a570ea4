/* Field by field; what an operation does not use is left zero. */
#include "storaged/convert.h"

#include <string.h>

/* The numbers of both lists are one, by design: kept by the compiler. */
#define SAME(op)                                                               \
	_Static_assert((int)DISTRIBUTED_FS__FILE_OP__OP_##op ==                \
			       (int)COMMAND_##op,                              \
		       "one number for " #op)
SAME(OPEN_SESSION);
SAME(RENEW_SESSION);
SAME(CLOSE_SESSION);
SAME(CREATE);
SAME(MKDIR);
SAME(MKNOD);
SAME(SYMLINK);
SAME(LINK);
SAME(UNLINK);
SAME(RMDIR);
SAME(RENAME);
SAME(SETATTR);
SAME(WRITE);
SAME(SETXATTR);
SAME(REMOVEXATTR);
SAME(OPEN);
SAME(RELEASE);
SAME(FALLOCATE);
SAME(PUT);

enum convert_class convert_class_of(DistributedFs__FileOp op)
{
	if (op >= DISTRIBUTED_FS__FILE_OP__OP_LOOKUP &&
	    op <= DISTRIBUTED_FS__FILE_OP__OP_SYNC_POINT)
		return CONVERT_READ;
	if (op >= DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION &&
	    op <= DISTRIBUTED_FS__FILE_OP__OP_CLOSE_SESSION)
		return CONVERT_CHANGE;
	if (op >= DISTRIBUTED_FS__FILE_OP__OP_CREATE &&
	    op <= DISTRIBUTED_FS__FILE_OP__OP_PUT)
		return CONVERT_CHANGE;
	return CONVERT_BAD;
}

static struct bytes view(ProtobufCBinaryData field)
{
	return (struct bytes){ .data = field.data, .bytes = field.len };
}

bool convert_has_content(const DistributedFs__FileRequest *request)
{
	return request->op == DISTRIBUTED_FS__FILE_OP__OP_WRITE ||
	       request->op == DISTRIBUTED_FS__FILE_OP__OP_PUT;
}

static void take_attr(const DistributedFs__FileRequest *request,
		      struct command *command)
{
	const DistributedFs__FileAttr *attr = request->attr;

	command->set_mask = request->attr_mask;
	if (!attr)
		return;
	command->atime_ns = attr->atime_ns;
	command->mtime_ns = attr->mtime_ns;
	if (command->op != COMMAND_SETATTR)
		return;
	command->mode = attr->mode;
	command->uid = attr->uid;
	command->gid = attr->gid;
	command->size_bytes = attr->size;
}

/* Values of fields no set_mask bit asks for would make the image malformed. */
static void drop_unasked(struct command *command)
{
	uint32_t mask = command->set_mask;

	if (!(mask & COMMAND_SET_ATIME))
		command->atime_ns = 0;
	if (!(mask & COMMAND_SET_MTIME))
		command->mtime_ns = 0;
	if (command->op != COMMAND_SETATTR)
		return;
	if (mask & COMMAND_SET_MODE)
		command->mode &= INODE_PERM_MASK;
	else
		command->mode = 0;
	if (!(mask & COMMAND_SET_UID))
		command->uid = 0;
	if (!(mask & COMMAND_SET_GID))
		command->gid = 0;
	if (!(mask & COMMAND_SET_SIZE))
		command->size_bytes = 0;
}

static void take_owner(const DistributedFs__FileRequest *request,
		       struct command *command, uint32_t mode_mask)
{
	command->mode = request->mode & mode_mask;
	command->uid = request->uid;
	command->gid = request->gid;
}

/* command_check() sees the content only once it is there: too late to refuse. */
static enum rfs_err check_end(const DistributedFs__FileRequest *request)
{
	if (request->offset > INODE_SIZE_MAX ||
	    request->data.len > INODE_SIZE_MAX - request->offset)
		return RFS_ERR_FBIG;
	return RFS_ERR_OK;
}

/* What each operation uses: core/command.h. */
static enum rfs_err take_fields(const DistributedFs__FileRequest *request,
				struct command *command)
{
	switch (command->op) {
	case COMMAND_RENEW_SESSION:
	case COMMAND_CLOSE_SESSION:
	case COMMAND_OPEN:
	case COMMAND_RELEASE:
		return RFS_ERR_OK;
	case COMMAND_CREATE:
	case COMMAND_PUT:
		command->name = view(request->name);
		command->flags = request->flags;
		take_owner(request, command, INODE_PERM_MASK);
		take_attr(request, command);
		return RFS_ERR_OK;
	case COMMAND_MKDIR:
		command->name = view(request->name);
		take_owner(request, command, INODE_PERM_MASK);
		take_attr(request, command);
		return RFS_ERR_OK;
	case COMMAND_MKNOD:
		command->name = view(request->name);
		command->rdev = request->rdev;
		take_owner(request, command, INODE_TYPE_MASK | INODE_PERM_MASK);
		take_attr(request, command);
		return RFS_ERR_OK;
	case COMMAND_SYMLINK:
		command->name = view(request->name);
		command->data = view(request->data);
		take_owner(request, command, 0);
		take_attr(request, command);
		return RFS_ERR_OK;
	case COMMAND_LINK:
		command->name = view(request->name);
		command->target = request->target_ino;
		return RFS_ERR_OK;
	case COMMAND_UNLINK:
	case COMMAND_RMDIR:
	case COMMAND_REMOVEXATTR:
		command->name = view(request->name);
		return RFS_ERR_OK;
	case COMMAND_RENAME:
		command->name = view(request->name);
		command->target = request->target_ino;
		command->target_name = view(request->target_name);
		command->flags = request->flags;
		return RFS_ERR_OK;
	case COMMAND_SETATTR:
		command->flags = request->flags;
		take_attr(request, command);
		return RFS_ERR_OK;
	case COMMAND_WRITE:
		command->offset = request->offset;
		command->flags = request->flags;
		return check_end(request);
	case COMMAND_SETXATTR:
		command->name = view(request->name);
		command->data = view(request->data);
		command->flags = request->flags;
		return RFS_ERR_OK;
	case COMMAND_FALLOCATE:
		command->offset = request->offset;
		command->length = request->length;
		command->flags = request->flags;
		return RFS_ERR_OK;
	default:
		return RFS_ERR_INVALID;
	}
}

enum rfs_err convert_command(const DistributedFs__FileRequest *request,
			     struct command *command)
{
	memset(command, 0, offsetof(struct command, pieces));
	command->op = (enum command_op)request->op;
	command->session = request->session;
	command->ino = request->ino;
	enum rfs_err err = take_fields(request, command);
	if (err != RFS_ERR_OK)
		return err;
	if (command->op == COMMAND_RENEW_SESSION ||
	    command->op == COMMAND_CLOSE_SESSION) {
		command->ino = 0;
		return command_check(command);
	}
	command->seq = request->seq;
	/* None is what a client says that never looked at an answer. */
	command->acked_below = request->acked_below;
	if (command->acked_below > command->seq)
		return RFS_ERR_INVALID;
	drop_unasked(command);
	return command_check(command);
}

void convert_attr(const struct inode *inode, DistributedFs__FileAttr *attr)
{
	attr->ino = inode->ino;
	attr->mode = inode->mode;
	attr->nlink = inode->nlink;
	attr->uid = inode->uid;
	attr->gid = inode->gid;
	attr->rdev = inode->rdev;
	attr->size = inode->size_bytes;
	attr->blocks = (inode->allocated_bytes + 511) / 512;
	attr->atime_ns = inode->atime_ns;
	attr->mtime_ns = inode->mtime_ns;
	attr->ctime_ns = inode->ctime_ns;
	attr->version = inode->version;
}

void convert_result(const struct store_result *result,
		    DistributedFs__FileReply *reply,
		    DistributedFs__FileAttr *attr)
{
	reply->err = result->err;
	reply->raft_index = result->raft_index;
	reply->ts_ns = result->ts_ns;
	if (result->op == COMMAND_OPEN_SESSION)
		reply->session = result->value;
	if (result->err != RFS_ERR_OK || !result->has_attr)
		return;
	convert_attr(&result->attr, attr);
	reply->attr = attr;
}
