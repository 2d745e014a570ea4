/* Term and vote on disk: two pages of one small file. */
#include "raftd/hardstate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/os/directory.h"
#include "common/os/log.h"

#define MAGIC	     0x48534652u /* "RFSH" */
#define VERSION	     3u
#define COPY_COUNT   2
#define PAGE_BYTES   4096u
#define RECORD_BYTES 128u

struct hardstate_file {
	char path[512];
	int fd;
	uint64_t write_count;
	_Atomic uint64_t sync_count; /* read by another thread */
};

static void encode(const struct hardstate *state, uint64_t write_count,
		   uint8_t image[RECORD_BYTES])
{
	struct writer w;

	memset(image, 0, RECORD_BYTES);
	writer_init(&w, image, RECORD_BYTES);
	writer_u32le(&w, MAGIC);
	writer_u32le(&w, VERSION);
	writer_u64le(&w, write_count);
	writer_u64le(&w, state->log_id);
	writer_u64le(&w, state->term);
	writer_u32le(&w, state->voted_for);
	writer_u32le(&w, state->node);
	writer_u64le(&w, state->supported_term);
	writer_u64le(&w, state->floor.index);
	writer_u64le(&w, state->floor.term);
	writer_u32le(&w, crc32c(0, image, writer_bytes(&w)));
	CHECK(!w.bad);
}

static enum rfs_err decode(const uint8_t image[RECORD_BYTES],
			   struct hardstate *state, uint64_t *write_count)
{
	struct reader r;
	uint32_t version, sum;

	reader_init(&r, image, RECORD_BYTES);
	if (reader_u32le(&r) != MAGIC)
		return RFS_ERR_CORRUPT;
	version = reader_u32le(&r);
	*write_count = reader_u64le(&r);
	state->log_id = reader_u64le(&r);
	state->term = reader_u64le(&r);
	state->voted_for = reader_u32le(&r);
	state->node = reader_u32le(&r);
	state->supported_term = reader_u64le(&r);
	state->floor.index = reader_u64le(&r);
	state->floor.term = reader_u64le(&r);
	sum = crc32c(0, image, (size_t)(r.at - image));
	if (reader_u32le(&r) != sum)
		return RFS_ERR_CORRUPT;
	return version == VERSION ? RFS_ERR_OK : RFS_ERR_VERSION;
}

static enum rfs_err write_copies(struct hardstate_file *file,
				 const struct hardstate *state)
{
	uint8_t image[RECORD_BYTES];

	encode(state, ++file->write_count, image);
	for (unsigned int i = 0; i < COPY_COUNT; i++) {
		if (pwrite(file->fd, image, sizeof(image), i * PAGE_BYTES) !=
		    (ssize_t)sizeof(image))
			return RFS_ERR_IO;
	}
	file->sync_count++;
	return fdatasync(file->fd) == 0 ? RFS_ERR_OK : RFS_ERR_IO;
}

enum rfs_err hardstate_write(struct hardstate_file *file,
			     const struct hardstate *state)
{
	enum rfs_err err = write_copies(file, state);

	if (err != RFS_ERR_OK)
		log_errno("hardstate: writing %s failed; what is on the disk "
			  "is unknown",
			  file->path);
	return err;
}

/* The newer good copy; a bad one is reported and made good again. */
static enum rfs_err read_copies(struct hardstate_file *file,
				struct hardstate *state)
{
	unsigned int good_count = 0;

	for (unsigned int i = 0; i < COPY_COUNT; i++) {
		uint8_t image[RECORD_BYTES];
		struct hardstate copy;
		uint64_t write_count;
		enum rfs_err err = RFS_ERR_CORRUPT;

		if (pread(file->fd, image, sizeof(image), i * PAGE_BYTES) ==
		    (ssize_t)sizeof(image))
			err = decode(image, &copy, &write_count);
		if (err == RFS_ERR_VERSION) {
			log_error("hardstate: %s was written by another "
				  "version",
				  file->path);
			return err;
		}
		if (err != RFS_ERR_OK) {
			log_warn("hardstate: %s: copy %u at offset %u is bad",
				 file->path, i, i * PAGE_BYTES);
			continue;
		}
		if (good_count++ == 0 || write_count > file->write_count) {
			file->write_count = write_count;
			*state = copy;
		}
	}
	if (good_count == 0) {
		log_error("hardstate: both copies in %s are bad: this node no "
			  "longer knows how it voted and will not start: see "
			  "DAMAGE in raftfs-raftd(8)",
			  file->path);
		return RFS_ERR_CORRUPT;
	}
	/* Also makes durable what a killed writer may have left unsynced. */
	return hardstate_write(file, state);
}

/* A new file is complete under another name before it gets its own. */
static enum rfs_err create(struct hardstate_file *file)
{
	static const uint8_t zeros[COPY_COUNT * PAGE_BYTES];
	const struct hardstate none = { 0 };
	char temporary[sizeof(file->path) + 8];

	snprintf(temporary, sizeof(temporary), "%s.tmp", file->path);
	file->fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			0600);
	if (file->fd < 0 ||
	    write(file->fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros) ||
	    write_copies(file, &none) != RFS_ERR_OK || fsync(file->fd) != 0 ||
	    rename(temporary, file->path) != 0 ||
	    directory_sync_of(file->path) != 0) {
		log_errno("hardstate: creating %s", file->path);
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

enum rfs_err hardstate_open(const char *path, struct hardstate_file **opened,
			    struct hardstate *state)
{
	struct hardstate_file *file = calloc(1, sizeof(*file));
	struct hardstate found = { 0 };
	enum rfs_err err;

	if (file == NULL)
		return RFS_ERR_NOMEM;
	snprintf(file->path, sizeof(file->path), "%s", path);
	file->fd = open(path, O_RDWR | O_CLOEXEC);
	if (file->fd >= 0) {
		err = read_copies(file, &found);
	} else if (errno == ENOENT) {
		err = create(file);
	} else {
		log_errno("hardstate: opening %s", path);
		err = RFS_ERR_IO;
	}
	if (err != RFS_ERR_OK) {
		hardstate_close(file);
		return err;
	}
	*opened = file;
	*state = found;
	return RFS_ERR_OK;
}

uint64_t hardstate_syncs(const struct hardstate_file *file)
{
	return file->sync_count;
}

void hardstate_close(struct hardstate_file *file)
{
	if (file == NULL)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}
