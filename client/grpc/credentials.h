/* What the gRPC face shows of itself, and whom it lets in: TLS 1.3 and ALPN h2,
 * nothing else.
 */
#ifndef RAFTFS_CLIENT_GRPC_CREDENTIALS_H
#define RAFTFS_CLIENT_GRPC_CREDENTIALS_H

#include <openssl/ssl.h>

#include "common/os/config.h"

#define CREDENTIALS_FILE "grpc.pem" /* in run_dir: what clients may trust */

/* A context for accepting, from grpc.certificate and grpc.key, or from a
 * certificate of the node's own where there are none (selfcert.h). With
 * grpc.client_ca only clients with a certificate it vouches for get in.
 * *context is the caller's to SSL_CTX_free(). DENIED: others may read the key;
 * NOENT, INVALID, IO. All are logged with the file and what is wrong. */
RFS_MUST_USE enum rfs_err credentials_load(const struct config *config,
					   SSL_CTX **context);

/* The certificates in force, PEM, onto stdout. Errors as above. */
RFS_MUST_USE enum rfs_err credentials_print(const struct config *config);

#endif
