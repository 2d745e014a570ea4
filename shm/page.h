/* A shared page: a sealed memfd with one writer and any number of readers.
 *
 * The supervisor creates a page for every start of its writer, with the next
 * generation; seals keep everybody else read-only (F_SEAL_FUTURE_WRITE binds a
 * restarted writer too, so a page never changes hands). The old generation is
 * marked superseded and its readers are handed the new one.
 */
#ifndef RAFTFS_SHM_PAGE_H
#define RAFTFS_SHM_PAGE_H

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

/* Create a page of PAGE_BYTES, head filled in, the rest zero.
 *
 * On RFS_ERR_OK *fd is the caller's to close, and *map a writable mapping the
 * caller's to page_unmap(); the descriptor is then sealed so that later
 * mappings of it, by anyone, are read-only. Errors: IO (logged). */
RFS_MUST_USE enum rfs_err page_create(const char *name, uint32_t magic,
				      uint32_t version, uint64_t generation,
				      int *fd, void **map);

/* The writer cannot map a sealed page: it is given one that is not sealed yet.
 * page_create_unsealed() leaves F_SEAL_FUTURE_WRITE to page_seal(), called by
 * the writer once it has mapped it with page_map_writer(). */
RFS_MUST_USE enum rfs_err page_create_unsealed(const char *name, uint32_t magic,
					       uint32_t version,
					       uint64_t generation, int *fd,
					       void **map);
RFS_MUST_USE enum rfs_err page_map_writer(int fd, uint32_t magic,
					  uint32_t version, void **map);
RFS_MUST_USE enum rfs_err page_seal(int fd);

/* Map read-only. VERSION: not this kind of page, or another layout. */
RFS_MUST_USE enum rfs_err page_map_reader(int fd, uint32_t magic,
					  uint32_t version, const void **map);
void page_unmap(const void *map);

#endif
