/* Load on a directory through the kernel's file calls, for `make bench-fs`.
 *
 *	fsload NAME DIR create WORKERS SECONDS	4 KiB files, written and closed
 *	fsload NAME DIR seqwrite MIB		one file, 1 MiB writes, fsync
 *	fsload NAME DIR seqread MIB		that file again
 *	fsload NAME DIR stat SECONDS		of the files create left
 *	fsload NAME DIR sync SECONDS		4 KiB at random places, fsync each
 *
 * Prints one line: figure NAME VALUE UNIT.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/prng.h"

#define BLOCK_BYTES   4096u
#define MIB_BYTES     (1u << 20)
#define WORKERS_MAX   64
#define SYNC_FILE_MIB 16

static const char *dir;
static int64_t until_ns;

struct worker {
	pthread_t thread;
	int number;
	long done;
};

static void die(const char *doing, const char *path)
{
	fprintf(stderr, "fsload: %s %s: %s\n", doing, path, strerror(errno));
	exit(1);
}

static void *create_files(void *arg)
{
	struct worker *worker = arg;
	char path[512], data[BLOCK_BYTES];

	memset(data, 'a' + worker->number % 26, sizeof(data));
	while (clock_raw_ns() < until_ns) {
		snprintf(path, sizeof(path), "%s/w%d-%ld", dir, worker->number,
			 worker->done);
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

		if (fd < 0)
			die("create", path);
		if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
			die("write", path);
		if (close(fd) != 0)
			die("close", path);
		worker->done++;
	}
	return NULL;
}

static double create_rate(int workers, double seconds)
{
	static struct worker pool[WORKERS_MAX];
	int64_t start = clock_raw_ns();
	long total = 0;

	until_ns = start + (int64_t)(seconds * 1e9);
	for (int i = 0; i < workers; i++) {
		pool[i].number = i;
		if (pthread_create(&pool[i].thread, NULL, create_files,
				   &pool[i]) != 0)
			die("start a worker in", dir);
	}
	for (int i = 0; i < workers; i++) {
		pthread_join(pool[i].thread, NULL);
		total += pool[i].done;
	}
	return (double)total * 1e9 / (double)(clock_raw_ns() - start);
}

static double sequential(bool writing, long mib)
{
	char path[512];
	char *data = malloc(MIB_BYTES);
	int64_t start = clock_raw_ns();
	struct prng prng;

	snprintf(path, sizeof(path), "%s/sequential", dir);
	int fd = open(path, writing ? O_CREAT | O_TRUNC | O_WRONLY : O_RDONLY,
		      0644);

	if (fd < 0 || !data)
		die("open", path);
	prng_seed(&prng, 1);
	for (long i = 0; i < mib; i++) {
		for (size_t at = 0; writing && at < MIB_BYTES; at += 4096)
			*(uint64_t *)(void *)(data + at) = prng_next(&prng);
		if ((writing ? write(fd, data, MIB_BYTES) :
			       read(fd, data, MIB_BYTES)) != MIB_BYTES)
			die(writing ? "write" : "read", path);
	}
	if (writing && fsync(fd) != 0)
		die("fsync", path);
	if (close(fd) != 0)
		die("close", path);
	free(data);
	return (double)mib * 1e9 / (double)(clock_raw_ns() - start);
}

static double stat_rate(double seconds)
{
	int64_t start = clock_raw_ns(), end = start + (int64_t)(seconds * 1e9);
	long done = 0, last = 0;
	char path[512];
	struct stat st;

	while (clock_raw_ns() < end) {
		snprintf(path, sizeof(path), "%s/w0-%ld", dir, last);
		if (stat(path, &st) == 0) {
			last++;
			done++;
		} else if (last == 0) {
			die("stat", path);
		} else {
			last = 0;
		}
	}
	return (double)done * 1e9 / (double)(clock_raw_ns() - start);
}

static double sync_rate(double seconds)
{
	char path[512], data[BLOCK_BYTES] = "x";
	struct prng prng;
	long done = 0;

	snprintf(path, sizeof(path), "%s/random", dir);
	int fd = open(path, O_CREAT | O_RDWR, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)SYNC_FILE_MIB << 20) != 0)
		die("make", path);
	prng_seed(&prng, 7);
	int64_t start = clock_raw_ns(), end = start + (int64_t)(seconds * 1e9);

	while (clock_raw_ns() < end) {
		off_t at = (off_t)prng_below(&prng, SYNC_FILE_MIB * 256) *
			   BLOCK_BYTES;

		if (pwrite(fd, data, sizeof(data), at) !=
			    (ssize_t)sizeof(data) ||
		    fsync(fd) != 0)
			die("write", path);
		done++;
	}
	close(fd);
	return (double)done * 1e9 / (double)(clock_raw_ns() - start);
}

static int report(const char *name, double value, const char *unit)
{
	printf("figure %s %.*f %s\n", name, value < 100 ? 1 : 0, value, unit);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 4 ? argv[3] : "";

	if (argc > 4)
		dir = argv[2];
	if (argc == 6 && strcmp(what, "create") == 0 && atoi(argv[4]) > 0 &&
	    atoi(argv[4]) <= WORKERS_MAX)
		return report(argv[1],
			      create_rate(atoi(argv[4]), atof(argv[5])),
			      "files/s");
	if (argc == 5 && strcmp(what, "seqwrite") == 0)
		return report(argv[1], sequential(true, atol(argv[4])),
			      "MiB/s");
	if (argc == 5 && strcmp(what, "seqread") == 0)
		return report(argv[1], sequential(false, atol(argv[4])),
			      "MiB/s");
	if (argc == 5 && strcmp(what, "stat") == 0)
		return report(argv[1], stat_rate(atof(argv[4])), "stats/s");
	if (argc == 5 && strcmp(what, "sync") == 0)
		return report(argv[1], sync_rate(atof(argv[4])), "writes/s");
	fprintf(stderr, "usage: fsload NAME DIR create WORKERS SECONDS | "
			"seqwrite MIB | seqread MIB | stat SECONDS | "
			"sync SECONDS\n");
	return 2;
}
