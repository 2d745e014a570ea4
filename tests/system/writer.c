/* A client that writes until told to stop, and later proves what it was told.
 *
 *	writer WHERE FILE write SECONDS LOG
 *		Append numbered records to FILE, one at a time; each that was
 *		acknowledged is noted in LOG (record, how long it took). Prints
 *		"acknowledged N unknown U longest_ms M p50_us P".
 *	writer WHERE FILE verify LOG
 *		Read FILE back and compare: every acknowledged record must be
 *		there exactly once and in order; unknown ones at most once.
 *
 * Exit 0 only if everything held.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/raftfs.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"

#define RECORD_BYTES 16u /* "record 00000042\n" */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int complain(const char *doing, enum rfs_err err)
{
	fprintf(stderr, "writer: %s: %s %s\n", doing, rfs_err_text(err),
		raftfs_reason());
	return 1;
}

static enum rfs_err open_file(struct raftfs *fs, const char *path, bool create,
			      uint64_t *ino)
{
	const struct raftfs_new as = { .mode = 0644 };
	struct raftfs_attr parent, attr;
	char name[RAFTFS_NAME_MAX + 1];
	enum rfs_err err = raftfs_walk_parent(fs, path, &parent, name);

	if (err == RFS_ERR_OK)
		err = create ? raftfs_create(fs, parent.ino, name, &as, &attr) :
			       raftfs_lookup(fs, parent.ino, name, &attr);
	if (err == RFS_ERR_OK)
		*ino = attr.ino;
	return err;
}

static int write_records(struct raftfs *fs, uint64_t ino, double seconds,
			 FILE *log)
{
	static int64_t took[1 << 20];
	int64_t start = clock_raw_ns(), longest = 0, previous = start;
	int acked = 0, unknown = 0;

	for (uint32_t n = 1; acked < (1 << 20); n++) {
		char record[RECORD_BYTES + 1];
		int64_t from = clock_raw_ns(), now;

		if ((double)(from - start) > seconds * 1e9)
			break;
		snprintf(record, sizeof(record), "record %08" PRIu32 "\n", n);
		enum rfs_err err = raftfs_append(fs, (struct raftfs_who){ 0, 0 },
						 ino, record, RECORD_BYTES);

		now = clock_raw_ns();
		if (err == RFS_ERR_UNKNOWN) {
			unknown++;
			fprintf(log, "unknown %" PRIu32 "\n", n);
			continue;
		}
		if (err != RFS_ERR_OK)
			return complain("append", err);
		fprintf(log, "acked %" PRIu32 "\n", n);
		took[acked++] = now - from;
		if (now - previous > longest)
			longest = now - previous;
		previous = now;
	}
	if (!acked)
		return complain("nothing was acknowledged", RFS_ERR_UNKNOWN);
	qsort(took, (size_t)acked, sizeof(*took), by_value);
	printf("acknowledged %d unknown %d longest_ms %.1f p50_us %.0f\n",
	       acked, unknown, (double)longest / 1e6,
	       (double)took[acked / 2] / 1e3);
	return 0;
}

static int verify_records(struct raftfs *fs, uint64_t ino, FILE *log)
{
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_getattr(fs, ino, &attr);
	char *data = NULL, word[16];
	size_t got = 0, at = 0;
	uint32_t n;
	int missing = 0, kept = 0;

	if (err == RFS_ERR_OK)
		data = malloc(attr.size + 1);
	if (data)
		err = raftfs_read(fs, ino, 0, data, attr.size, &got);
	if (err != RFS_ERR_OK || !data)
		return complain("read back", err);
	while (fscanf(log, "%15s %" SCNu32, word, &n) == 2) {
		char record[RECORD_BYTES + 1];
		bool here;

		snprintf(record, sizeof(record), "record %08" PRIu32 "\n", n);
		here = at + RECORD_BYTES <= got &&
		       memcmp(data + at, record, RECORD_BYTES) == 0;
		if (here)
			at += RECORD_BYTES;
		kept += here;
		if (!here && strcmp(word, "acked") == 0) {
			missing++;
			fprintf(stderr,
				"writer: acknowledged record %" PRIu32
				" is not where it must be\n",
				n);
		}
	}
	free(data);
	printf("verified %d records, %d acknowledged ones missing, %zu bytes "
	       "too many\n",
	       kept, missing, got - at);
	return missing || got != at;
}

int main(int argc, char **argv)
{
	struct raftfs *fs;
	uint64_t ino;
	bool writing = argc == 6 && strcmp(argv[3], "write") == 0;
	int status;

	if (!writing && !(argc == 5 && strcmp(argv[3], "verify") == 0)) {
		fprintf(stderr, "usage: writer WHERE FILE write SECONDS LOG\n"
				"       writer WHERE FILE verify LOG\n");
		return 2;
	}
	log_init("writer", NULL);
	enum rfs_err err = raftfs_open(argv[1], &fs);

	if (err != RFS_ERR_OK)
		return complain(argv[1], err);
	err = open_file(fs, argv[2], writing, &ino);
	if (err != RFS_ERR_OK)
		return complain(argv[2], err);
	FILE *log = fopen(argv[writing ? 5 : 4], writing ? "w" : "r");

	if (!log) {
		perror(argv[writing ? 5 : 4]);
		return 1;
	}
	status = writing ? write_records(fs, ino, atof(argv[4]), log) :
			   verify_records(fs, ino, log);
	if (fclose(log) != 0)
		status = 1;
	raftfs_close(fs);
	return status;
}
