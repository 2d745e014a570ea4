/* raftfs-sim-replay: judge traces of the simulator by the model. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/replay/model.h"
#include "tests/replay/trace.h"

/* True when the model agrees with every line. */
static bool replay(FILE *file, const char *name)
{
	static char line[TRACE_LINE_MAX];
	struct model *model = model_new();
	const struct model_counts *counts = model_counts(model);
	const char *verdict = NULL;

	while (!verdict && fgets(line, sizeof(line), file))
		verdict = model_line(model, line);
	if (!verdict && counts->lines == 0)
		verdict = "nonsense: an empty trace";
	if (verdict)
		printf("%s: line %llu: %s\n", name,
		       (unsigned long long)counts->lines, verdict);
	else
		printf("%s: %llu lines, %llu leaders, %llu votes, %llu "
		       "entries, %llu commits, %llu waits skipped, %llu "
		       "settings, %llu lease reads (%llu inherited), %llu read points, %llu "
		       "operations\n",
		       name, (unsigned long long)counts->lines,
		       (unsigned long long)counts->leaders,
		       (unsigned long long)counts->votes,
		       (unsigned long long)counts->appends,
		       (unsigned long long)counts->commits,
		       (unsigned long long)counts->waits_skipped,
		       (unsigned long long)counts->settings,
		       (unsigned long long)counts->lease_reads,
		       (unsigned long long)counts->inherited_reads,
		       (unsigned long long)counts->points,
		       (unsigned long long)counts->operations);
	model_free(model);
	return !verdict;
}

int main(int argc, char **argv)
{
	unsigned int passed = 0, failed = 0;

	if (argc < 2) {
		fputs("usage: raftfs-sim-replay FILE...\n"
		      "FILE is what raftfs-sim --trace wrote; - is standard "
		      "input\n",
		      stderr);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		bool standard = strcmp(argv[i], "-") == 0;
		FILE *file = standard ? stdin : fopen(argv[i], "r");

		if (!file)
			perror(argv[i]);
		if (file && replay(file, argv[i]))
			passed++;
		else
			failed++;
		if (file && !standard)
			fclose(file);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
