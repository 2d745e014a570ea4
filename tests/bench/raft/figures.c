/* Printing figures; CPU time from the scheduler's own account. */
#include "tests/bench/raft/figures.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/units.h"

void figure(const char *prefix, double value, const char *name, ...)
{
	va_list arguments;

	printf("figure %sraft.", prefix);
	va_start(arguments, name);
	vprintf(name, arguments);
	va_end(arguments);
	printf(value != 0 && value < 0.1 ? " %.6f\n" : " %.2f\n", value);
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void figure_gaps(const char *name, int64_t *gaps_ns, unsigned int count)
{
	qsort(gaps_ns, count, sizeof(*gaps_ns), by_value);
	figure("", (double)gaps_ns[count / 2] / NS_PER_MS, "%s.median_ms",
	       name);
	figure("", (double)gaps_ns[count - 1] / NS_PER_MS, "%s.max_ms", name);
}

static uint64_t cpu_ns_of(pid_t pid)
{
	char path[300], line[128];
	uint64_t total_ns = 0;
	struct dirent *task;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	CHECK(tasks != NULL);
	while ((task = readdir(tasks)) != NULL) {
		/* "..", too, has a schedstat: the first thread's. */
		if (task->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat",
			 pid, task->d_name);
		FILE *in = fopen(path, "r");

		if (in == NULL)
			continue;
		if (fgets(line, sizeof(line), in) != NULL)
			total_ns += strtoull(line, NULL, 10);
		fclose(in);
	}
	closedir(tasks);
	return total_ns;
}

uint64_t figure_cpu_ns(const pid_t *pids, unsigned int count)
{
	uint64_t total_ns = 0;

	for (unsigned int i = 0; i < count; i++)
		total_ns += cpu_ns_of(pids[i]);
	return total_ns;
}

double figure_percent(uint64_t cpu_ns, unsigned int seconds)
{
	return 100.0 * (double)cpu_ns / (double)NS_PER_SEC / seconds;
}
