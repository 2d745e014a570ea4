/* CRC32C (Castagnoli), by ISA-L with CPU instructions. */
#ifndef RAFTFS_COMMON_CRC32C_H
#define RAFTFS_COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with crc = 0; feed the result of one call into the next to go on. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
