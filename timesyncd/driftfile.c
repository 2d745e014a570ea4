/* Reading and replacing the drift file. */
#include "timesyncd/driftfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/config.h"
#include "common/os/log.h"

static const char head_line[] = "raftfs-drift 1\n";

uint32_t driftfile_load(const char *path, int32_t limit_ppb,
			struct driftfile_row *rows, uint32_t capacity)
{
	FILE *in = fopen(path, "re");
	char line[64];
	uint32_t count = 0;

	if (in == NULL) {
		if (errno != ENOENT)
			log_errno("drift file %s", path);
		return 0;
	}
	if (fgets(line, sizeof(line), in) == NULL ||
	    strcmp(line, head_line) != 0) {
		log_warn("drift file %s: not one, left alone", path);
		fclose(in);
		return 0;
	}
	while (count < capacity && fgets(line, sizeof(line), in) != NULL) {
		struct driftfile_row row;
		int used = 0;

		if (sscanf(line, "%" SCNu32 " %" SCNd32 " %n", &row.node,
			   &row.drift_ppb, &used) != 2 ||
		    line[used] != '\0' || row.drift_ppb > limit_ppb ||
		    row.drift_ppb < -limit_ppb)
			continue;
		rows[count++] = row;
	}
	fclose(in);
	return count;
}

enum rfs_err driftfile_save(const char *path, const struct driftfile_row *rows,
			    uint32_t count)
{
	char temporary[CONFIG_PATH_MAX + 64];
	FILE *out;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	out = fopen(temporary, "we");
	if (out == NULL) {
		log_errno("drift file %s", temporary);
		return RFS_ERR_IO;
	}
	fputs(head_line, out);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "%" PRIu32 " %" PRId32 "\n", rows[i].node,
			rows[i].drift_ppb);
	/* No fsync: losing it costs a minute of accuracy. */
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed || rename(temporary, path) != 0) {
		log_errno("drift file %s", path);
		unlink(temporary);
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}
