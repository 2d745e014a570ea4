/* Header fields of gRPC over HTTP/2, as values. Pure. */
#ifndef RAFTFS_CLIENT_GRPC_FIELDS_H
#define RAFTFS_CLIENT_GRPC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* grpc-timeout: one to eight digits and one of H M S m u n. INVALID. */
RFS_MUST_USE enum rfs_err fields_timeout(const char *value,
					 int64_t *timeout_ns);

/* content-type: gRPC carrying protobuf. */
bool fields_is_grpc(const char *content_type);

/* grpc-message: text percent-encoded into encoded[size], cut at a whole
 * character of the encoding where there is no room. Returns its length. */
size_t fields_percent(const char *text, char *encoded, size_t size);

#endif
