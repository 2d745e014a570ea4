/* The one error type: wire code, errno and text of each error in one list.
 *
 * Two families must never be mixed up: "it did not happen" may be retried
 * freely; RFS_ERR_UNKNOWN means "it may have happened", and may be retried
 * only under the same request id.
 */
#ifndef RAFTFS_COMMON_ERR_H
#define RAFTFS_COMMON_ERR_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Wire codes are for ever: append, never renumber.
 *      name         code errno         text                                 */
#define RFS_ERR_MAP(X)                                                         \
	X(OK, 0, 0, "success")                                                 \
	X(NOMEM, 1, ENOMEM, "out of memory")                                   \
	X(IO, 2, EIO, "storage I/O failed")                                    \
	X(CORRUPT, 3, EIO, "checksum or format mismatch")                      \
	X(FULL, 4, ENOSPC, "fixed capacity reached")                           \
	X(BUSY, 5, EAGAIN, "busy, try again")                                  \
	X(VERSION, 6, EPROTO, "layout or protocol version differs")            \
	X(NOT_LEADER, 7, EAGAIN, "this node is not the leader")                \
	X(UNKNOWN, 8, ETIMEDOUT, "outcome unknown: retry with the same id")    \
	X(INVALID, 9, EINVAL, "invalid argument or message")                   \
	X(NOENT, 10, ENOENT, "no such file or directory")                      \
	X(EXIST, 11, EEXIST, "already exists")                                 \
	X(NOTDIR, 12, ENOTDIR, "not a directory")                              \
	X(ISDIR, 13, EISDIR, "is a directory")                                 \
	X(NOTEMPTY, 14, ENOTEMPTY, "directory not empty")                      \
	X(PERM, 15, EPERM, "operation not permitted")                          \
	X(ACCESS, 16, EACCES, "permission denied")                             \
	X(NAMETOOLONG, 17, ENAMETOOLONG, "name too long")                      \
	X(NODATA, 18, ENODATA, "no such extended attribute")                   \
	X(LOOP, 19, ELOOP, "too many levels of symbolic links")                \
	X(FBIG, 20, EFBIG, "file too large")                                   \
	X(TIMEDOUT, 21, ETIMEDOUT, "timed out before anything was done")       \
	X(CLOSED, 22, ECONNRESET, "connection closed")                         \
	X(NO_QUORUM, 23, EHOSTUNREACH, "no leader, or no majority answers")    \
	X(RANGE, 24, ERANGE, "value or buffer out of range")                   \
	X(NOTSUP, 25, EOPNOTSUPP, "not supported")                             \
	X(STALE, 26, ESTALE, "the file this handle named is gone")             \
	X(MLINK, 27, EMLINK, "too many links")                                 \
	X(DENIED, 28, EACCES, "authentication failed")                         \
	X(NOSPC, 29, ENOSPC, "no space left on a majority of nodes")           \
	X(NO_SESSION, 30, ESTALE, "session expired: open a new one")

enum rfs_err {
#define X(name, code, eno, text) RFS_ERR_##name = (code),
	RFS_ERR_MAP(X)
#undef X
};

#define RFS_MUST_USE __attribute__((warn_unused_result))

/* Static storage, never NULL; an unknown code gives "unknown error". */
const char *rfs_err_text(enum rfs_err err);

/* The short name, "NOT_LEADER"; for logs and JSON. Never NULL. */
const char *rfs_err_name(enum rfs_err err);

/* The errno a POSIX caller should see; EIO for an unknown code. */
int rfs_err_errno(enum rfs_err err);

/* The nearest error for an errno that a system call left; IO by default. */
enum rfs_err rfs_err_from_errno(int eno);

#ifdef __cplusplus
}
#endif

#endif
