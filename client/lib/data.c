/* File contents: reads and writes cut at 1 MiB windows and kept in flight
 * together, WIDTH at a time. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/raftfs.h"
#include "client/lib/session.h"

#define WIDTH 8u

struct raftfs_pending {
	struct raftfs *fs;
	struct call call;
};

/* How much of [offset, offset + bytes) lies in offset's window. */
static size_t in_window(uint64_t offset, size_t bytes)
{
	size_t left =
		RAFTFS_WINDOW_BYTES - (size_t)(offset % RAFTFS_WINDOW_BYTES);

	return bytes < left ? bytes : left;
}

/* --- reading --- */

struct piece {
	struct call call;
	struct wire_sink sink;
	enum rfs_err begun;
};

static void read_begin(struct raftfs *fs, struct piece *piece, uint64_t ino,
		       uint64_t offset, uint8_t *data, size_t bytes)
{
	call_init(&piece->call, DISTRIBUTED_FS__FILE_OP__OP_READ);
	piece->sink = (struct wire_sink){.data = data, .bytes = bytes};
	piece->call.sink = &piece->sink;
	piece->call.request.ino = ino;
	piece->call.request.offset = offset;
	piece->call.request.length = bytes;
	piece->begun = session_begin(fs, &piece->call);
}

static enum rfs_err read_end(struct raftfs *fs, struct piece *piece)
{
	enum rfs_err err = piece->begun;

	if (err == RFS_ERR_OK)
		err = session_end(fs, &piece->call);
	call_fini(&piece->call);
	return err;
}

/* Up to WIDTH windows. *whole: every piece came full. */
static enum rfs_err read_batch(struct raftfs *fs, uint64_t ino, uint64_t offset,
			       uint8_t *data, size_t bytes, size_t *got,
			       bool *whole)
{
	struct piece pieces[WIDTH];
	size_t count = 0;
	size_t asked = 0;
	enum rfs_err err = RFS_ERR_OK;

	for (; count < WIDTH && asked < bytes; count++) {
		size_t part = in_window(offset + asked, bytes - asked);

		read_begin(fs, &pieces[count], ino, offset + asked,
			   data + asked, part);
		asked += part;
	}
	*got = 0;
	*whole = true;
	for (size_t i = 0; i < count; i++) {
		enum rfs_err one = read_end(fs, &pieces[i]);

		if (err == RFS_ERR_OK)
			err = one;
		/* What follows a short piece is beyond the end. */
		if (*whole)
			*got += pieces[i].sink.got;
		if (pieces[i].sink.got < pieces[i].sink.bytes)
			*whole = false;
	}
	return err;
}

enum rfs_err raftfs_read(struct raftfs *fs, uint64_t ino, uint64_t offset,
			 void *data, size_t bytes, size_t *got)
{
	uint8_t *to = data;
	size_t done = 0;
	bool whole = true;

	while (done < bytes && whole) {
		size_t part;
		enum rfs_err err = read_batch(fs, ino, offset + done, to + done,
					      bytes - done, &part, &whole);

		if (err != RFS_ERR_OK)
			return err;
		done += part;
	}
	*got = done;
	return RFS_ERR_OK;
}

/* --- writing --- */

struct raftfs_pending *raftfs_write_begin(struct raftfs *fs,
					  struct raftfs_who who, uint64_t ino,
					  uint64_t offset, bool append,
					  const void *data, size_t bytes)
{
	struct raftfs_pending *pending = malloc(sizeof(*pending));

	if (pending == NULL)
		return NULL;
	pending->fs = fs;
	call_init(&pending->call, DISTRIBUTED_FS__FILE_OP__OP_WRITE);
	pending->call.mutation = true;
	pending->call.request.uid = who.uid;
	pending->call.request.gid = who.gid;
	pending->call.request.ino = ino;
	pending->call.request.offset = offset;
	pending->call.request.data.data = (uint8_t *)data;
	pending->call.request.data.len = bytes;
	if (append)
		pending->call.request.flags =
			DISTRIBUTED_FS__WRITE_FLAG__WRITE_APPEND;
	if (session_begin(fs, &pending->call) == RFS_ERR_OK)
		channel_flush(&fs->channel, &pending->call);
	else
		pending->fs = NULL; /* not in flight: the error is in call */
	return pending;
}

enum rfs_err raftfs_write_end(struct raftfs_pending *pending)
{
	enum rfs_err err = pending->call.err;

	if (pending->fs != NULL)
		err = session_end(pending->fs, &pending->call);
	call_fini(&pending->call);
	free(pending);
	return err;
}

enum rfs_err raftfs_append(struct raftfs *fs, struct raftfs_who who,
			   uint64_t ino, const void *data, size_t bytes)
{
	if (bytes > RAFTFS_WINDOW_BYTES)
		return RFS_ERR_FBIG;
	struct raftfs_pending *pending =
		raftfs_write_begin(fs, who, ino, 0, true, data, bytes);

	return pending == NULL ? RFS_ERR_NOMEM : raftfs_write_end(pending);
}

enum rfs_err raftfs_write(struct raftfs *fs, struct raftfs_who who,
			  uint64_t ino, uint64_t offset, const void *data,
			  size_t bytes)
{
	struct raftfs_pending *ring[WIDTH] = {NULL};
	const uint8_t *from = data;
	enum rfs_err err = RFS_ERR_OK;
	size_t done = 0;

	/* The ring is full at every turn but the first and last WIDTH. */
	for (size_t turn = 0; done < bytes && err == RFS_ERR_OK; turn++) {
		struct raftfs_pending **slot = &ring[turn % WIDTH];
		size_t part = in_window(offset + done, bytes - done);

		if (*slot != NULL)
			err = raftfs_write_end(*slot);
		*slot = NULL;
		if (err != RFS_ERR_OK)
			break;
		*slot = raftfs_write_begin(fs, who, ino, offset + done, false,
					   from + done, part);
		if (*slot == NULL)
			err = RFS_ERR_NOMEM;
		done += part;
	}
	for (size_t i = 0; i < WIDTH; i++) {
		if (ring[i] == NULL)
			continue;
		enum rfs_err one = raftfs_write_end(ring[i]);

		if (err == RFS_ERR_OK)
			err = one;
	}
	return err;
}
