/* Lines to records and back. */
#include "tests/system/record/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"put", "look", "read"};
static const char *const outcomes[] = {"done", "unknown", "not"};

void record_write(FILE *to, const struct record *record)
{
	fprintf(to,
		"%s %s %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRId64
		" %" PRId64 "\n",
		kinds[record->kind], outcomes[record->outcome], record->client,
		record->key, record->state, record->version, record->begin_ns,
		record->end_ns);
}

static int find(const char *word, const char *const names[3])
{
	for (int i = 0; i < 3; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	return -1;
}

static enum rfs_err parse(const char *line, struct record *record)
{
	char kind[8], outcome[8];
	int fields = sscanf(line,
			    "%7s %7s %" SCNu32 " %" SCNu32 " %" SCNu64
			    " %" SCNu64 " %" SCNd64 " %" SCNd64,
			    kind, outcome, &record->client, &record->key,
			    &record->state, &record->version, &record->begin_ns,
			    &record->end_ns);
	int k, o;

	if (fields != 8)
		return RFS_ERR_INVALID;
	k = find(kind, kinds);
	o = find(outcome, outcomes);
	if (k < 0 || o < 0 || record->key >= RECORD_KEYS_MAX ||
	    record->begin_ns > record->end_ns)
		return RFS_ERR_INVALID;
	record->kind = (enum record_kind)k;
	record->outcome = (enum record_outcome)o;
	return RFS_ERR_OK;
}

enum rfs_err record_load(const char *path, struct record **records,
			 size_t *count)
{
	struct record *all = NULL;
	size_t capacity = 0, used = 0;
	char line[256];
	FILE *from = fopen(path, "r");

	if (!from) {
		fprintf(stderr, "history: %s: %s\n", path, strerror(errno));
		return RFS_ERR_IO;
	}
	while (fgets(line, sizeof(line), from)) {
		if (used == capacity) {
			capacity = capacity * 2 + 1024;
			all = reallocarray(all, capacity, sizeof(*all));
			if (!all)
				abort();
		}
		if (parse(line, &all[used]) != RFS_ERR_OK) {
			fprintf(stderr, "history: %s, line %zu: %s", path,
				used + 1, line);
			free(all);
			fclose(from);
			return RFS_ERR_INVALID;
		}
		used++;
	}
	fclose(from);
	*records = all;
	*count = used;
	return RFS_ERR_OK;
}
