/* Read cluster time: what rfsclock(3) gives any program of this node.
 *
 *	cc clock.c $(pkg-config --cflags --libs raftfs-clock) -o clock
 *	./clock /run/raftfs/clock.page
 */
#include <inttypes.h>
#include <rfsclock.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/run/raftfs/clock.page";
	static const char *const names[] = { "unsynced", "holdover", "synced",
					     "disrupted" };
	struct rfsclock_status status;
	struct rfsclock *clock;
	int err = rfsclock_open(path, &clock);

	if (err == 0)
		err = rfsclock_status(clock, &status);
	if (err != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(err));
		return 1;
	}
	printf("quality %s\n", names[status.now.quality & 3]);
	printf("epoch %" PRIu64 "\n", status.now.epoch);
	if (status.now.quality == RFSCLOCK_SYNCED ||
	    status.now.quality == RFSCLOCK_HOLDOVER) {
		printf("earliest %" PRId64 "\n", status.now.earliest_ns);
		printf("latest %" PRId64 "\n", status.now.latest_ns);
		/* What was certainly past stays past. */
		printf("one second ago is past: %s\n",
		       rfsclock_after(clock,
				      status.now.earliest_ns - 1000000000) ?
			       "yes" :
			       "no");
	}
	rfsclock_close(clock);
	return 0;
}
