/* Coalescing and pipelining of the writes of one file. */
#include "client/mount/behind.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

void behind_init(struct behind *behind)
{
	memset(behind, 0, sizeof(*behind));
}

void behind_fini(struct behind *behind)
{
	CHECK(behind_is_empty(behind));
	free(behind->data);
	behind->data = NULL;
}

bool behind_is_empty(const struct behind *behind)
{
	if (behind->bytes > 0)
		return false;
	for (size_t i = 0; i < BEHIND_WIDTH; i++)
		if (behind->sent[i].pending != NULL)
			return false;
	return true;
}

static void fetch(struct behind *behind, struct behind_sent *sent)
{
	if (sent->pending == NULL)
		return;
	enum rfs_err err = raftfs_write_end(sent->pending);

	free(sent->data);
	sent->pending = NULL;
	sent->data = NULL;
	if (behind->err == RFS_ERR_OK)
		behind->err = err;
}

static void fetch_all(struct behind *behind)
{
	for (size_t i = 0; i < BEHIND_WIDTH; i++)
		fetch(behind, &behind->sent[(behind->next + i) % BEHIND_WIDTH]);
}

static bool overlaps(const struct behind *behind)
{
	for (size_t i = 0; i < BEHIND_WIDTH; i++) {
		const struct behind_sent *sent = &behind->sent[i];

		if (sent->pending != NULL &&
		    behind->offset < sent->offset + sent->bytes &&
		    sent->offset < behind->offset + behind->bytes)
			return true;
	}
	return false;
}

/* Send the buffer on its way; its memory goes with it. */
static void send_buffer(struct behind *behind, struct raftfs *fs, uint64_t ino)
{
	struct behind_sent *slot = &behind->sent[behind->next];

	if (behind->bytes == 0)
		return;
	if (behind->append || overlaps(behind))
		fetch_all(behind);
	fetch(behind, slot);
	*slot = (struct behind_sent){
		.data = behind->data,
		.offset = behind->offset,
		.bytes = behind->bytes,
		.pending = raftfs_write_begin(fs, behind->who, ino,
					      behind->offset, behind->append,
					      behind->data, behind->bytes),
	};
	behind->bytes = 0;
	if (slot->pending == NULL) {
		/* The buffer stays ours; what was in it is lost, and said. */
		slot->data = NULL;
		if (behind->err == RFS_ERR_OK)
			behind->err = RFS_ERR_NOMEM;
		return;
	}
	behind->data = NULL;
	behind->next = (behind->next + 1) % BEHIND_WIDTH;
}

static bool continues(const struct behind *behind, struct raftfs_who who,
		      uint64_t offset, bool append)
{
	return behind->append == append && behind->who.uid == who.uid &&
	       behind->who.gid == who.gid &&
	       (append || offset == behind->offset + behind->bytes);
}

/* Room to the end of the window; appends do not know where they will be. */
static size_t room(const struct behind *behind)
{
	uint64_t at = behind->append ? 0 : behind->offset;

	return RAFTFS_WINDOW_BYTES - (size_t)(at % RAFTFS_WINDOW_BYTES) -
	       behind->bytes;
}

enum rfs_err behind_write(struct behind *behind, struct raftfs *fs,
			  uint64_t ino, struct raftfs_who who, uint64_t offset,
			  bool append, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	if (behind->err != RFS_ERR_OK)
		return behind->err;
	if (behind->bytes > 0 && !continues(behind, who, offset, append))
		send_buffer(behind, fs, ino);
	while (bytes > 0) {
		if (behind->data == NULL)
			behind->data = malloc(RAFTFS_WINDOW_BYTES);
		if (behind->data == NULL)
			return RFS_ERR_NOMEM;
		if (behind->bytes == 0) {
			behind->offset = offset;
			behind->append = append;
			behind->who = who;
		}
		size_t part = bytes < room(behind) ? bytes : room(behind);

		memcpy(behind->data + behind->bytes, from, part);
		behind->bytes += part;
		from += part;
		offset += part;
		bytes -= part;
		if (room(behind) == 0)
			send_buffer(behind, fs, ino);
	}
	return RFS_ERR_OK;
}

enum rfs_err behind_drain(struct behind *behind, struct raftfs *fs,
			  uint64_t ino, bool report)
{
	send_buffer(behind, fs, ino);
	fetch_all(behind);
	enum rfs_err err = behind->err;

	if (report)
		behind->err = RFS_ERR_OK;
	CHECK(behind_is_empty(behind));
	return err;
}
