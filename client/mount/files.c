/* The table of open inodes. */
#include "client/mount/files.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"

#define LATELY_NS (10 * NS_PER_SEC)

void files_init(struct files *files)
{
	*files = (struct files){.count = 0};
	pthread_mutex_init(&files->lock, NULL);
}

static struct file **slot_of(struct files *files, uint64_t ino)
{
	struct file **slot = &files->bucket[ino % FILES_BUCKETS];

	while (*slot != NULL && (*slot)->ino != ino)
		slot = &(*slot)->next;
	return slot;
}

static struct file *add(struct file **slot, uint64_t ino)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return NULL;
	file->ino = ino;
	pthread_mutex_init(&file->lock, NULL);
	behind_init(&file->behind);
	*slot = file;
	return file;
}

struct file *files_open(struct files *files, uint64_t ino)
{
	pthread_mutex_lock(&files->lock);
	struct file **slot = slot_of(files, ino);
	struct file *file = *slot;

	if (file == NULL) {
		file = add(slot, ino);
		files->count += file != NULL;
	}
	if (file != NULL)
		file->opens++;
	pthread_mutex_unlock(&files->lock);
	return file;
}

static void destroy(struct raftfs *fs, struct file *file)
{
	(void)behind_drain(&file->behind, fs, file->ino, true);
	/* If this fails the end of the session frees it. */
	if (file->pinned)
		(void)!raftfs_unpin(fs, file->ino);
	behind_fini(&file->behind);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

/* Under files->lock: out of the table when nobody has it any more. */
static bool take_out_if_unused(struct files *files, struct file *file)
{
	if (file->opens > 0 || file->users > 0)
		return false;
	struct file **slot = slot_of(files, file->ino);

	CHECK(*slot == file);
	*slot = file->next;
	files->count--;
	return true;
}

/* The write of what waits comes before the file leaves the table: a look from
 * another thread must find it or its result. */
void files_close(struct files *files, struct raftfs *fs, struct file *file)
{
	pthread_mutex_lock(&file->lock);
	(void)behind_drain(&file->behind, fs, file->ino, false);
	pthread_mutex_unlock(&file->lock);

	pthread_mutex_lock(&files->lock);
	CHECK(file->opens > 0);
	file->opens--;
	bool unused = take_out_if_unused(files, file);

	pthread_mutex_unlock(&files->lock);
	if (unused)
		destroy(fs, file);
}

static struct file *use(struct files *files, uint64_t ino)
{
	if (files->count == 0)
		return NULL;
	pthread_mutex_lock(&files->lock);
	struct file *file = *slot_of(files, ino);

	if (file != NULL)
		file->users++;
	pthread_mutex_unlock(&files->lock);
	return file;
}

static void unuse(struct files *files, struct raftfs *fs, struct file *file)
{
	pthread_mutex_lock(&files->lock);
	file->users--;
	bool unused = take_out_if_unused(files, file);

	pthread_mutex_unlock(&files->lock);
	if (unused)
		destroy(fs, file);
}

enum rfs_err files_drain(struct files *files, struct raftfs *fs, uint64_t ino,
			 bool *wrote)
{
	struct file *file = use(files, ino);
	enum rfs_err err = RFS_ERR_OK;

	*wrote = false;
	if (file == NULL)
		return RFS_ERR_OK;
	pthread_mutex_lock(&file->lock);
	*wrote = !behind_is_empty(&file->behind);
	if (*wrote)
		err = behind_drain(&file->behind, fs, ino, false);
	pthread_mutex_unlock(&file->lock);
	unuse(files, fs, file);
	return err;
}

enum rfs_err files_pin(struct files *files, struct raftfs *fs, uint64_t ino)
{
	struct file *file = use(files, ino);
	enum rfs_err err = RFS_ERR_OK;

	if (file == NULL)
		return RFS_ERR_OK;
	pthread_mutex_lock(&file->lock);
	if (!file->pinned) {
		err = raftfs_pin(fs, ino);
		file->pinned = err == RFS_ERR_OK;
	}
	pthread_mutex_unlock(&file->lock);
	unuse(files, fs, file);
	return err;
}

void files_removal_begin(struct files *files, struct files_removal *removal)
{
	pthread_mutex_lock(&files->lock);
	*removal = (struct files_removal){.next = files->removals};
	files->removals = removal;
	pthread_mutex_unlock(&files->lock);
}

void files_removal_of(struct files *files, struct files_removal *removal,
		      uint64_t ino)
{
	pthread_mutex_lock(&files->lock);
	removal->ino = ino;
	pthread_mutex_unlock(&files->lock);
}

void files_removal_end(struct files *files, struct files_removal *removal)
{
	pthread_mutex_lock(&files->lock);
	struct files_removal **slot = &files->removals;

	while (*slot != removal)
		slot = &(*slot)->next;
	*slot = removal->next;
	files->removed_raw_ns = clock_raw_ns();
	pthread_mutex_unlock(&files->lock);
}

bool files_removed_lately(const struct files *files)
{
	int64_t at_ns = files->removed_raw_ns;

	return at_ns != 0 && clock_raw_ns() - at_ns < LATELY_NS;
}

bool files_is_removed(struct files *files, uint64_t ino)
{
	bool found = false;

	pthread_mutex_lock(&files->lock);
	for (struct files_removal *r = files->removals; r != NULL; r = r->next)
		found = found || r->ino == 0 || r->ino == ino;
	pthread_mutex_unlock(&files->lock);
	return found;
}

void files_drain_all(struct files *files, struct raftfs *fs)
{
	for (size_t b = 0; b < FILES_BUCKETS; b++)
		for (struct file *f = files->bucket[b]; f != NULL; f = f->next)
			(void)behind_drain(&f->behind, fs, f->ino, false);
}
