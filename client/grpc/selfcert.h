/* The certificate a node makes for its gRPC face when none is configured.
 *
 * Not around the node's key: Ed25519 certificates are refused by the TLS of
 * most gRPC clients, and a program that strangers speak to has no business with
 * the key the cluster rests on. It is P-256, signed by itself, and valid for
 * ever, because nobody would renew it; clients trust exactly this one. It names
 * the node, grpc.address and the node's address; should these change, the same
 * key is given a new certificate.
 */
#ifndef RAFTFS_CLIENT_GRPC_SELFCERT_H
#define RAFTFS_CLIENT_GRPC_SELFCERT_H

#include <openssl/x509.h>

#include "common/os/config.h"

struct selfcert {
	EVP_PKEY *key;
	X509 *certificate;
};

/* The one kept in data_dir/grpc/own.pem, mode 0400; made when there is none or
 * it does not fit. Also puts the certificate, for everybody, into
 * run_dir/grpc.pem. On RFS_ERR_OK the caller's to selfcert_fini(). DENIED:
 * others may read the key; CORRUPT: the file has none, and is left as it is;
 * IO, NOMEM. All are logged. */
RFS_MUST_USE enum rfs_err selfcert_load(const struct config *config,
					struct selfcert *own);
void selfcert_fini(struct selfcert *own);

#endif
