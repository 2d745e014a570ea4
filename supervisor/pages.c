/* Generations of the two pages. */
#include "supervisor/pages.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "shm/clockpage.h"
#include "shm/conspage.h"
#include "shm/page.h"

static void init(struct page_slot *slot, const char *name, uint32_t magic,
		 uint32_t version)
{
	*slot = (struct page_slot){
		.name = name,
		.magic = magic,
		.version = version,
		.fd = -1,
		.reader_fd = -1,
	};
}

void pages_init_clock(struct page_slot *slot)
{
	init(slot, "raftfs-clock", CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION);
}

void pages_init_cons(struct page_slot *slot)
{
	init(slot, "raftfs-cons", CONSPAGE_MAGIC, CONSPAGE_VERSION);
}

static void close_fds(struct page_slot *slot)
{
	if (slot->fd >= 0)
		close(slot->fd);
	if (slot->reader_fd >= 0)
		close(slot->reader_fd);
	slot->fd = -1;
	slot->reader_fd = -1;
}

void pages_fini(struct page_slot *slot)
{
	close_fds(slot);
	page_unmap(slot->map);
	page_unmap(slot->previous);
	slot->map = NULL;
	slot->previous = NULL;
}

/* Readers get the page before its writer has sealed it: theirs is a descriptor
 * that cannot be mapped for writing. */
static int open_read_only(int fd)
{
	char path[64];
	int reader_fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reader_fd < 0)
		log_errno("page: reopen read-only");
	return reader_fd;
}

enum rfs_err pages_renew(struct page_slot *slot)
{
	int fd;
	int reader_fd;
	void *map;
	enum rfs_err err = page_create(slot->name, slot->magic, slot->version,
				       slot->generation + 1, &fd, &map);

	if (err != RFS_ERR_OK)
		return err;
	reader_fd = open_read_only(fd);
	if (reader_fd < 0) {
		page_unmap(map);
		close(fd);
		return RFS_ERR_IO;
	}
	CHECK(slot->previous == NULL);
	close_fds(slot);
	slot->previous = slot->map;
	slot->map = map;
	slot->fd = fd;
	slot->reader_fd = reader_fd;
	slot->generation++;
	return RFS_ERR_OK;
}

void pages_retire(struct page_slot *slot)
{
	if (slot->previous == NULL)
		return;
	page_supersede(slot->previous);
	page_unmap(slot->previous);
	slot->previous = NULL;
}

void pages_check_sealed(const struct page_slot *slot)
{
	if (slot->fd < 0 || page_is_sealed(slot->fd))
		return;
	log_warn("page %s: its writer left it unsealed; sealing", slot->name);
	if (page_seal(slot->fd) != RFS_ERR_OK)
		log_warn("page %s stays unsealed", slot->name);
}

void pages_revoke(struct page_slot *cons)
{
	if (cons->map != NULL)
		conspage_revoke(cons->map);
}

void pages_last_words(const struct page_slot *cons, uint64_t *incarnation,
		      uint64_t *term_led)
{
	const struct conspage *page = cons->map;

	*incarnation = 0;
	*term_led = 0;
	/* Its one writer is dead: an odd seq will never become even, and what
	 * lies under it is a mixture that claims nothing. */
	if (page == NULL || atomic_load(&page->seq) % 2 != 0)
		return;
	*incarnation = atomic_load(&page->incarnation);
	if (atomic_load(&page->role) == CONSPAGE_LEADER)
		*term_led = atomic_load(&page->term);
}
