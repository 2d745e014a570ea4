/* What a mount promises about the content of files.
 *
 *	content HERE THERE
 *
 * HERE is a folder of a mount, THERE the same one through another node. Prints
 * one line a promise; exit 0 if all held.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "tests/system/promise.h"

static int at(const char *folder, const char *name, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, flags | O_CLOEXEC, 0644);
}

static bool reads(int fd, off_t offset, const char *text)
{
	char got[64] = "";
	ssize_t bytes = (ssize_t)strlen(text);

	return pread(fd, got, (size_t)bytes, offset) == bytes &&
	       memcmp(got, text, (size_t)bytes) == 0;
}

static bool goes_on(int fd)
{
	struct stat st;

	return reads(fd, 0, "hello") && pwrite(fd, "x", 1, 100000) == 1 &&
	       reads(fd, 100000, "x") && fstat(fd, &st) == 0 &&
	       st.st_nlink == 0 && st.st_size == 100001 &&
	       fchmod(fd, 0600) == 0 && ftruncate(fd, 2) == 0 &&
	       reads(fd, 0, "he") && close(fd) == 0;
}

static bool open_without_name(const char *there)
{
	int gone = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int over = open("b", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int other = open("c", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	(void)there;
	return write(gone, "hello", 5) == 5 && write(over, "hello", 5) == 5 &&
	       unlink("a") == 0 && rename("c", "b") == 0 && goes_on(gone) &&
	       goes_on(over) && close(other) == 0;
}

static void *take_away(void *name)
{
	return unlink(name) == 0 ? NULL : name;
}

static bool both_links_at_once(const char *there)
{
	(void)there;
	for (int i = 0; i < 20; i++) {
		int fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		pthread_t other;
		void *failed;

		if (write(fd, "hello", 5) != 5 || link("a", "b") != 0)
			return false;
		pthread_create(&other, NULL, take_away, "b");
		if (unlink("a") != 0)
			return false;
		pthread_join(other, &failed);
		if (failed || !goes_on(fd))
			return false;
	}
	return true;
}

/* One opens while another removes: either there was nothing to open, or it
 * stays for as long as it is open. */
static bool opened_while_removed(const char *there)
{
	int met = 0;

	(void)there;
	for (int i = 0; i < 60; i++) {
		int fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		pthread_t other;
		void *failed;

		if (write(fd, "hello", 5) != 5 || close(fd) != 0)
			return false;
		pthread_create(&other, NULL, take_away, "a");
		usleep((useconds_t)(i * 20));
		fd = open("a", O_RDWR | O_CLOEXEC);
		pthread_join(other, &failed);
		if (failed || (fd < 0 && errno != ENOENT) ||
		    (fd >= 0 && !goes_on(fd)))
			return false;
		met += fd >= 0;
	}
	printf("opened %d of 60 in time\n", met);
	return true;
}

static bool sparse(const char *there)
{
	const off_t far = (off_t)5 << 30;
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	static const char zeros[8];
	struct stat st;

	(void)there;
	if (pwrite(fd, "end", 3, far) != 3 || fstat(fd, &st) != 0 ||
	    st.st_size != far + 3 || st.st_blocks > 100)
		return false;
	if (!reads(fd, far, "end") ||
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, far, 2))
		return false;
	return reads(fd, far + 2, "d") && ftruncate(fd, 10) == 0 &&
	       pwrite(fd, "0123456789", 10, 0) == 10 && ftruncate(fd, 3) == 0 &&
	       ftruncate(fd, 10) == 0 && reads(fd, 0, "012") &&
	       pread(fd, &st, 7, 3) == 7 && memcmp(&st, zeros, 7) == 0 &&
	       close(fd) == 0;
}

/* Records of 40 bytes, from four processes through two nodes. */
static bool appends(const char *there)
{
	char record[41];
	int seen[4] = {0};
	int fd;

	for (int i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		fd = at(i % 2 ? there : ".", "log",
			O_WRONLY | O_CREAT | O_APPEND);
		memset(record, 'a' + i, 39);
		record[39] = '\n';
		for (int n = 0; n < 25; n++)
			if (write(fd, record, 40) != 40 || fsync(fd) != 0)
				_exit(1);
		_exit(0);
	}
	if (!promises_all_well(4))
		return false;
	fd = open("log", O_RDONLY | O_CLOEXEC);
	while (read(fd, record, 40) == 40) {
		int who = record[0] - 'a';

		for (int i = 1; i < 39; i++)
			if (record[i] != record[0])
				return false;
		if (who < 0 || who > 3 || record[39] != '\n')
			return false;
		seen[who]++;
	}
	close(fd);
	return seen[0] == 25 && seen[1] == 25 && seen[2] == 25 && seen[3] == 25;
}

static bool mapped(const char *there)
{
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int far = -1;
	char *map;

	if (ftruncate(fd, 8192) != 0)
		return false;
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return false;
	memcpy(map + 4090, "mapped", 6);
	if (msync(map, 8192, MS_SYNC) != 0 || !reads(fd, 4090, "mapped"))
		return false;
	far = at(there, "f", O_RDONLY);
	return reads(far, 4090, "mapped") && pwrite(fd, "PW", 2, 0) == 2 &&
	       map[0] == 'P' && munmap(map, 8192) == 0 && close(far) == 0 &&
	       close(fd) == 0;
}

static bool seen_elsewhere(const char *there)
{
	int far;

	for (int i = 0; i < 20; i++) {
		char text[16];
		int fd = open("f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		snprintf(text, sizeof(text), "round %03d", i);
		if (write(fd, text, 9) != 9 ||
		    (i % 2 ? fsync(fd) : close(fd)) != 0)
			return false;
		far = at(there, "f", O_RDONLY);
		if (!reads(far, 0, text) || close(far) != 0)
			return false;
		if (i % 2)
			close(fd);
	}
	return true;
}

static bool unbuffered(const char *there)
{
	int fd = open("f", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
	char *block = aligned_alloc(4096, 8192);
	bool well;

	(void)there;
	memset(block, 'd', 8192);
	well = write(fd, block, 8192) == 8192;
	memset(block, 0, 8192);
	well = well && pread(fd, block, 8192, 0) == 8192 && block[8191] == 'd';
	free(block);
	return close(fd) == 0 && well;
}

static bool locks(const char *there)
{
	struct flock whole = {.l_type = F_WRLCK};
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	(void)there;
	if (flock(fd, LOCK_EX) != 0 || fcntl(fd, F_SETLK, &whole) != 0)
		return false;
	if (fork() == 0) {
		int mine = open("f", O_RDWR | O_CLOEXEC);
		bool refused = flock(mine, LOCK_EX | LOCK_NB) != 0 &&
			       errno == EWOULDBLOCK &&
			       fcntl(mine, F_SETLK, &whole) != 0;

		_exit(!refused);
	}
	return promises_all_well(1) && close(fd) == 0;
}

static bool copies_inside(const char *there)
{
	int from = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int to = open("b", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	loff_t start = 0;

	(void)there;
	return write(from, "hello", 5) == 5 &&
	       copy_file_range(from, &start, to, NULL, 5, 0) == 5 &&
	       reads(to, 0, "hello") && close(from) == 0 && close(to) == 0;
}

static const struct promise promises[] = {
	{"a file without a name is there until it is closed",
	 open_without_name},
	{"also when its last two names go at once", both_links_at_once},
	{"also when it is opened while its name goes", opened_while_removed},
	{"holes cost nothing and read as zeros", sparse},
	{"appends from two nodes stay whole", appends},
	{"what is written through a mapping is written", mapped},
	{"a write is seen on another node after close or fsync",
	 seen_elsewhere},
	{"O_DIRECT reads and writes", unbuffered},
	{"locks hold among the programs of a mount", locks},
	{"copy_file_range copies", copies_inside},
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	return promises_keep(promises, sizeof(promises) / sizeof(promises[0]),
			     argv[1], argv[2]);
}
