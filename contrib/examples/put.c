/* Write a file into a raftfs cluster and read it back, with libraftfs.
 *
 *	cc put.c $(pkg-config --cflags --libs raftfs) -o put
 *	./put WHERE /hello 'some text'
 *
 * WHERE is a node's files.sock, a configuration, or a directory made by
 * "raftfs cluster up".
 */
#include <raftfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum rfs_err put(struct raftfs *fs, const char *path, const char *text)
{
	const struct raftfs_new as = { .mode = 0644 };
	char name[RAFTFS_NAME_MAX + 1];
	struct raftfs_attr parent, attr;
	enum rfs_err err = raftfs_walk_parent(fs, path, &parent, name);

	if (err != RFS_ERR_OK)
		return err;
	return raftfs_put(fs, parent.ino, name, text, strlen(text), &as, &attr);
}

static enum rfs_err show(struct raftfs *fs, const char *path)
{
	struct raftfs_attr attr;
	char data[4096];
	size_t got;
	enum rfs_err err = raftfs_walk(fs, path, true, &attr);

	if (err == RFS_ERR_OK)
		err = raftfs_read(fs, attr.ino, 0, data, sizeof(data), &got);
	if (err == RFS_ERR_OK)
		printf("%.*s\n", (int)got, data);
	return err;
}

int main(int argc, char **argv)
{
	struct raftfs *fs = NULL;
	enum rfs_err err;

	if (argc != 4) {
		fprintf(stderr, "usage: put WHERE PATH TEXT\n");
		return 2;
	}
	err = raftfs_open(argv[1], &fs);
	if (err == RFS_ERR_OK)
		err = put(fs, argv[2], argv[3]);
	if (err == RFS_ERR_OK)
		err = show(fs, argv[2]);
	if (err != RFS_ERR_OK)
		fprintf(stderr, "put: %s: %s %s\n", argv[2], rfs_err_text(err),
			raftfs_reason());
	raftfs_close(fs);
	return err == RFS_ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
