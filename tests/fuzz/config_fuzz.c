/* Fuzz target: any text as raftfs.conf. What is accepted must print to a text
 * that is accepted again and means the same. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/os/config.h"
#include "common/os/keys.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	keys_init();
	return 0;
}

static enum rfs_err load(const void *text, size_t bytes, struct config *config)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	enum rfs_err err;

	if (fd < 0 || write(fd, text, bytes) != (ssize_t)bytes)
		abort();
	err = config_load_fd(fd, "fuzz.conf", NULL, config);
	close(fd);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct config first;
	static struct config second;
	char *text = NULL;
	size_t printed = 0;
	FILE *out;

	if (load(data, bytes, &first) != RFS_ERR_OK)
		return 0;
	out = open_memstream(&text, &printed);
	if (out == NULL)
		abort();
	config_print(&first, out);
	fclose(out);
	if (load(text, printed, &second) != RFS_ERR_OK ||
	    memcmp(&first, &second, sizeof(first)) != 0)
		abort();
	free(text);
	return 0;
}
