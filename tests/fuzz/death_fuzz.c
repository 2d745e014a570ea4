/* Fuzz target: any datagram as a death notice, under a fixed key. A notice
 * that nobody signed must never be believed. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/death.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	/* RFC 8032, test 1: a real point of the curve, its secret not here. */
	static const uint8_t key[KEY_PUBLIC_BYTES] = {
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
		0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
		0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	};
	struct death death;

	if (death_decode(data, bytes, key, &death) == RFS_ERR_OK)
		abort();
	return 0;
}
