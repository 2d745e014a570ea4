/* Commands to bytes and back.  What each op is made of is one table, and both
 * directions walk the fields in one order. */
#include "storaged/core/command.h"

#include <string.h>

#include "common/check.h"
#include "storaged/core/inode.h"

#define COMMAND_VERSION 1u

/* Fields, in the order they are written. */
#define F_INO	      (1u << 0)
#define F_NAME	      (1u << 1)
#define F_TARGET      (1u << 2)
#define F_TARGET_NAME (1u << 3)
#define F_FLAGS	      (1u << 4)
#define F_MODE	      (1u << 5)
#define F_OWNER	      (1u << 6)
#define F_RDEV	      (1u << 7)
#define F_TIMES	      (1u << 8) /* set_mask, atime, mtime */
#define F_SIZE	      (1u << 9)
#define F_OFFSET      (1u << 10)
#define F_LENGTH      (1u << 11)
#define F_BASE	      (1u << 12)
#define F_DATA	      (1u << 13)
#define F_CONTENT     (1u << 14)
#define F_LEASE	      (1u << 15)
#define F_NODE	      (1u << 16)
/* And what identifies it. */
#define F_SESSION     (1u << 30)
#define F_SEQ	      (1u << 31)

#define F_ONCE	(F_SESSION | F_SEQ)
#define F_ENTRY (F_ONCE | F_INO | F_NAME)
#define F_MAKE	(F_ENTRY | F_OWNER | F_TIMES)

#define SET_TIMES (COMMAND_SET_ATIME | COMMAND_SET_MTIME)

enum content_kind {
	CONTENT_EMPTY = 0,
	CONTENT_INLINE = 1,
	CONTENT_PIECES = 2,
};

struct shape {
	const char *name; /* NULL: no such op */
	uint32_t fields;
	uint32_t flags; /* that it may carry */
	uint32_t set_mask; /* that it may carry */
};

static const struct shape shapes[] = {
	[COMMAND_NOOP] = { "noop", 0, 0, 0 },
	[COMMAND_OPEN_SESSION] = { "open-session", F_LEASE | F_NODE | F_NAME,
				   0, 0 },
	[COMMAND_RENEW_SESSION] = { "renew-session", F_SESSION, 0, 0 },
	[COMMAND_CLOSE_SESSION] = { "close-session", F_SESSION, 0, 0 },
	[COMMAND_EXPIRE_SESSIONS] = { "expire-sessions", F_TARGET, 0, 0 },
	[COMMAND_GRANT] = { "grant", F_NODE | F_LENGTH, 0, 0 },
	[COMMAND_EXPIRE_GRANT] = { "expire-grant", F_TARGET, 0, 0 },
	[COMMAND_CREATE] = { "create", F_MAKE | F_MODE | F_FLAGS,
			     COMMAND_EXCL | COMMAND_PIN, SET_TIMES },
	[COMMAND_MKDIR] = { "mkdir", F_MAKE | F_MODE, 0, SET_TIMES },
	[COMMAND_MKNOD] = { "mknod", F_MAKE | F_MODE | F_RDEV, 0, SET_TIMES },
	[COMMAND_SYMLINK] = { "symlink", F_MAKE | F_DATA, 0, SET_TIMES },
	[COMMAND_LINK] = { "link", F_ENTRY | F_TARGET, 0, 0 },
	[COMMAND_UNLINK] = { "unlink", F_ENTRY, 0, 0 },
	[COMMAND_RMDIR] = { "rmdir", F_ENTRY, 0, 0 },
	[COMMAND_RENAME] = { "rename",
			     F_ENTRY | F_TARGET | F_TARGET_NAME | F_FLAGS,
			     COMMAND_NOREPLACE | COMMAND_EXCHANGE, 0 },
	[COMMAND_SETATTR] = { "setattr",
			      F_ONCE | F_INO | F_FLAGS | F_MODE | F_OWNER |
				      F_TIMES | F_SIZE,
			      COMMAND_KILLPRIV, COMMAND_SET_ALL },
	[COMMAND_WRITE] = { "write",
			    F_ONCE | F_INO | F_FLAGS | F_OFFSET | F_BASE |
				    F_CONTENT,
			    COMMAND_APPEND | COMMAND_KILLPRIV, 0 },
	[COMMAND_SETXATTR] = { "setxattr", F_ENTRY | F_FLAGS | F_DATA,
			       COMMAND_XCREATE | COMMAND_XREPLACE, 0 },
	[COMMAND_REMOVEXATTR] = { "removexattr", F_ENTRY, 0, 0 },
	[COMMAND_OPEN] = { "open", F_ONCE | F_INO, 0, 0 },
	[COMMAND_RELEASE] = { "release", F_ONCE | F_INO, 0, 0 },
	[COMMAND_FALLOCATE] = { "fallocate",
				F_ONCE | F_INO | F_FLAGS | F_OFFSET | F_LENGTH,
				COMMAND_KEEP_SIZE | COMMAND_PUNCH |
					COMMAND_ZERO,
				0 },
	[COMMAND_PUT] = { "put", F_MAKE | F_MODE | F_FLAGS | F_CONTENT,
			  COMMAND_EXCL, SET_TIMES | COMMAND_SET_MODE },
};

static const struct shape *shape_of(enum command_op op)
{
	if ((uint32_t)op >= sizeof(shapes) / sizeof(shapes[0]) ||
	    !shapes[op].name)
		return NULL;
	return &shapes[op];
}

const char *command_name(enum command_op op)
{
	const struct shape *shape = shape_of(op);

	return shape ? shape->name : "unknown";
}

bool command_has_seq(enum command_op op)
{
	const struct shape *shape = shape_of(op);

	return shape && (shape->fields & F_SEQ);
}

bool command_has_session(enum command_op op)
{
	const struct shape *shape = shape_of(op);

	return shape && (shape->fields & F_SESSION);
}

uint64_t command_content_bytes(const struct command *command)
{
	uint64_t bytes = command->data.bytes;

	for (uint32_t i = 0; i < command->piece_count; i++)
		bytes += command->pieces[i].bytes;
	return bytes;
}

/* ---- checking -------------------------------------------------------- */

enum rfs_err command_check_name(struct bytes name)
{
	if (name.bytes == 0)
		return RFS_ERR_INVALID;
	if (name.bytes > INODE_NAME_MAX)
		return RFS_ERR_NAMETOOLONG;
	if (name.data[0] == '.' &&
	    (name.bytes == 1 || (name.bytes == 2 && name.data[1] == '.')))
		return RFS_ERR_INVALID;
	if (memchr(name.data, '/', name.bytes) ||
	    memchr(name.data, 0, name.bytes))
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

static enum rfs_err check_identity(const struct command *command,
				   const struct shape *shape)
{
	if (((shape->fields & F_SESSION) != 0) != (command->session != 0))
		return RFS_ERR_INVALID;
	if (((shape->fields & F_SEQ) != 0) != (command->seq != 0))
		return RFS_ERR_INVALID;
	if (command->acked_below > command->seq)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

static enum rfs_err check_xattr(const struct command *command)
{
	struct bytes name = command->name;

	if (name.bytes > INODE_XATTR_NAME_MAX ||
	    command->data.bytes > INODE_XATTR_VALUE_MAX)
		return RFS_ERR_RANGE;
	if (name.bytes == 0 || memchr(name.data, 0, name.bytes))
		return RFS_ERR_INVALID;
	if (command->flags == (COMMAND_XCREATE | COMMAND_XREPLACE))
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

static enum rfs_err check_symlink(struct bytes target)
{
	if (target.bytes == 0)
		return RFS_ERR_INVALID;
	if (target.bytes > INODE_SYMLINK_MAX)
		return RFS_ERR_NAMETOOLONG;
	if (memchr(target.data, 0, target.bytes))
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

/* Permission bits alone, or with the type the op makes anyway. */
static enum rfs_err check_mode(const struct command *command)
{
	uint32_t type = command->mode & INODE_TYPE_MASK;

	if (command->mode & ~(INODE_TYPE_MASK | INODE_PERM_MASK))
		return RFS_ERR_INVALID;
	switch (command->op) {
	case COMMAND_CREATE:
	case COMMAND_PUT:
		return type == 0 || type == INODE_TYPE_REGULAR ?
			       RFS_ERR_OK :
			       RFS_ERR_INVALID;
	case COMMAND_MKDIR:
		return type == 0 || type == INODE_TYPE_DIR ? RFS_ERR_OK :
							     RFS_ERR_INVALID;
	case COMMAND_MKNOD:
		return type == INODE_TYPE_REGULAR || type == INODE_TYPE_CHAR ||
				       type == INODE_TYPE_BLOCK ||
				       type == INODE_TYPE_FIFO ||
				       type == INODE_TYPE_SOCKET ?
			       RFS_ERR_OK :
			       RFS_ERR_INVALID;
	default:
		return RFS_ERR_OK;
	}
}

static bool piece_is_sound(const struct command *command, uint32_t index)
{
	const struct command_piece *piece = &command->pieces[index];

	if (piece->chunk == 0 || piece->bytes == 0 ||
	    piece->bytes > COMMAND_CHUNK_MAX_BYTES)
		return false;
	for (uint32_t i = 0; i < index; i++)
		if (command->pieces[i].chunk == piece->chunk)
			return false;
	return true;
}

static enum rfs_err check_content(const struct command *command)
{
	if (command->data.bytes > COMMAND_INLINE_MAX_BYTES ||
	    command->piece_count > COMMAND_PIECES_MAX ||
	    (command->data.bytes && command->piece_count))
		return RFS_ERR_INVALID;
	for (uint32_t i = 0; i < command->piece_count; i++)
		if (!piece_is_sound(command, i))
			return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

/* No sum of these overflows once each is within INODE_SIZE_MAX. */
static enum rfs_err check_range(const struct command *command)
{
	uint64_t bytes = command->length;

	if (command->op == COMMAND_WRITE)
		bytes = command_content_bytes(command);
	if (command->offset > INODE_SIZE_MAX || bytes > INODE_SIZE_MAX ||
	    command->offset + bytes > INODE_SIZE_MAX)
		return RFS_ERR_FBIG;
	if (command->op == COMMAND_FALLOCATE && bytes == 0)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

static enum rfs_err check_fallocate(const struct command *command)
{
	switch (command->flags) {
	case 0:
	case COMMAND_KEEP_SIZE:
	case COMMAND_KEEP_SIZE | COMMAND_PUNCH:
	case COMMAND_ZERO:
	case COMMAND_ZERO | COMMAND_KEEP_SIZE:
		return check_range(command);
	default:
		return RFS_ERR_INVALID;
	}
}

static enum rfs_err check_setattr(const struct command *command)
{
	uint32_t mask = command->set_mask;

	if ((mask & COMMAND_SET_SIZE) && command->size_bytes > INODE_SIZE_MAX)
		return RFS_ERR_FBIG;
	if ((mask & COMMAND_SET_ATIME) && (mask & COMMAND_SET_ATIME_NOW))
		return RFS_ERR_INVALID;
	if ((mask & COMMAND_SET_MTIME) && (mask & COMMAND_SET_MTIME_NOW))
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

/* What is left to say about each op once names and modes are sound. */
static enum rfs_err check_op(const struct command *command)
{
	enum rfs_err err;

	switch (command->op) {
	case COMMAND_OPEN_SESSION:
		return command->name.bytes <= COMMAND_LABEL_MAX &&
				       command->lease_ns > 0 ?
			       RFS_ERR_OK :
			       RFS_ERR_INVALID;
	case COMMAND_GRANT:
		return command->length >= 1 &&
				       command->length <= COMMAND_GRANT_MAX ?
			       RFS_ERR_OK :
			       RFS_ERR_INVALID;
	case COMMAND_SYMLINK:
		return check_symlink(command->data);
	case COMMAND_RENAME:
		return command->flags ==
				       (COMMAND_NOREPLACE | COMMAND_EXCHANGE) ?
			       RFS_ERR_INVALID :
			       command_check_name(command->target_name);
	case COMMAND_SETATTR:
		return check_setattr(command);
	case COMMAND_SETXATTR:
	case COMMAND_REMOVEXATTR:
		return check_xattr(command);
	case COMMAND_FALLOCATE:
		return check_fallocate(command);
	case COMMAND_WRITE:
	case COMMAND_PUT:
		err = check_content(command);
		return err ? err : check_range(command);
	default:
		return RFS_ERR_OK;
	}
}

/* Does name mean a name in a directory here? */
static bool names_an_entry(const struct command *command)
{
	return command->op >= COMMAND_CREATE &&
	       command->op != COMMAND_SETXATTR &&
	       command->op != COMMAND_REMOVEXATTR;
}

enum rfs_err command_check(const struct command *command)
{
	const struct shape *shape = shape_of(command->op);
	enum rfs_err err;

	if (!shape)
		return RFS_ERR_INVALID;
	err = check_identity(command, shape);
	if (err)
		return err;
	if ((shape->fields & F_FLAGS) && (command->flags & ~shape->flags))
		return RFS_ERR_INVALID;
	if ((shape->fields & F_TIMES) && (command->set_mask & ~shape->set_mask))
		return RFS_ERR_INVALID;
	if ((shape->fields & F_INO) && command->ino == 0)
		return RFS_ERR_INVALID;
	if ((shape->fields & F_NAME) && names_an_entry(command)) {
		err = command_check_name(command->name);
		if (err)
			return err;
	}
	if (shape->fields & F_MODE) {
		err = check_mode(command);
		if (err)
			return err;
	}
	return check_op(command);
}

/* ---- encoding -------------------------------------------------------- */

static void write_short(struct writer *w, struct bytes view)
{
	writer_u16le(w, (uint16_t)view.bytes);
	writer_put(w, view.data, view.bytes);
}

static void write_long(struct writer *w, struct bytes view)
{
	writer_u32le(w, (uint32_t)view.bytes);
	writer_put(w, view.data, view.bytes);
}

static void write_content(struct writer *w, const struct command *command)
{
	if (command->data.bytes) {
		writer_u8(w, CONTENT_INLINE);
		writer_put(w, command->sha256, COMMAND_HASH_BYTES);
		write_long(w, command->data);
		return;
	}
	if (command->piece_count == 0) {
		writer_u8(w, CONTENT_EMPTY);
		return;
	}
	writer_u8(w, CONTENT_PIECES);
	writer_u16le(w, (uint16_t)command->piece_count);
	for (uint32_t i = 0; i < command->piece_count; i++) {
		const struct command_piece *piece = &command->pieces[i];

		writer_u64le(w, piece->chunk);
		writer_u32le(w, piece->bytes);
		writer_put(w, piece->sha256, COMMAND_HASH_BYTES);
	}
}

static void write_fields(struct writer *w, const struct command *command,
			 uint32_t fields)
{
	if (fields & F_INO)
		writer_u64le(w, command->ino);
	if (fields & F_NAME)
		write_short(w, command->name);
	if (fields & F_TARGET)
		writer_u64le(w, command->target);
	if (fields & F_TARGET_NAME)
		write_short(w, command->target_name);
	if (fields & F_FLAGS)
		writer_u32le(w, command->flags);
	if (fields & F_MODE)
		writer_u32le(w, command->mode);
	if (fields & F_OWNER) {
		writer_u32le(w, command->uid);
		writer_u32le(w, command->gid);
	}
	if (fields & F_RDEV)
		writer_u64le(w, command->rdev);
	if (fields & F_TIMES) {
		writer_u32le(w, command->set_mask);
		writer_u64le(w, (uint64_t)command->atime_ns);
		writer_u64le(w, (uint64_t)command->mtime_ns);
	}
	if (fields & F_SIZE)
		writer_u64le(w, command->size_bytes);
	if (fields & F_OFFSET)
		writer_u64le(w, command->offset);
	if (fields & F_LENGTH)
		writer_u64le(w, command->length);
	if (fields & F_BASE)
		writer_u64le(w, command->base_version);
	if (fields & F_DATA)
		write_long(w, command->data);
	if (fields & F_CONTENT)
		write_content(w, command);
	if (fields & F_LEASE)
		writer_u64le(w, (uint64_t)command->lease_ns);
	if (fields & F_NODE)
		writer_u32le(w, command->node);
}

enum rfs_err command_encode(const struct command *command, void *image,
			    size_t size, size_t *bytes)
{
	const struct shape *shape = shape_of(command->op);
	struct writer w;

	CHECK(shape != NULL);
	writer_init(&w, image, size);
	writer_u8(&w, COMMAND_VERSION);
	writer_u8(&w, (uint8_t)command->op);
	writer_u64le(&w, command->session);
	writer_u64le(&w, command->seq);
	writer_u64le(&w, command->acked_below);
	write_fields(&w, command, shape->fields);
	if (w.bad)
		return RFS_ERR_FULL;
	*bytes = writer_bytes(&w);
	return RFS_ERR_OK;
}

/* ---- decoding -------------------------------------------------------- */

static struct bytes read_view(struct reader *r, size_t bytes)
{
	const uint8_t *at = reader_take(r, bytes);

	return (struct bytes){ at, at ? bytes : 0 };
}

static void read_hash(struct reader *r, uint8_t hash[COMMAND_HASH_BYTES])
{
	const uint8_t *at = reader_take(r, COMMAND_HASH_BYTES);

	if (at)
		memcpy(hash, at, COMMAND_HASH_BYTES);
}

static void read_pieces(struct reader *r, struct command *command)
{
	uint32_t count = reader_u16le(r);

	if (count == 0 || count > COMMAND_PIECES_MAX) {
		r->bad = true;
		return;
	}
	command->piece_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct command_piece *piece = &command->pieces[i];

		piece->chunk = reader_u64le(r);
		piece->bytes = reader_u32le(r);
		read_hash(r, piece->sha256);
	}
}

static void read_content(struct reader *r, struct command *command)
{
	switch (reader_u8(r)) {
	case CONTENT_EMPTY:
		return;
	case CONTENT_INLINE:
		read_hash(r, command->sha256);
		command->data = read_view(r, reader_u32le(r));
		if (command->data.bytes == 0)
			r->bad = true;
		return;
	case CONTENT_PIECES:
		read_pieces(r, command);
		return;
	default:
		r->bad = true;
	}
}

static void read_fields(struct reader *r, struct command *command,
			uint32_t fields)
{
	if (fields & F_INO)
		command->ino = reader_u64le(r);
	if (fields & F_NAME)
		command->name = read_view(r, reader_u16le(r));
	if (fields & F_TARGET)
		command->target = reader_u64le(r);
	if (fields & F_TARGET_NAME)
		command->target_name = read_view(r, reader_u16le(r));
	if (fields & F_FLAGS)
		command->flags = reader_u32le(r);
	if (fields & F_MODE)
		command->mode = reader_u32le(r);
	if (fields & F_OWNER) {
		command->uid = reader_u32le(r);
		command->gid = reader_u32le(r);
	}
	if (fields & F_RDEV)
		command->rdev = reader_u64le(r);
	if (fields & F_TIMES) {
		command->set_mask = reader_u32le(r);
		command->atime_ns = (int64_t)reader_u64le(r);
		command->mtime_ns = (int64_t)reader_u64le(r);
	}
	if (fields & F_SIZE)
		command->size_bytes = reader_u64le(r);
	if (fields & F_OFFSET)
		command->offset = reader_u64le(r);
	if (fields & F_LENGTH)
		command->length = reader_u64le(r);
	if (fields & F_BASE)
		command->base_version = reader_u64le(r);
	if (fields & F_DATA)
		command->data = read_view(r, reader_u32le(r));
	if (fields & F_CONTENT)
		read_content(r, command);
	if (fields & F_LEASE)
		command->lease_ns = (int64_t)reader_u64le(r);
	if (fields & F_NODE)
		command->node = reader_u32le(r);
}

/* Everything but the pieces, which are only read up to piece_count. */
static void command_clear(struct command *command)
{
	memset(command, 0, offsetof(struct command, pieces));
}

enum rfs_err command_decode(const void *image, size_t bytes,
			    struct command *command)
{
	const struct shape *shape;
	struct reader r;
	uint8_t version;

	command_clear(command);
	reader_init(&r, image, bytes);
	version = reader_u8(&r);
	if (!r.bad && version > COMMAND_VERSION)
		return RFS_ERR_VERSION;
	command->op = (enum command_op)reader_u8(&r);
	shape = shape_of(command->op);
	if (version == 0 || !shape) {
		command->op = COMMAND_NOOP;
		return RFS_ERR_INVALID;
	}
	command->session = reader_u64le(&r);
	command->seq = reader_u64le(&r);
	command->acked_below = reader_u64le(&r);
	read_fields(&r, command, shape->fields);
	if (r.bad || reader_left(&r) != 0)
		return RFS_ERR_INVALID;
	return command_check(command);
}
