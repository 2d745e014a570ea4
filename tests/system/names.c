/* What a mount promises about names, times and rights.
 *
 *	names HERE THERE
 *
 * HERE is a folder of a mount, THERE the same one through another node. Prints
 * one line a promise; exit 0 if all held. Needs root, to be somebody else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "tests/system/promise.h"

#define NOBODY 65534

static bool fails(int result, int expected)
{
	return result < 0 && errno == expected;
}

static bool make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	size_t bytes = strlen(text);
	bool well = fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes;

	return close(fd) == 0 && well;
}

static struct stat look(const char *name)
{
	struct stat st = {0};

	(void)!lstat(name, &st);
	return st;
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* --- times --- */

static bool touch_sets_times(const char *there)
{
	const struct timespec old[2] = {{1000, 1}, {-5, 999999999}};
	const struct timespec only_m[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
	const struct timespec only_a[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
	struct stat st;

	(void)there;
	if (!make("f", "") || utimensat(AT_FDCWD, "f", old, 0) != 0)
		return false;
	st = look("f");
	if (st.st_mtim.tv_sec != -5 || st.st_mtim.tv_nsec != 999999999)
		return false;
	if (utimensat(AT_FDCWD, "f", only_m, 0) != 0)
		return false;
	st = look("f");
	if (st.st_atim.tv_sec != 1000 || st.st_mtim.tv_sec < 1000000)
		return false;
	if (utimensat(AT_FDCWD, "f", old, 0) != 0 ||
	    utimensat(AT_FDCWD, "f", only_a, 0) != 0)
		return false;
	st = look("f");
	if (st.st_atim.tv_sec < 1000000 || st.st_mtim.tv_sec != -5)
		return false;
	return utimensat(AT_FDCWD, "f", NULL, 0) == 0 &&
	       look("f").st_mtim.tv_sec > 1000000;
}

static bool emptying_moves_times(const char *there)
{
	struct stat before;

	(void)there;
	if (!make("stamp", ""))
		return false;
	before = look("stamp");
	return make("stamp", "") &&
	       later(look("stamp").st_mtim, before.st_mtim);
}

static bool ctime_follows(const char *there)
{
	struct timespec last;

	(void)there;
	if (!make("a", "x"))
		return false;
	last = look("a").st_ctim;
	if (link("a", "b") != 0 || !later(look("a").st_ctim, last))
		return false;
	last = look("a").st_ctim;
	if (rename("b", "c") != 0 || !later(look("a").st_ctim, last))
		return false;
	last = look("a").st_ctim;
	return unlink("c") == 0 && later(look("a").st_ctim, last) &&
	       look("a").st_nlink == 1;
}

/* --- names --- */

static bool any_bytes(const char *there)
{
	char name[258];

	(void)there;
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	if (!fails(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600),
		   ENAMETOOLONG) ||
	    !fails(mkdir(name, 0700), ENAMETOOLONG))
		return false;
	name[255] = '\0';
	for (int i = 0; i < 255; i++)
		name[i] = (char)(i + 1 == '/' ? 'x' : i + 1);
	return make(name, "x") && look(name).st_size == 1 &&
	       unlink(name) == 0 && fails(access(name, F_OK), ENOENT);
}

static bool rename_rules(const char *there)
{
	(void)there;
	if (!make("a", "a") || !make("b", "b") || mkdir("d", 0755) != 0 ||
	    mkdir("d/e", 0755) != 0 || mkdir("f", 0755) != 0)
		return false;
	return fails(rename("d", "d/e/x"), EINVAL) &&
	       fails(rename("d", "a"), ENOTDIR) &&
	       fails(rename("a", "d"), EISDIR) &&
	       fails(rename("f", "d"), ENOTEMPTY) && rename("f", "d/e") == 0 &&
	       look("d").st_nlink == 3 &&
	       fails(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE),
		     EEXIST) &&
	       renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE) == 0 &&
	       S_ISDIR(look("a").st_mode) && S_ISREG(look("d").st_mode) &&
	       fails(rmdir("a"), ENOTEMPTY) && fails(unlink("a"), EISDIR) &&
	       fails(rmdir("d"), ENOTDIR);
}

static bool listing_while_emptied(const char *there)
{
	struct dirent *entry;
	char name[32];
	int removed = 0;
	DIR *dir;

	(void)there;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (mkdir(name, 0700) != 0)
			return false;
	}
	dir = opendir(".");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			removed += rmdir(entry->d_name) == 0;
	return dir && closedir(dir) == 0 && removed == 300;
}

static bool one_maker(const char *there)
{
	int made = 0;

	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		if (i % 2 && chdir(there) != 0)
			_exit(2);
		_exit(open("f", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) <
		      0);
	}
	for (int i = 0; i < 8; i++) {
		int status;

		made += wait(&status) > 0 && status == 0;
	}
	return made == 1;
}

/* Four processes carry files to and fro, two through each node. */
static bool storm(const char *there)
{
	for (int i = 0; i < 4; i++) {
		char a[16];
		char b[16];

		snprintf(a, sizeof(a), "a%d", i);
		snprintf(b, sizeof(b), "shared");
		if (!make(a, a) || fork() != 0)
			continue;
		if (i % 2 && chdir(there) != 0)
			_exit(2);
		for (int n = 0; n < 40; n++) {
			if (renameat2(AT_FDCWD, a, AT_FDCWD, b,
				      RENAME_NOREPLACE) == 0)
				(void)!rename(b, a);
			else if (errno != EEXIST)
				_exit(1);
		}
		_exit(0);
	}
	if (!promises_all_well(4))
		return false;
	for (int i = 0; i < 4; i++) {
		char a[16];

		snprintf(a, sizeof(a), "a%d", i);
		if (look(a).st_size != 2)
			return false;
	}
	return fails(access("shared", F_OK), ENOENT);
}

static bool fifos_and_sockets(const char *there)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "s"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte = 0;
	int fifo;

	(void)there;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(fd, 1) != 0 ||
	    connect(to, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    mkfifo("p", 0600) != 0)
		return false;
	close(to);
	close(fd);
	fifo = open("p", O_RDWR | O_CLOEXEC);
	return write(fifo, "x", 1) == 1 && read(fifo, &byte, 1) == 1 &&
	       close(fifo) == 0 && byte == 'x';
}

static bool xattr_rules(const char *there)
{
	char value[16];

	(void)there;
	if (!make("f", "") || setxattr("f", "user.a", "1", 1, XATTR_CREATE))
		return false;
	return fails(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST) &&
	       fails(setxattr("f", "user.b", "2", 1, XATTR_REPLACE), ENODATA) &&
	       setxattr("f", "user.a", "22", 2, XATTR_REPLACE) == 0 &&
	       getxattr("f", "user.a", NULL, 0) == 2 &&
	       fails((int)getxattr("f", "user.a", value, 1), ERANGE) &&
	       listxattr("f", value, sizeof(value)) == 7 &&
	       fails(setxattr("f", "nospace", "1", 1, 0), EOPNOTSUPP) &&
	       fails(setxattr("f", "system.x", "1", 1, 0), EOPNOTSUPP) &&
	       removexattr("f", "user.a") == 0 &&
	       fails(removexattr("f", "user.a"), ENODATA);
}

/* --- rights --- */

static bool setuid_goes(const char *there)
{
	int fd;

	(void)there;
	if (!make("f", "x") || chmod("f", 06777) != 0)
		return false;
	if (fork() == 0) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(2);
		fd = open("f", O_WRONLY | O_CLOEXEC);
		_exit(write(fd, "y", 1) != 1);
	}
	if (!promises_all_well(1) || look("f").st_mode & 06000)
		return false;
	return chmod("f", 06777) == 0 && chown("f", 1, 1) == 0 &&
	       !(look("f").st_mode & 06000);
}

static bool setgid_folders(const char *there)
{
	(void)there;
	if (chown(".", 0, 42) != 0 || chmod(".", 02775) != 0)
		return false;
	return make("f", "") && look("f").st_gid == 42 &&
	       mkdir("d", 0755) == 0 && look("d").st_gid == 42 &&
	       look("d").st_mode & S_ISGID && symlink("f", "l") == 0 &&
	       look("l").st_gid == 42;
}

/* As somebody else, through the other node: open what may not be there yet. */
static int open_as_nobody(const char *there, int rounds, int tell)
{
	char name[16];
	char go;

	if (chdir(there) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 2;
	for (int i = 0; i < rounds; i++) {
		int fd;
		char got;

		if (read(tell, &go, 1) != 1)
			return 2;
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
		got = (char)(fd >= 0 ? 'y' : 'n');
		close(fd);
		if (write(tell, &got, 1) != 1)
			return 2;
	}
	return 0;
}

/* A file that comes into being in the middle of an open is not opened
 * unasked. */
static bool nobody_slips_in(const char *there)
{
	int pair[2];
	int slipped = 0;

	if (chmod(".", 0777) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return false;
	if (fork() == 0)
		_exit(open_as_nobody(there, 60, pair[1]));
	close(pair[1]);
	for (int i = 0; i < 60; i++) {
		char name[16];
		char got;

		snprintf(name, sizeof(name), "f%d", i);
		if (write(pair[0], "g", 1) != 1)
			return false;
		close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		if (read(pair[0], &got, 1) != 1)
			return false;
		slipped += got == 'y' && look(name).st_uid == 0;
	}
	close(pair[0]);
	return promises_all_well(1) && slipped == 0;
}

static const struct promise promises[] = {
	{"touch sets each time to now, or leaves it", touch_sets_times},
	{"emptying an empty file moves its times", emptying_moves_times},
	{"ctime rises with each change of names", ctime_follows},
	{"a name is any 255 bytes, and no more", any_bytes},
	{"rename refuses what POSIX says it must", rename_rules},
	{"a listing goes on while its folder is emptied",
	 listing_while_emptied},
	{"of eight who create exclusively, one succeeds", one_maker},
	{"renames from two nodes lose and double nothing", storm},
	{"fifos and sockets work", fifos_and_sockets},
	{"extended attributes keep their rules", xattr_rules},
	{"a write or chown takes setuid and setgid away", setuid_goes},
	{"what is made in a setgid folder has its group", setgid_folders},
	{"nobody opens a file made in that moment unasked", nobody_slips_in},
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	return promises_keep(promises, sizeof(promises) / sizeof(promises[0]),
			     argv[1], argv[2]);
}
