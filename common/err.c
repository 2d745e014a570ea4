/* Tables behind common/err.h, generated from its one list. */
#include "common/err.h"

const char *rfs_err_text(enum rfs_err err)
{
	switch (err) {
#define X(name, code, eno, text)                                               \
	case RFS_ERR_##name:                                                   \
		return text;
		RFS_ERR_MAP(X)
#undef X
	}
	return "unknown error";
}

const char *rfs_err_name(enum rfs_err err)
{
	switch (err) {
#define X(name, code, eno, text)                                               \
	case RFS_ERR_##name:                                                   \
		return #name;
		RFS_ERR_MAP(X)
#undef X
	}
	return "?";
}

int rfs_err_errno(enum rfs_err err)
{
	switch (err) {
#define X(name, code, eno, text)                                               \
	case RFS_ERR_##name:                                                   \
		return eno;
		RFS_ERR_MAP(X)
#undef X
	}
	return EIO;
}

/* Several errors share an errno; the first in the list is the plain one,
 * except that a full disk is NOSPC and a refused permission is ACCESS. */
enum rfs_err rfs_err_from_errno(int eno)
{
	if (eno == ENOSPC || eno == EDQUOT)
		return RFS_ERR_NOSPC;
#define X(name, code, e, text)                                                 \
	if (eno == (e))                                                        \
		return RFS_ERR_##name;
	RFS_ERR_MAP(X)
#undef X
	return RFS_ERR_IO;
}
