/* A face over ISA-L's crc32_iscsi, with the usual pre- and post-inversion. */
#include "common/crc32c.h"

#include <isa-l/crc.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	/* ISA-L takes an int length and an unqualified pointer it only reads. */
	while (bytes > 0) {
		int step = bytes > 0x40000000 ? 0x40000000 : (int)bytes;

		crc = ~crc32_iscsi((unsigned char *)at, step, ~crc);
		at += step;
		bytes -= (size_t)step;
	}
	return crc;
}
