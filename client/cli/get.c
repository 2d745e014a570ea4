/* get and cat: files and trees out of the cluster. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/listing.h"
#include "client/cli/place.h"
#include "client/cli/transfer.h"

static bool write_all(int fd, const uint8_t *data, size_t bytes)
{
	while (bytes > 0) {
		ssize_t part = write(fd, data, bytes);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return false;
		data += part;
		bytes -= (size_t)part;
	}
	return true;
}

/* Into a fresh file zeros are not written, but left out. */
static bool put_piece(int fd, const uint8_t *data, size_t bytes, bool fresh)
{
	if (fresh && transfer_is_hole(data, bytes))
		return lseek(fd, (off_t)bytes, SEEK_CUR) >= 0;
	return write_all(fd, data, bytes);
}

/* RFS_ERR_IO after a local fault: errno says which; *local is set. */
static enum rfs_err copy_out(struct transfer *transfer, uint64_t ino,
			     uint64_t size, int fd, bool fresh, bool *local)
{
	size_t room = TRANSFER_PIECE_BYTES;
	uint64_t offset = 0;
	size_t got;
	enum rfs_err err;

	if (size < room)
		room = (size_t)size + 1; /* shows the end in one read */
	uint8_t *data = malloc(room);

	if (data == NULL)
		return RFS_ERR_NOMEM;
	do {
		err = raftfs_read(transfer->cli->fs, ino, offset, data, room,
				  &got);
		if (err != RFS_ERR_OK)
			break;
		if (!put_piece(fd, data, got, fresh)) {
			*local = true;
			err = RFS_ERR_IO;
			break;
		}
		offset += got;
		transfer->done_bytes += got;
	} while (got == room);
	/* A hole at the end has not made it longer. */
	if (err == RFS_ERR_OK && fresh && ftruncate(fd, (off_t)offset) != 0) {
		*local = true;
		err = RFS_ERR_IO;
	}
	free(data);
	return err;
}

/* False: it failed, and that was said. */
static bool copy_to_fd(struct transfer *transfer, const char *remote,
		       const char *local, const struct raftfs_attr *attr,
		       int fd, bool fresh)
{
	bool local_fault = false;
	enum rfs_err err = copy_out(transfer, attr->ino, attr->size, fd, fresh,
				    &local_fault);

	if (local_fault)
		transfer_fail_errno(transfer, local);
	else if (err != RFS_ERR_OK)
		transfer_fail(transfer, remote, err);
	else
		transfer->done_files++;
	return err == RFS_ERR_OK;
}

/* --- one name --- */

static void set_times(int fd, const char *path, const struct raftfs_attr *attr,
		      int flags)
{
	struct stat st;

	raftfs_attr_stat(attr, &st);
	const struct timespec times[2] = {st.st_atim, st.st_mtim};

	if (path == NULL)
		(void)!futimens(fd, times);
	else
		(void)!utimensat(AT_FDCWD, path, times, flags);
}

static void get_file(struct transfer *transfer,
		     const struct transfer_task *task)
{
	int fd = open(task->local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0600);
	struct stat st;

	if (fd < 0) {
		transfer_fail_errno(transfer, task->local);
		return;
	}
	bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	/* A part of a file does not get the times of the whole; what is none,
	 * /dev/null say, keeps its own and its mode. */
	if (copy_to_fd(transfer, task->remote, task->local, &task->attr, fd,
		       is_file) &&
	    is_file) {
		if (fchmod(fd, task->attr.mode & 07777) != 0)
			transfer_fail_errno(transfer, task->local);
		set_times(fd, NULL, &task->attr, 0);
	}
	if (close(fd) != 0)
		transfer_fail_errno(transfer, task->local);
}

static void get_link(struct transfer *transfer,
		     const struct transfer_task *task)
{
	char *target;
	enum rfs_err err =
		raftfs_readlink(transfer->cli->fs, task->attr.ino, &target);

	if (err != RFS_ERR_OK) {
		transfer_fail(transfer, task->remote, err);
		return;
	}
	if (symlink(target, task->local) != 0 &&
	    (errno != EEXIST || unlink(task->local) != 0 ||
	     symlink(target, task->local) != 0)) {
		transfer_fail_errno(transfer, task->local);
	} else {
		set_times(-1, task->local, &task->attr, AT_SYMLINK_NOFOLLOW);
		transfer->done_files++;
	}
	free(target);
}

static void get_special(struct transfer *transfer,
			const struct transfer_task *task)
{
	if (mknod(task->local, task->attr.mode, task->attr.rdev) != 0) {
		transfer_fail_errno(transfer, task->local);
		return;
	}
	set_times(-1, task->local, &task->attr, AT_SYMLINK_NOFOLLOW);
	transfer->done_files++;
}

static void get_children(struct transfer *transfer,
			 const struct transfer_task *parent)
{
	struct listing listing;
	enum rfs_err err =
		listing_read(transfer->cli->fs, parent->attr.ino, &listing);

	if (err != RFS_ERR_OK) {
		transfer_fail(transfer, parent->remote, err);
		return;
	}
	for (size_t i = 0; i < listing.count; i++) {
		struct transfer_task *task = transfer_task_new(
			transfer, parent, listing.entries[i].name);

		if (task == NULL)
			break;
		task->attr = listing.entries[i].attr;
		if (!S_ISDIR(task->attr.mode)) {
			transfer->found_files++;
			transfer->found_bytes += task->attr.size;
		}
		transfer_add(transfer, task);
	}
	listing_free(&listing);
}

/* Takes the task. */
static void get_dir(struct transfer *transfer, struct transfer_task *task)
{
	struct stat st;

	if (mkdir(task->local, 0700) != 0 &&
	    (errno != EEXIST || stat(task->local, &st) != 0 ||
	     !S_ISDIR(st.st_mode))) {
		transfer_fail_errno(transfer, task->local);
		transfer_task_free(task);
		return;
	}
	get_children(transfer, task);
	transfer_later(transfer, task, task->attr.ino, task->attr.mode & 07777,
		       task->attr.atime_ns, task->attr.mtime_ns);
}

static void finish_local_dir(struct transfer *transfer,
			     const struct transfer_dir *dir)
{
	if (chmod(dir->task->local, dir->mode) != 0)
		transfer_fail_errno(transfer, dir->task->local);
	set_times(-1, dir->task->local, &dir->task->attr, 0);
}

static void get_one(struct transfer *transfer, struct transfer_task *task)
{
	if (S_ISDIR(task->attr.mode) && transfer->recursive) {
		get_dir(transfer, task);
		return;
	}
	if (S_ISDIR(task->attr.mode))
		transfer_fail(transfer, task->remote, RFS_ERR_ISDIR);
	else if (S_ISREG(task->attr.mode))
		get_file(transfer, task);
	else if (S_ISLNK(task->attr.mode))
		get_link(transfer, task);
	else
		get_special(transfer, task);
	transfer_task_free(task);
}

/* --- the commands --- */

/* As cp(1): into a directory under its own name, else to that name. */
static char *local_target(const char *remote, const char *local)
{
	char name[RAFTFS_NAME_MAX + 1];
	struct stat st;
	char *path = NULL;

	if (stat(local, &st) != 0 || !S_ISDIR(st.st_mode))
		return strdup(local);
	/* The root has no name: its contents go into the directory. */
	if (!place_base_name(remote, name))
		return strdup(local);
	if (asprintf(&path, "%s/%s", local, name) < 0)
		return NULL;
	return path;
}

static void start_one(struct transfer *transfer, const char *remote,
		      const char *local)
{
	struct transfer_task *task = transfer_task_new(transfer, NULL, "");

	if (task == NULL)
		return;
	task->remote = strdup(remote);
	enum rfs_err err =
		raftfs_walk(transfer->cli->fs, remote, true, &task->attr);

	if (err != RFS_ERR_OK) {
		transfer_fail(transfer, remote, err);
		transfer_task_free(task);
		return;
	}
	if (!S_ISDIR(task->attr.mode)) {
		transfer->found_files++;
		transfer->found_bytes += task->attr.size;
	}
	if (strcmp(local, "-") == 0) {
		if (S_ISDIR(task->attr.mode))
			transfer_fail(transfer, remote, RFS_ERR_ISDIR);
		else
			(void)copy_to_fd(transfer, remote, "stdout",
					 &task->attr, STDOUT_FILENO, false);
		transfer_task_free(task);
		return;
	}
	task->local = local_target(remote, local);
	if (task->local == NULL || task->remote == NULL) {
		transfer_fail(transfer, remote, RFS_ERR_NOMEM);
		transfer_task_free(task);
		return;
	}
	transfer_add(transfer, task);
}

static int must_be_local_dir(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return cli_fail_errno(path);
	if (S_ISDIR(st.st_mode))
		return CLI_OK;
	errno = ENOTDIR;
	return cli_fail_errno(path);
}

static int get_all(struct cli *cli, char **remotes, int count,
		   const char *local, bool recursive, const char *verb)
{
	struct transfer transfer;

	if (transfer_init(&transfer, cli, verb, get_one) != RFS_ERR_OK)
		return cli_fail(verb, RFS_ERR_NOMEM);
	transfer.recursive = recursive;
	transfer.finish_dir = finish_local_dir;
	transfer.quiet = strcmp(local, "-") == 0;
	transfer.progress &= !transfer.quiet;
	for (int i = 0; i < count; i++)
		start_one(&transfer, remotes[i], local);
	int status = transfer_run(&transfer);

	transfer_fini(&transfer);
	return status;
}

int command_get(struct cli *cli, int argc, char **argv)
{
	bool recursive = false;
	int status = cli_options(cli, &argc, &argv, "r", cli_flag, &recursive);

	if (status != CLI_OK)
		return status;
	if (argc < 2)
		return cli_usage("get", "get: what, and where to?");
	const char *local = argv[argc - 1];

	if (argc > 2 && strcmp(local, "-") != 0)
		status = must_be_local_dir(local);
	if (status == CLI_OK)
		status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	return get_all(cli, argv, argc - 1, local, recursive, "get");
}

int command_cat(struct cli *cli, int argc, char **argv)
{
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc == 0)
		return cli_usage("cat", "cat: which path?");
	status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	return get_all(cli, argv, argc, "-", false, "cat");
}
