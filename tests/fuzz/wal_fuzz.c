/* Fuzz target: any bytes as the records of a log segment, with right sums or
 * without. The log opens or refuses, what opens can be written on, and opens
 * again with the same entries. libFuzzer's entry point. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/os/log.h"
#include "raftd/wal_format.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char dir[] = "/dev/shm/raftfs-wal-fuzz-XXXXXX";
static char path[64];

static void clean_up(void)
{
	unlink(path);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/0000000000000001.wal", dir);
	/* Below every level: each refusal would be an error in the log. */
	log_set_level((enum log_level)-1);
	return atexit(clean_up);
}

/* Make the sums right, as far as the lengths make sense. */
static void seal(uint8_t *records, size_t bytes, uint32_t chain)
{
	size_t at = 0;

	while (bytes - at >= WAL_RECORD_HEAD_BYTES) {
		const struct wal_place place = {
			.log_id = 5,
			.seq = 1,
			.offset = WAL_DATA_OFFSET + at,
		};
		struct reader r;
		size_t length;

		reader_init(&r, records + at + 4, 4);
		length = wal_record_bytes(reader_u32le(&r) % 4096);
		if (length > bytes - at)
			return;
		chain = wal_record_seal(chain, &place, records[at + 10],
					true, records + at, length);
		at += length;
	}
}

/* The first byte chooses whether the sums are right. */
static void write_segment(const uint8_t *data, size_t bytes)
{
	static uint8_t segment[WAL_DATA_OFFSET + 65536];
	struct wal_header header = { .log_id = 5, .seq = 1 };
	uint32_t chain;
	int fd;

	if (bytes > 65536)
		bytes = 65536;
	memset(segment, 0, sizeof(segment));
	wal_header_encode(&header, segment, &chain);
	memcpy(segment + WAL_DATA_OFFSET, data + 1, bytes - 1);
	if (data[0] & 1)
		seal(segment + WAL_DATA_OFFSET, bytes - 1, chain);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, segment, sizeof(segment)) != sizeof(segment))
		abort();
	close(fd);
}

static enum rfs_err open_log(uint64_t *last, struct wal **wal)
{
	struct wal_log log;
	const struct wal_known known = { .log_id = 5 };
	enum rfs_err err =
		wal_open(dir, WAL_SEGMENT_BYTES_MIN, &known, wal, &log);

	if (err != RFS_ERR_OK)
		return err;
	if (log.damaged && wal_mend(*wal) != RFS_ERR_OK)
		abort();
	*last = log.first_index + log.entry_count - 1;
	for (uint64_t i = 0; i < log.entry_count; i++) {
		if (log.entries[i].index != log.first_index + i)
			abort();
	}
	wal_log_free(&log);
	return RFS_ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t record[WAL_RECORD_HEAD_BYTES];
	uint64_t last, again;
	struct wal *wal;
	size_t done;

	if (bytes < 2)
		return 0;
	write_segment(data, bytes);
	if (open_log(&last, &wal) != RFS_ERR_OK)
		return 0;
	wal_encode_entry(&(struct raft_entry){ .index = last + 1, .term = 1 },
			 record);
	/* FULL when the records filled the segment: there is no spare here. */
	if (wal_write(wal, record, sizeof(record), &done) != RFS_ERR_OK)
		done = 0;
	wal_close(wal);
	if (open_log(&again, &wal) != RFS_ERR_OK ||
	    again != last + (done > 0))
		abort();
	wal_close(wal);
	return 0;
}
