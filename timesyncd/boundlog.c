/* Lines of the bound log. */
#include "timesyncd/boundlog.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/os/log.h"
#include "common/units.h"
#include "timesyncd/stamps.h"

/* The host's clock at frequency 0 is raw to within so much (rounding of the
 * kernel's tick). */
#define WALL_RATE_SLACK_PPB 10000

enum rfs_err boundlog_open(struct boundlog *log, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd < 0) {
		log_errno("bound log %s", path);
		return RFS_ERR_IO;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		log_errno("bound log %s: fcntl", path);
	log->fd = fd;
	log->open = true;
	return RFS_ERR_OK;
}

void boundlog_close(struct boundlog *log)
{
	if (log->open)
		close(log->fd);
	*log = (struct boundlog){ 0 };
}

static int64_t magnitude(int64_t v)
{
	return v < 0 ? -v : v;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void boundlog_line(const struct boundlog *log,
		   const struct timesync_clock *clock, int64_t raw_ns,
		   int64_t wall_ns, int64_t half_ns, char *text, size_t size)
{
	struct interval now = timesync_clock_at(clock, raw_ns);
	int64_t middle_ns, bound_ns, growth_ppb;

	if (interval_is_empty(now)) {
		snprintf(text, size, "%.9f inf 0\n", (double)wall_ns / 1e9);
		return;
	}
	middle_ns = now.low_ns + (now.high_ns - now.low_ns) / 2;
	bound_ns = (now.high_ns - now.low_ns + 1) / 2;
	growth_ppb = clock->growth_ppb;
	if (log->of_wall) {
		/* The truth stays where it is; the clock that is judged is
		 * another, at another rate. */
		bound_ns = larger(magnitude(wall_ns - now.low_ns),
				  magnitude(now.high_ns - wall_ns)) +
			   half_ns;
		growth_ppb += WALL_RATE_SLACK_PPB + log->wall_rate_ppb -
			      magnitude(clock->drift_ppb);
		middle_ns = wall_ns;
	}
	/* In digits, not by a double: that has none left below 0.2 us. */
	snprintf(text, size, "%" PRId64 ".%09" PRId64 " %.9f %.9f\n",
		 middle_ns / NS_PER_SEC, middle_ns % NS_PER_SEC,
		 (double)(bound_ns + 1) / 1e9, (double)growth_ppb / 1e9);
}

void boundlog_add(struct boundlog *log, const struct timesync_clock *clock)
{
	char text[128];
	struct stamps now;
	int64_t half_ns;

	if (!log->open)
		return;
	stamps_read(&now);
	half_ns = (now.raw_after_ns - now.raw_ns + 1) / 2;
	boundlog_line(log, clock, now.raw_ns + half_ns, now.wall_ns, half_ns,
		      text, sizeof(text));
	if (write(log->fd, text, strlen(text)) < 0) {
		log_errno("bound log: no more of it");
		boundlog_close(log);
	}
}
