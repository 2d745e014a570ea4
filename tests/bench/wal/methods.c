/* How to make a log durable: the ways of doing one group commit, side by side.
 *
 *	methods DIR SECONDS
 *
 * Each writes groups of 1, 16 and 64 records of 304 bytes (a 256-byte value)
 * into a file that was written full of zeros before, as the log does, and syncs
 * each group. The methods take turns, group by group, so that a disk which
 * changes its mood changes it for all. Linked by wal.sh, with liburing.
 *
 *	plain	      pwrite, fdatasync
 *	dsync	      pwrite to a file opened O_DSYNC
 *	direct	      the same with O_DIRECT: whole blocks, the last one again
 *		      with the next group
 *	uring	      write and fdatasync as linked io_uring requests
 *	uring_direct  O_DIRECT write with RWF_DSYNC by io_uring
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES   (64u * 1024 * 1024)
#define RECORD_BYTES 304u
#define BLOCK_BYTES  4096u
#define GROUP_MAX    64u
#define GROUPS	     3
#define SAMPLES_MAX  2000000u

struct method {
	const char *name;
	int flags;
	bool (*commit)(struct method *method, size_t bytes);
	int fd;
	off_t at;
	struct io_uring ring;
	struct {
		float *us; /* of each group */
		size_t count;
		double cpu_us;
	} seen[GROUPS];
};

static const unsigned int groups[GROUPS] = { 1, 16, 64 };
static uint8_t *buffer; /* one group and a block, aligned to blocks */

static double now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static bool commit_plain(struct method *m, size_t bytes)
{
	if (pwrite(m->fd, buffer, bytes, m->at) != (ssize_t)bytes)
		return false;
	m->at += (off_t)bytes;
	return fdatasync(m->fd) == 0;
}

static bool commit_dsync(struct method *m, size_t bytes)
{
	if (pwrite(m->fd, buffer, bytes, m->at) != (ssize_t)bytes)
		return false;
	m->at += (off_t)bytes;
	return true;
}

/* From the start of the block the group begins in to the end of its last. */
static size_t whole_blocks(struct method *m, size_t bytes, off_t *from)
{
	size_t before = (size_t)m->at % BLOCK_BYTES;

	*from = m->at - (off_t)before;
	m->at += (off_t)bytes;
	return (before + bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static bool commit_direct(struct method *m, size_t bytes)
{
	off_t from;
	size_t blocks = whole_blocks(m, bytes, &from);

	return pwrite(m->fd, buffer, blocks, from) == (ssize_t)blocks;
}

static bool reap(struct method *m, int want)
{
	struct io_uring_cqe *cqe;

	if (io_uring_wait_cqe(&m->ring, &cqe) != 0)
		return false;
	int got = cqe->res;

	io_uring_cqe_seen(&m->ring, cqe);
	return got == want;
}

static bool commit_uring(struct method *m, size_t bytes)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&m->ring);

	io_uring_prep_write(sqe, m->fd, buffer, (unsigned int)bytes,
			    (uint64_t)m->at);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(&m->ring);
	io_uring_prep_fsync(sqe, m->fd, IORING_FSYNC_DATASYNC);
	m->at += (off_t)bytes;
	return io_uring_submit_and_wait(&m->ring, 2) == 2 &&
	       reap(m, (int)bytes) && reap(m, 0);
}

static bool commit_uring_direct(struct method *m, size_t bytes)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&m->ring);
	off_t from;
	size_t blocks = whole_blocks(m, bytes, &from);

	io_uring_prep_write(sqe, m->fd, buffer, (unsigned int)blocks,
			    (uint64_t)from);
	sqe->rw_flags = RWF_DSYNC;
	return io_uring_submit_and_wait(&m->ring, 1) == 1 &&
	       reap(m, (int)blocks);
}

static struct method methods[] = {
	{ .name = "plain", .commit = commit_plain },
	{ .name = "dsync", .flags = O_DSYNC, .commit = commit_dsync },
	{ .name = "direct", .flags = O_DSYNC | O_DIRECT,
	  .commit = commit_direct },
	{ .name = "uring", .commit = commit_uring },
	{ .name = "uring_direct", .flags = O_DIRECT,
	  .commit = commit_uring_direct },
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

static void open_method(struct method *m, const char *dir)
{
	static uint8_t zeros[1024 * 1024];
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, m->name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		fail(path);
	for (unsigned int at = 0; at < FILE_BYTES; at += sizeof(zeros))
		if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros))
			fail("filling");
	if (fsync(fd) != 0)
		fail("fsync");
	close(fd);
	m->fd = open(path, O_RDWR | m->flags);
	if (m->fd < 0)
		fail(path);
	if (io_uring_queue_init(8, &m->ring, 0) < 0)
		fail("io_uring");
	for (size_t g = 0; g < GROUPS; g++) {
		m->seen[g].us = malloc(SAMPLES_MAX * sizeof(float));
		if (m->seen[g].us == NULL)
			fail("memory");
	}
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void commit_one(struct method *m, size_t g)
{
	size_t bytes = groups[g] * RECORD_BYTES;
	double cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
	double began = now_us(CLOCK_MONOTONIC);

	if (m->at + (off_t)bytes + BLOCK_BYTES > FILE_BYTES)
		m->at = 0;
	buffer[0]++;
	if (!m->commit(m, bytes))
		fail(m->name);
	m->seen[g].us[m->seen[g].count++] =
		(float)(now_us(CLOCK_MONOTONIC) - began);
	m->seen[g].cpu_us += now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

static void run(size_t g, double seconds)
{
	double end = now_us(CLOCK_MONOTONIC) + seconds * METHODS * 1e6;

	for (size_t turn = 0; now_us(CLOCK_MONOTONIC) < end &&
			      methods[0].seen[g].count < SAMPLES_MAX - 1;
	     turn++)
		for (size_t i = 0; i < METHODS; i++)
			commit_one(&methods[(i + turn) % METHODS], g);
}

/* Turn by turn, so that what disturbs the machine disturbs both. */
static double median_ratio(const struct method *m, size_t g)
{
	size_t count = m->seen[g].count;
	float *ratios = malloc(count * sizeof(*ratios));
	double median;

	if (ratios == NULL)
		fail("memory");
	for (size_t i = 0; i < count; i++)
		ratios[i] = m->seen[g].us[i] / methods[0].seen[g].us[i];
	qsort(ratios, count, sizeof(*ratios), by_value);
	median = (double)ratios[count / 2];
	free(ratios);
	return median;
}

static void print(struct method *m, size_t g, double ratio)
{
	size_t count = m->seen[g].count;
	double total_us = 0;

	for (size_t i = 0; i < count; i++)
		total_us += m->seen[g].us[i];
	qsort(m->seen[g].us, count, sizeof(float), by_value);
	printf("figure wal.%s.%u.ops_s %.0f\n", m->name, groups[g],
	       (double)count * groups[g] * 1e6 / total_us);
	printf("figure wal.%s.%u.p50_us %.1f\n", m->name, groups[g],
	       (double)m->seen[g].us[count / 2]);
	printf("figure wal.%s.%u.p99_us %.1f\n", m->name, groups[g],
	       (double)m->seen[g].us[count * 99 / 100]);
	printf("figure wal.%s.%u.ratio_plain %.2f\n", m->name, groups[g],
	       ratio);
	printf("figure wal.%s.%u.cpu_us %.1f\n", m->name, groups[g],
	       m->seen[g].cpu_us / (double)count);
}

int main(int argc, char **argv)
{
	double ratios[METHODS][GROUPS];
	double seconds;

	if (argc != 3 || (seconds = atof(argv[2])) <= 0) {
		fprintf(stderr, "usage: methods DIR SECONDS\n");
		return 2;
	}
	if (posix_memalign((void **)&buffer, BLOCK_BYTES,
			   GROUP_MAX * RECORD_BYTES + 2 * BLOCK_BYTES) != 0)
		return 1;
	memset(buffer, 'x', GROUP_MAX * RECORD_BYTES + 2 * BLOCK_BYTES);
	for (size_t i = 0; i < METHODS; i++)
		open_method(&methods[i], argv[1]);
	for (size_t g = 0; g < GROUPS; g++)
		run(g, seconds);
	for (size_t g = 0; g < GROUPS; g++)
		for (size_t i = 0; i < METHODS; i++)
			ratios[i][g] = median_ratio(&methods[i], g);
	for (size_t i = 0; i < METHODS; i++)
		for (size_t g = 0; g < GROUPS; g++)
			print(&methods[i], g, ratios[i][g]);
	return 0;
}
