/* Fuzz target: any bytes as a pack file, heads with right sums or without. The
 * store opens whatever is there, gives out only what proves sound, and can be
 * written on and compacted. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "storaged/packs.h"
#include "tests/storaged/packload.h"
#include "tests/fuzz/scratch.h"

#define HEAD_BYTES 24u
#define FILE_BYTES 4096u
#define IDS	   8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Make every place that has the magic number a head with right sums; of the
 * data too, when it fits. */
static void seal(uint8_t *image, size_t bytes)
{
	for (size_t at = 0; at + HEAD_BYTES <= bytes; at += 8) {
		struct reader r;
		struct writer w;
		uint32_t length;

		if (memcmp(image + at, "RPFR", 4) != 0)
			continue;
		reader_init(&r, image + at + 4, 4);
		length = reader_u32le(&r);
		image[at + 8] %= IDS;
		memset(image + at + 9, 0, 7);
		if (length <= bytes - at - HEAD_BYTES) {
			writer_init(&w, image + at + 16, 4);
			writer_u32le(&w,
				     crc32c(crc32c(0, image + at + 8, 8),
					    image + at + HEAD_BYTES, length));
		}
		writer_init(&w, image + at + 20, 4);
		writer_u32le(&w, crc32c(0, image + at, 20));
	}
}

/* Everything a store is asked for. */
static void use(struct packs *packs)
{
	static uint8_t record[PACKS_RECORD_MAX];
	static const uint8_t content[] = "what was put";
	struct packs_usage usage;
	uint32_t got;

	for (uint64_t id = 0; id < IDS; id++)
		(void)!packs_load(packs, id, record, sizeof(record), &got);
	for (uint64_t id = 0; id < IDS; id += 2)
		packs_delete(packs, id);
	for (uint64_t id = 1; id < 4; id++) {
		if (packs_put(packs, id, content, sizeof(content)) !=
			    RFS_ERR_OK ||
		    packs_load(packs, id, record, sizeof(record), &got) !=
			    RFS_ERR_OK ||
		    got != sizeof(content) || memcmp(record, content, got) != 0)
			abort();
	}
	for (int i = 0; i < 8 && packs_compact(packs, 1u << 20); i++) {
		struct packs_sync *sync = packs_sync_begin(packs);

		if (sync == NULL)
			abort();
		packs_sync_end(packs, sync, packs_sync_run(sync));
	}
	for (uint64_t id = 1; id < 4; id++)
		if (packs_load(packs, id, record, sizeof(record), &got) !=
		    RFS_ERR_OK)
			abort();
	packs_usage(packs, &usage);
	if (usage.live_bytes > usage.file_bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t image[FILE_BYTES];
	struct packs *packs;

	bytes = bytes < sizeof(image) ? bytes : sizeof(image);
	memcpy(image, data, bytes);
	seal(image, bytes);
	scratch_clear();
	scratch_file("00000001.pack", image, bytes);
	if (packs_open(scratch_dir(), 1u << 20, &packs) != RFS_ERR_OK)
		abort();
	use(packs);
	packs_close(packs);
	return 0;
}
