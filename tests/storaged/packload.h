/* One record of the packs, waiting for the disk: for tests. */
#ifndef RAFTFS_TESTS_STORAGED_PACKLOAD_H
#define RAFTFS_TESTS_STORAGED_PACKLOAD_H

#include <unistd.h>

#include "storaged/packs.h"

/* As packs_get(), never BUSY. */
static inline enum rfs_err packs_load(struct packs *packs, uint64_t id,
				      void *data, uint32_t size,
				      uint32_t *bytes)
{
	struct packs_record record;
	enum rfs_err err = packs_find(packs, id, &record);

	if (err != RFS_ERR_OK)
		return err;
	if (record.bytes > size) {
		close(record.fd);
		return RFS_ERR_CORRUPT;
	}
	*bytes = record.bytes;
	return packs_read(&record, data);
}

#endif
