/* Fuzz target: any datagram on the supervisor's readiness socket. libFuzzer's
 * entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct notify notify = { 0 };
	char *text = malloc(bytes + 1);

	if (text == NULL)
		abort();
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	notify_parse(text, &notify);
	if (strlen(notify.status) >= NOTIFY_STATUS_MAX ||
	    strchr(notify.status, '\n') != NULL)
		abort();
	free(text);
	return 0;
}
