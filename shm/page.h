/* A shared page: a sealed memfd with one writer and any number of readers.
 *
 * The supervisor creates a page for every start of its writer, with the next
 * generation, and keeps the mapping page_create() gave it. The writer maps the
 * page and seals it: from then on nobody, a restarted writer included, can map
 * it writable again (F_SEAL_FUTURE_WRITE), so a page never changes hands. The
 * old generation is marked superseded and its readers are handed the new one.
 *
 *	supervisor  page_create()      -> fd, early mapping (marks the head only)
 *	writer      page_map_writer()  -> the body is its to write
 *	            page_seal()        before it says READY
 *	readers     page_map_reader()  read-only, whatever they try
 */
#ifndef RAFTFS_SHM_PAGE_H
#define RAFTFS_SHM_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PAGE_BYTES 4096u

/* What every page starts with; the body follows at offset 64. */
struct page_head {
	uint32_t magic;
	uint32_t version;
	uint64_t generation;		  /* 1, 2, ... per page kind */
	_Atomic uint32_t superseded;	  /* 1: a newer generation exists */
	_Atomic uint32_t revoked;	  /* 1: the supervisor has reaped the writer */
	uint8_t reserved[40];		  /* zero */
};
_Static_assert(sizeof(struct page_head) == 64, "one cache line");

/* Create a page of PAGE_BYTES, head filled in, the rest zero, its size fixed
 * for ever but its contents not sealed yet.
 *
 * On RFS_ERR_OK *fd is the caller's to close, and *map a writable mapping the
 * caller's to page_unmap(); it stays writable after page_seal(). IO (logged). */
RFS_MUST_USE enum rfs_err page_create(const char *name, uint32_t magic,
				      uint32_t version, uint64_t generation,
				      int *fd, void **map);

/* Writable mapping of a page not sealed yet; fd is borrowed. VERSION: not this
 * kind of page, another layout or another size. DENIED: sealed already. */
RFS_MUST_USE enum rfs_err page_map_writer(int fd, uint32_t magic,
					  uint32_t version, void **map);

/* No writable mapping and no write() from here on, by anyone; mappings that
 * exist stay as they are. OK also when it was sealed before. IO (logged). */
RFS_MUST_USE enum rfs_err page_seal(int fd);
bool page_is_sealed(int fd);

/* Map read-only; fd is borrowed. VERSION: not this kind of page, another
 * layout or another size. Also maps the file view of a page. */
RFS_MUST_USE enum rfs_err page_map_reader(int fd, uint32_t magic,
					  uint32_t version, const void **map);

/* The file view: a page under a name, mode 0644, for programs that were not
 * handed the memfd. Replaces path atomically, then marks what was there
 * superseded; *map is a writable mapping, the caller's to page_unmap().
 * IO (logged). */
RFS_MUST_USE enum rfs_err page_create_file(const char *path, uint32_t magic,
					   uint32_t version,
					   uint64_t generation, void **map);

/* A newer generation exists. Any holder of a writable mapping. */
void page_supersede(void *map);
bool page_is_superseded(const void *map);

/* map may be NULL. */
void page_unmap(const void *map);

#endif
