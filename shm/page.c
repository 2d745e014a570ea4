/* Creating, sealing and mapping shared pages: memfd_create(2) and its seals. */
#include "shm/page.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/log.h"

#define PAGE_SEALS                                                             \
	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static void *map_shared(int fd, int protection)
{
	void *map = mmap(NULL, PAGE_BYTES, protection, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

static void fill_head(void *map, uint32_t magic, uint32_t version,
		      uint64_t generation)
{
	struct page_head *head = map;

	head->magic = magic;
	head->version = version;
	head->generation = generation;
}

static bool is_page(const struct page_head *head, uint32_t magic,
		    uint32_t version)
{
	return head->magic == magic && head->version == version;
}

/* A shorter file would turn a read of the mapping into SIGBUS. */
static bool has_page_size(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_size == PAGE_BYTES;
}

enum rfs_err page_create(const char *name, uint32_t magic, uint32_t version,
			 uint64_t generation, int *fd, void **map)
{
	int memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0) {
		log_errno("page %s: memfd_create", name);
		return RFS_ERR_IO;
	}
	if (ftruncate(memfd, PAGE_BYTES) != 0 ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
		log_errno("page %s: fix the size", name);
		goto discard;
	}
	void *mapped = map_shared(memfd, PROT_READ | PROT_WRITE);
	if (mapped == NULL) {
		log_errno("page %s: map", name);
		goto discard;
	}

	fill_head(mapped, magic, version, generation);
	*map = mapped;
	*fd = memfd;
	return RFS_ERR_OK;

discard:
	close(memfd);
	return RFS_ERR_IO;
}

enum rfs_err page_map_writer(int fd, uint32_t magic, uint32_t version,
			     void **map)
{
	if (!has_page_size(fd))
		return RFS_ERR_VERSION;
	void *mapped = map_shared(fd, PROT_READ | PROT_WRITE);
	if (mapped == NULL)
		return RFS_ERR_DENIED;
	if (!is_page(mapped, magic, version)) {
		page_unmap(mapped);
		return RFS_ERR_VERSION;
	}

	*map = mapped;
	return RFS_ERR_OK;
}

bool page_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & PAGE_SEALS) == PAGE_SEALS;
}

enum rfs_err page_seal(int fd)
{
	if (page_is_sealed(fd))
		return RFS_ERR_OK;
	if (fcntl(fd, F_ADD_SEALS, PAGE_SEALS) != 0) {
		log_errno("page: seal");
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

enum rfs_err page_map_reader(int fd, uint32_t magic, uint32_t version,
			     const void **map)
{
	if (!has_page_size(fd))
		return RFS_ERR_VERSION;
	const void *mapped = map_shared(fd, PROT_READ);
	if (mapped == NULL)
		return RFS_ERR_IO;
	if (!is_page(mapped, magic, version)) {
		page_unmap(mapped);
		return RFS_ERR_VERSION;
	}

	*map = mapped;
	return RFS_ERR_OK;
}

/* The page that path names now, writable; NULL when there is none. */
static void *map_predecessor(const char *path, uint32_t magic)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	void *map = NULL;

	if (fd < 0)
		return NULL;
	if (has_page_size(fd))
		map = map_shared(fd, PROT_READ | PROT_WRITE);
	if (map != NULL && ((struct page_head *)map)->magic != magic) {
		page_unmap(map);
		map = NULL;
	}
	close(fd);
	return map;
}

enum rfs_err page_create_file(const char *path, uint32_t magic,
			      uint32_t version, uint64_t generation, void **map)
{
	char temporary[512];
	void *mapped = NULL;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >=
	    (int)sizeof(temporary))
		return RFS_ERR_NAMETOOLONG;
	(void)unlink(temporary);
	int fd = open(temporary,
		      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_errno("page: create %s", temporary);
		return RFS_ERR_IO;
	}
	/* fchmod, not the mode of open(): the umask of a daemon is 077. The
	 * owner keeps w so that the next generation can mark this one. */
	if (ftruncate(fd, PAGE_BYTES) != 0 || fchmod(fd, 0644) != 0)
		goto discard;
	mapped = map_shared(fd, PROT_READ | PROT_WRITE);
	if (mapped == NULL)
		goto discard;
	fill_head(mapped, magic, version, generation);
	void *predecessor = map_predecessor(path, magic);
	if (rename(temporary, path) != 0) {
		page_unmap(predecessor);
		goto discard;
	}
	/* After the rename: whoever sees the mark finds the new file. */
	if (predecessor != NULL)
		page_supersede(predecessor);
	page_unmap(predecessor);

	close(fd);
	*map = mapped;
	return RFS_ERR_OK;

discard:
	log_errno("page: make %s", path);
	page_unmap(mapped);
	unlink(temporary);
	close(fd);
	return RFS_ERR_IO;
}

void page_supersede(void *map)
{
	struct page_head *head = map;

	atomic_store_explicit(&head->superseded, 1, memory_order_release);
}

bool page_is_superseded(const void *map)
{
	const struct page_head *head = map;

	return atomic_load_explicit(&head->superseded, memory_order_acquire);
}

void page_unmap(const void *map)
{
	if (map != NULL)
		munmap((void *)(uintptr_t)map, PAGE_BYTES);
}
