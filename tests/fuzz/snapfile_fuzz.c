/* Fuzz target: any bytes as snapshot.meta, with the right sum. What loads must
 * save and load as the same. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "raftd/snapfile.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct snapfile_meta first, second;
	uint8_t image[4096];
	const char *path;
	struct writer w;

	if (bytes > sizeof(image) - 4)
		bytes = sizeof(image) - 4;
	memcpy(image, data, bytes);
	writer_init(&w, image + bytes, 4);
	writer_u32le(&w, crc32c(0, image, bytes));
	path = scratch_file("meta", image, bytes + 4);
	if (snapfile_load_meta(path, &first) != RFS_ERR_OK)
		return 0;
	if (snapfile_save_meta(path, &first) != RFS_ERR_OK ||
	    snapfile_load_meta(path, &second) != RFS_ERR_OK ||
	    memcmp(&first, &second, sizeof(first)) != 0)
		abort();
	return 0;
}
