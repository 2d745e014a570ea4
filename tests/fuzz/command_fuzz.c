/* Fuzz target: any bytes as a command image. What decodes must pass its check
 * and encode to the same bytes: one meaning, one image. libFuzzer's entry
 * point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "storaged/core/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct command command;
	static uint8_t again[COMMAND_IMAGE_MAX_BYTES];
	size_t used;

	if (command_decode(data, bytes, &command) != RFS_ERR_OK)
		return 0;
	if (command_check(&command) != RFS_ERR_OK ||
	    command_encode(&command, again, sizeof(again), &used) !=
		    RFS_ERR_OK ||
	    used != bytes || memcmp(again, data, bytes) != 0)
		abort();
	return 0;
}
