/* Fuzz target: any two copies of term and vote, with right sums or without.
 * What is believed must be believed again after a restart. libFuzzer's entry
 * point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "raftd/hardstate.h"
#include "tests/fuzz/scratch.h"

#define PAGE	     4096u
#define RECORD_BYTES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The sum stands behind the fields, wherever the version has it. */
static void seal(uint8_t *record, uint8_t where)
{
	size_t at = (where % (RECORD_BYTES / 4)) * 4;
	struct writer w;

	writer_init(&w, record + at, 4);
	writer_u32le(&w, crc32c(0, record, at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t image[2 * PAGE];
	struct hardstate first, second;
	struct hardstate_file *file;
	const char *path;

	if (bytes < 2)
		return 0;
	memset(image, 0, sizeof(image));
	for (size_t i = 2; i < bytes && i < 2 + 2 * RECORD_BYTES; i++)
		image[(i - 2) % RECORD_BYTES + (i - 2) / RECORD_BYTES * PAGE] =
			data[i];
	seal(image, data[0]);
	seal(image + PAGE, data[1]);
	path = scratch_file("hardstate", image, sizeof(image));
	if (hardstate_open(path, &file, &first) != RFS_ERR_OK)
		return 0;
	hardstate_close(file);
	if (hardstate_open(path, &file, &second) != RFS_ERR_OK ||
	    memcmp(&first, &second, sizeof(first)) != 0)
		abort();
	hardstate_close(file);
	return 0;
}
