/* An echo over TCP, and a durable write. */
#include "tests/bench/raft/floors.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "tests/bench/raft/driver.h"
#include "tests/bench/raft/figures.h"

#define SYNCS_MAX  501
#define SYNC_BYTES 512

static int listen_at(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	CHECK(listen(fd, 1) == 0);
	return fd;
}

/* A process that sends back whatever comes. */
static pid_t start_echo(uint16_t port)
{
	int listening = listen_at(port), on = 1, fd;
	char buffer[DRIVER_BUFFER_BYTES];
	pid_t pid = fork();
	ssize_t n;

	CHECK(pid >= 0);
	if (pid > 0) {
		close(listening);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = accept(listening, NULL, NULL);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			break;
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Into a file that has its blocks, as the log's segments have. */
static int64_t sync_p50_ns(const char *dir, unsigned int syncs)
{
	static uint8_t block[SYNC_BYTES];
	static int64_t took_ns[SYNCS_MAX];
	char path[300];
	int fd;

	CHECK(syncs <= SYNCS_MAX);
	snprintf(path, sizeof(path), "%s/floor", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	unlink(path);
	for (unsigned int i = 0; i < syncs; i++)
		CHECK(write(fd, block, sizeof(block)) == sizeof(block));
	CHECK(fsync(fd) == 0);
	for (unsigned int i = 0; i < syncs; i++) {
		int64_t began_ns = clock_raw_ns();

		memset(block, (int)i, sizeof(block));
		CHECK(pwrite(fd, block, sizeof(block), i * SYNC_BYTES) ==
		      sizeof(block));
		CHECK(fdatasync(fd) == 0);
		took_ns[i] = clock_raw_ns() - began_ns;
	}
	close(fd);
	qsort(took_ns, syncs, sizeof(took_ns[0]), by_value);
	return took_ns[syncs / 2];
}

void floors_measure(const char *dir, uint16_t port, double seconds,
		    struct floors *floors)
{
	struct driver_result result;
	pid_t pid = start_echo(port);

	usleep(50000);
	/* A put that comes back is taken for the answer to a get. */
	driver_run(&driver_player, port, 1, DRIVER_PUT, seconds, &result);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	floors->echo_ns = result.p50_ns;
	floors->sync_ns = sync_p50_ns(
		dir, seconds < 1.0 ? (unsigned int)(seconds * SYNCS_MAX) + 1
				   : SYNCS_MAX);
}

static void lower(int64_t *floor_ns, int64_t ns)
{
	if (*floor_ns == 0 || ns < *floor_ns)
		*floor_ns = ns;
}

void floors_lower(struct floors *floors, const struct floors *other)
{
	lower(&floors->echo_ns, other->echo_ns);
	lower(&floors->sync_ns, other->sync_ns);
}

void floors_tell(const struct floors *floors)
{
	figure("", (double)floors->echo_ns / NS_PER_US, "floor.echo_us");
	figure("", (double)floors->sync_ns / NS_PER_US, "floor.sync_us");
}
