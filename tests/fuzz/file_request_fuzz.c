/* Fuzz target: any bytes as a client's FileRequest. What is accepted, with its
 * content, must be a sound command: the log takes no other. libFuzzer's entry
 * point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storaged/convert.h"
#include "storaged/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void propose(const DistributedFs__FileRequest *request)
{
	static struct command command, again;
	static uint8_t image[COMMAND_IMAGE_MAX_BYTES];
	size_t used;

	if (convert_class_of(request->op) != CONVERT_CHANGE ||
	    convert_command(request, &command) != RFS_ERR_OK)
		return;
	if (convert_has_content(request) && request->data.len > 0) {
		command.data.data = request->data.data;
		command.data.bytes = request->data.len;
		hash_bytes(request->data.data, request->data.len,
			   command.sha256);
	}
	if (command_check(&command) != RFS_ERR_OK ||
	    command_encode(&command, image, sizeof(image), &used) !=
		    RFS_ERR_OK ||
	    command_decode(image, used, &again) != RFS_ERR_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	DistributedFs__FileRequest *request =
		distributed_fs__file_request__unpack(NULL, bytes, data);

	if (request == NULL)
		return 0;
	propose(request);
	distributed_fs__file_request__free_unpacked(request, NULL);
	return 0;
}
