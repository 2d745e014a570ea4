/* Fuzz target: any text as a drift file. No drift beyond the limit may come out
 * of it, nor more rows than asked for. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/fuzz/scratch.h"
#include "timesyncd/driftfile.h"

#define LIMIT_PPB 500000
#define ROWS	  4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct driftfile_row rows[ROWS];
	uint32_t count = driftfile_load(scratch_file("drift", data, bytes),
					LIMIT_PPB, rows, ROWS);

	if (count > ROWS)
		abort();
	for (uint32_t i = 0; i < count; i++)
		if (rows[i].drift_ppb > LIMIT_PPB ||
		    rows[i].drift_ppb < -LIMIT_PPB)
			abort();
	return 0;
}
