/* A log being read back: what wal_open.c (the reading), wal_load.c (the files)
 * and wal_survey.c (what can be known behind damage) share. */
#ifndef RAFTFS_RAFTD_WAL_READ_H
#define RAFTFS_RAFTD_WAL_READ_H

#include "raftd/wal_format.h"

/* One segment in memory; its bytes belong to the log's buffers. */
struct wal_image {
	char name[WAL_NAME_BYTES];
	uint64_t seq;
	uint8_t *data;
	uint64_t bytes;
	uint64_t used; /* nothing but zeros from here on */
	const char *header_fault; /* NULL: good */
	struct wal_header header;
	uint32_t chain; /* the header's */
};

struct wal_reading {
	struct wal *wal;
	struct wal_log *log;
	const struct wal_known *known;
	struct wal_image *images; /* one for each of wal->segments */
	uint64_t capacity;	  /* of log->entries */
	struct wal_end end;	  /* good up to here */
	uint64_t last_index;	  /* of the log up to there */
};

/* wal_load.c: */

/* Fill wal->segments by the names found. IO (logged), NOMEM. */
RFS_MUST_USE enum rfs_err wal_list_segments(struct wal *wal);
/* Read all segments and judge their headers; what the disk will not give is
 * filled with what is no record. IO (logged), NOMEM, VERSION (logged);
 * CORRUPT (logged): no header is good and the log's id is not known. */
RFS_MUST_USE enum rfs_err wal_load(struct wal_reading *reading);

/* wal_survey.c: */

/* The place of a record in a segment. */
struct wal_place wal_survey_place(const struct wal_reading *reading,
				  size_t segment, uint64_t offset);
/* Behind the end of what is good in the last segment: was what stood there
 * durable? Only a batch after it proves that. */
bool wal_survey_was_durable(const struct wal_reading *reading);
/* The newest mark of the last segment that can be read; all zero: none was
 * written yet. NOENT: the only one is bad; CORRUPT: both are. */
RFS_MUST_USE enum rfs_err wal_survey_mark(const struct wal_reading *reading,
					  struct wal_mark_image *mark);
/* The last entry ever promised, by all that can be read behind reading->end.
 * CORRUPT: it cannot be known. */
RFS_MUST_USE enum rfs_err wal_survey_floor(const struct wal_reading *reading,
					   struct raft_floor *floor);
/* Find where reading may go on behind damage because a snapshot covers all that
 * may have been lost. *last_index: of the log there. */
bool wal_survey_resume(const struct wal_reading *reading, struct wal_end *at,
		       uint64_t *last_index);

bool wal_all_zero(const uint8_t *data, uint64_t bytes);

#endif
