/* Commands: every change the file system knows, as one log entry each.
 *
 * A proposer fills a struct command, checks it, encodes it and proposes the
 * image; store_apply() decodes it on every node.  The image is little-endian,
 * versioned, and has exactly one meaning: docs/FILES.md.
 *
 * A command of a session carries (session, seq): applied once however often it
 * is proposed, with the first answer given again.  acked_below says which
 * answers have arrived and may be forgotten.  Commands marked "no seq" may be
 * repeated harmlessly and carry seq 0.
 */
#ifndef RAFTFS_STORAGED_CORE_COMMAND_H
#define RAFTFS_STORAGED_CORE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"

#define COMMAND_INLINE_MAX_BYTES (256u * 1024u)
#define COMMAND_CHUNK_MAX_BYTES	 (1024u * 1024u)
#define COMMAND_PIECES_MAX	 64u
#define COMMAND_GRANT_MAX	 1024u
#define COMMAND_LABEL_MAX	 64u
#define COMMAND_HASH_BYTES	 32u

/* No image is larger than this. */
#define COMMAND_IMAGE_MAX_BYTES (COMMAND_INLINE_MAX_BYTES + 4096u)

/* Numbers are for ever. In brackets: the fields each op uses. */
enum command_op {
	COMMAND_NOOP = 0, /* no session, no seq */

	/* Sessions. [lease_ns, node, name: a label for people] -> value = the
	 * session. No session, no seq. */
	COMMAND_OPEN_SESSION = 1,
	COMMAND_RENEW_SESSION = 2, /* [] no seq */
	COMMAND_CLOSE_SESSION = 3, /* [] no seq */
	/* [target] end session `target`, or every session when target is 0,
	 * if its lease has run out by log time. No session, no seq. */
	COMMAND_EXPIRE_SESSIONS = 4,
	/* [node, length: ids wanted] -> value = first chunk id, ids follow one
	 * another. No session, no seq. */
	COMMAND_GRANT = 5,
	/* [target: first id of the grant] From here on no entry can name an id
	 * of it for the first time. No session, no seq. */
	COMMAND_EXPIRE_GRANT = 6,

	/* Names. ino is the parent. attr answers with the subject. The four
	 * that make an inode, and PUT, also take set_mask: ATIME, MTIME and
	 * those times; without, times are the entry's. A parent's set-gid bit
	 * decides the group, and is inherited by directories. */
	COMMAND_CREATE = 30,  /* [ino name mode uid gid flags: EXCL PIN] answers
			       * with the file found (result.existed) when
			       * there is one and EXCL is not given */
	COMMAND_MKDIR = 31,   /* [ino name mode uid gid] */
	COMMAND_MKNOD = 32,   /* [ino name mode (with type) uid gid rdev] */
	COMMAND_SYMLINK = 33, /* [ino name uid gid data: target] */
	COMMAND_LINK = 34,    /* [ino name target: existing inode] */
	COMMAND_UNLINK = 35,  /* [ino name] */
	COMMAND_RMDIR = 36,   /* [ino name] */
	COMMAND_RENAME = 37,  /* [ino name target target_name flags:
			       * NOREPLACE or EXCHANGE] */

	/* Inodes. ino is the subject. */
	COMMAND_SETATTR = 38, /* [ino set_mask mode uid gid size atime_ns
			       * mtime_ns flags: KILLPRIV] */
	COMMAND_WRITE = 39,   /* [ino offset content base_version flags: APPEND
			       * KILLPRIV] -> value = offset it went to */
	COMMAND_SETXATTR = 40,	  /* [ino name data flags: XCREATE XREPLACE] */
	COMMAND_REMOVEXATTR = 41, /* [ino name] */
	COMMAND_OPEN = 42,	  /* [ino] pin: counted per session */
	COMMAND_RELEASE = 43,	  /* [ino] */
	COMMAND_FALLOCATE = 44,	  /* [ino offset length flags: KEEP_SIZE PUNCH
				   * ZERO] */
	/* [ino name mode uid gid content flags: EXCL, set_mask: + MODE]
	 * create name with this content, or replace the content of the regular
	 * file there (and its mode, if set_mask says so), in one step. */
	COMMAND_PUT = 45,
};

/* Flags; which op takes which: see above. Values are for ever. */
#define COMMAND_EXCL	  (1u << 0) /* CREATE, PUT: EXIST if it is there */
#define COMMAND_PIN	  (1u << 1) /* CREATE: and OPEN it */
#define COMMAND_NOREPLACE (1u << 0) /* as RENAME_NOREPLACE */
#define COMMAND_EXCHANGE  (1u << 1) /* as RENAME_EXCHANGE */
#define COMMAND_APPEND	  (1u << 0) /* WRITE: offset is the size at apply */
#define COMMAND_KILLPRIV  (1u << 1) /* WRITE, SETATTR of size: drop suid */
#define COMMAND_XCREATE	  (1u << 0) /* as XATTR_CREATE */
#define COMMAND_XREPLACE  (1u << 1) /* as XATTR_REPLACE */
#define COMMAND_KEEP_SIZE (1u << 0) /* as FALLOC_FL_KEEP_SIZE */
#define COMMAND_PUNCH	  (1u << 1) /* as FALLOC_FL_PUNCH_HOLE; + KEEP_SIZE */
#define COMMAND_ZERO	  (1u << 4) /* as FALLOC_FL_ZERO_RANGE */

/* set_mask; values as libfuse's FUSE_SET_ATTR_*. "now" is the entry's ts. */
#define COMMAND_SET_MODE      (1u << 0)
#define COMMAND_SET_UID	      (1u << 1)
#define COMMAND_SET_GID	      (1u << 2)
#define COMMAND_SET_SIZE      (1u << 3)
#define COMMAND_SET_ATIME     (1u << 4)
#define COMMAND_SET_MTIME     (1u << 5)
#define COMMAND_SET_ATIME_NOW (1u << 7)
#define COMMAND_SET_MTIME_NOW (1u << 8)
#define COMMAND_SET_ALL	      0x1bfu

/* One chunk of a content, used from its first to its last byte. */
struct command_piece {
	uint64_t chunk;
	uint32_t bytes; /* 1 .. COMMAND_CHUNK_MAX_BYTES */
	uint8_t sha256[COMMAND_HASH_BYTES];
};

/* Plain values; views are borrowed, from the proposer's buffers or, decoded,
 * from the image.  Fields an op does not use are zero.
 *
 * Content (WRITE, PUT) is either inline: data and its sha256; or chunks that
 * are already durable on a majority: pieces, laid end to end from offset.
 * Both empty: zero bytes. */
struct command {
	enum command_op op;
	uint64_t session;
	uint64_t seq; /* 1, 2, ... */
	uint64_t acked_below; /* <= seq */

	uint64_t ino;
	struct bytes name;
	uint64_t target;
	struct bytes target_name;
	uint32_t flags;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev;

	uint32_t set_mask;
	uint64_t size_bytes;
	int64_t atime_ns;
	int64_t mtime_ns;

	uint64_t offset;
	uint64_t length;
	/* 0, or the inode's version the content was made from: BUSY, with
	 * nothing done, when it has changed since. */
	uint64_t base_version;
	struct bytes data;
	uint8_t sha256[COMMAND_HASH_BYTES];

	int64_t lease_ns;
	uint32_t node;

	uint32_t piece_count;
	struct command_piece pieces[COMMAND_PIECES_MAX];
};

/* Is it well formed?  A proposer asks before it proposes, so that bad requests
 * never enter the log; apply asks again.
 *
 * OK; INVALID: fields out of range, unknown op or flag, name empty, "." or
 *     ".." or with '/' or NUL in it;
 *     NAMETOOLONG: name or target_name over INODE_NAME_MAX, symlink target
 *     over INODE_SYMLINK_MAX; FBIG: offsets past INODE_SIZE_MAX; RANGE: xattr
 *     name or value too long. */
RFS_MUST_USE enum rfs_err command_check(const struct command *command);

/* Encode a command that passed command_check() into size bytes at image.
 *
 * OK: *bytes is the length used; FULL: size is too small (COMMAND_IMAGE_MAX_
 * BYTES always suffices). */
RFS_MUST_USE enum rfs_err command_encode(const struct command *command,
					 void *image, size_t size,
					 size_t *bytes);

/* Decode and check; views point into image.
 *
 * OK; VERSION: a newer format; else INVALID or what command_check() says. */
RFS_MUST_USE enum rfs_err command_decode(const void *image, size_t bytes,
					 struct command *command);

/* The rule for names in a directory: OK, INVALID, NAMETOOLONG as above. */
RFS_MUST_USE enum rfs_err command_check_name(struct bytes name);

/* Does this op belong to a session; is it applied once by (session, seq)? */
bool command_has_session(enum command_op op);
bool command_has_seq(enum command_op op);

/* Bytes of its content: inline or the sum of its pieces. */
uint64_t command_content_bytes(const struct command *command);

/* "rename", for logs; "unknown" for no op of ours. Never NULL. */
const char *command_name(enum command_op op);

#endif
