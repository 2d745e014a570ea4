/* Small files in one log entry, large ones in pieces. */
#include "client/cli/store.h"

#include <stdlib.h>

#include "client/cli/transfer.h"

enum rfs_err store_fix(struct raftfs *fs, const struct raftfs_attr *attr,
		       const struct raftfs_new *as)
{
	struct raftfs_attr want = {.mode = as->mode & 07777,
				   .atime_ns = as->atime_ns,
				   .mtime_ns = as->mtime_ns};
	struct raftfs_attr after;
	uint32_t set = 0;

	if ((attr->mode & 07777) != want.mode && !S_ISLNK(attr->mode))
		set |= RAFTFS_SET_MODE;
	if (as->dated && attr->mtime_ns != as->mtime_ns)
		set |= RAFTFS_SET_ATIME | RAFTFS_SET_MTIME;
	if (set == 0)
		return RFS_ERR_OK;
	return raftfs_setattr(fs, as->who, attr->ino, &want, set, &after);
}

/* Write the pieces of an empty file, all but those that are zeros: those are
 * holes, and cost nothing. The last one shows in the size alone. */
static enum rfs_err store_pieces(struct raftfs *fs, uint64_t ino,
				 const struct raftfs_new *as,
				 const struct store_source *source,
				 uint8_t *data, size_t bytes, size_t got)
{
	struct raftfs_attr attr = {.size = 0};
	bool ends_in_hole = false;
	enum rfs_err err = RFS_ERR_OK;

	while (err == RFS_ERR_OK && got > 0) {
		ends_in_hole = transfer_is_hole(data, got);
		if (!ends_in_hole)
			err = raftfs_write(fs, as->who, ino, attr.size, data,
					   got);
		if (err != RFS_ERR_OK)
			break;
		attr.size += got;
		*source->done_bytes += got;
		if (got < bytes)
			break;
		err = source->read(source->ctx, attr.size, data, bytes, &got);
	}
	if (err == RFS_ERR_OK && ends_in_hole)
		err = raftfs_setattr(fs, as->who, ino, &attr, RAFTFS_SET_SIZE,
				     &attr);
	return err;
}

static enum rfs_err store_large(struct raftfs *fs, uint64_t parent,
				const char *name, const struct raftfs_new *as,
				const struct store_source *source,
				uint8_t *data, size_t bytes, size_t got)
{
	const struct raftfs_attr empty = {.size = 0};
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_create(fs, parent, name, as, &attr);

	if (err == RFS_ERR_OK && !S_ISREG(attr.mode))
		err = S_ISDIR(attr.mode) ? RFS_ERR_ISDIR : RFS_ERR_EXIST;
	if (err == RFS_ERR_OK && attr.size > 0)
		err = raftfs_setattr(fs, as->who, attr.ino, &empty,
				     RAFTFS_SET_SIZE, &attr);
	if (err == RFS_ERR_OK)
		err = store_pieces(fs, attr.ino, as, source, data, bytes, got);
	if (err == RFS_ERR_OK)
		err = raftfs_getattr(fs, attr.ino, &attr);
	if (err == RFS_ERR_OK)
		err = store_fix(fs, &attr, as);
	return err;
}

static enum rfs_err store_small(struct raftfs *fs, uint64_t parent,
				const char *name, const struct raftfs_new *as,
				const struct store_source *source,
				const uint8_t *data, size_t bytes)
{
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_put(fs, parent, name, data, bytes, as, &attr);

	if (err != RFS_ERR_OK)
		return err;
	*source->done_bytes += bytes;
	return store_fix(fs, &attr, as);
}

enum rfs_err store_file(struct raftfs *fs, uint64_t parent, const char *name,
			const struct raftfs_new *as,
			const struct store_source *source)
{
	/* One byte more than expected shows the end in one read. */
	size_t bytes = TRANSFER_PIECE_BYTES;
	size_t got;

	if (source->size_hint > 0 && source->size_hint < RAFTFS_WINDOW_BYTES)
		bytes = (size_t)source->size_hint + 1;
	uint8_t *data = malloc(bytes);

	if (data == NULL)
		return RFS_ERR_NOMEM;
	enum rfs_err err = source->read(source->ctx, 0, data, bytes, &got);

	if (err == RFS_ERR_OK && got == bytes && bytes < TRANSFER_PIECE_BYTES) {
		/* It has grown since it was looked at. */
		struct store_source grown = *source;

		grown.size_hint = 0;
		free(data);
		return store_file(fs, parent, name, as, &grown);
	}
	if (err == RFS_ERR_OK && got <= RAFTFS_WINDOW_BYTES)
		err = store_small(fs, parent, name, as, source, data, got);
	else if (err == RFS_ERR_OK)
		err = store_large(fs, parent, name, as, source, data, bytes,
				  got);
	free(data);
	return err;
}
