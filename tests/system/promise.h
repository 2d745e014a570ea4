/* Promises of a mounted tree: named sentences, each tried in a folder of its
 * own. What a program of promises shares. */
#ifndef RAFTFS_TESTS_SYSTEM_PROMISE_H
#define RAFTFS_TESTS_SYSTEM_PROMISE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct promise {
	const char *sentence;
	/* The working directory is an empty folder; there is the same one,
	 * seen through another node. */
	bool (*holds)(const char *there);
};

/* Run them all below here, which there shows as well; 0: all held. Each says
 * "ok: " or "not ok: " and its sentence. */
static inline int promises_keep(const struct promise *promises, size_t count,
				const char *here, const char *there)
{
	int broken = 0;

	for (size_t i = 0; i < count; i++) {
		char folder[4096];
		char same[4096];
		bool held;

		snprintf(folder, sizeof(folder), "%s/%s", here,
			 promises[i].sentence);
		snprintf(same, sizeof(same), "%s/%s", there,
			 promises[i].sentence);
		held = mkdir(folder, 0755) == 0 && chdir(folder) == 0 &&
		       promises[i].holds(same);
		printf("%s: %s\n", held ? "ok" : "not ok",
		       promises[i].sentence);
		fflush(stdout);
		broken += !held;
	}
	return broken > 0;
}

/* Wait for count children; true: all ended with 0. */
static inline bool promises_all_well(int count)
{
	bool well = true;
	int status;

	while (count-- > 0)
		well = wait(&status) > 0 && status == 0 && well;
	return well;
}

#endif
