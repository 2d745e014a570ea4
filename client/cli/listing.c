/* Pages of a directory, gathered and sorted. */
#include "client/cli/listing.h"

#include <stdlib.h>
#include <string.h>

/* A node that does not send attributes with names is asked for each. */
static enum rfs_err add_entry(struct raftfs *fs, struct listing *listing,
			      const struct raftfs_entry *from)
{
	struct listing_entry *to = &listing->entries[listing->count];

	/* A name that could leave the directory is not a name. */
	if (strchr(from->name, '/') != NULL || strcmp(from->name, ".") == 0 ||
	    strcmp(from->name, "..") == 0 || from->name[0] == '\0')
		return RFS_ERR_CORRUPT;
	to->attr = from->attr;
	if (to->attr.ino == 0) {
		enum rfs_err err = raftfs_getattr(fs, from->ino, &to->attr);

		if (err == RFS_ERR_NOENT || err == RFS_ERR_STALE)
			return RFS_ERR_OK; /* went meanwhile */
		if (err != RFS_ERR_OK)
			return err;
	}
	to->name = strdup(from->name);
	if (to->name == NULL)
		return RFS_ERR_NOMEM;
	listing->count++;
	return RFS_ERR_OK;
}

static enum rfs_err add_page(struct raftfs *fs, struct listing *listing,
			     const struct raftfs_page *page)
{
	size_t room = listing->count + page->count + 1;
	struct listing_entry *more =
		realloc(listing->entries, room * sizeof(*more));
	enum rfs_err err = RFS_ERR_OK;

	if (more == NULL)
		return RFS_ERR_NOMEM;
	listing->entries = more;
	for (size_t i = 0; i < page->count && err == RFS_ERR_OK; i++)
		err = add_entry(fs, listing, &page->entries[i]);
	return err;
}

static int by_name(const void *a, const void *b)
{
	const struct listing_entry *left = a;
	const struct listing_entry *right = b;

	return strcmp(left->name, right->name);
}

enum rfs_err listing_read(struct raftfs *fs, uint64_t ino,
			  struct listing *listing)
{
	enum rfs_err err = RFS_ERR_OK;
	uint64_t cookie = 0;
	bool end = false;

	*listing = (struct listing){.count = 0};
	while (!end && err == RFS_ERR_OK) {
		struct raftfs_page page;

		err = raftfs_readdir(fs, ino, cookie, true, &page);
		if (err != RFS_ERR_OK)
			break;
		if (page.count > 0)
			cookie = page.entries[page.count - 1].cookie;
		end = page.end;
		err = add_page(fs, listing, &page);
		raftfs_page_free(&page);
	}
	if (err != RFS_ERR_OK) {
		listing_free(listing);
		return err;
	}
	qsort(listing->entries, listing->count, sizeof(*listing->entries),
	      by_name);
	return RFS_ERR_OK;
}

void listing_free(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	*listing = (struct listing){.count = 0};
}
