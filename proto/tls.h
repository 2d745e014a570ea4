/* TLS 1.3 between nodes: OpenSSL contexts around one node key.
 *
 * The certificate is throw-away, self-signed, made in memory; names and dates
 * in it mean nothing. What counts is the Ed25519 public key, which the
 * handshake proves the peer holds and proto/conn.c compares with the pin.
 */
#ifndef RAFTFS_PROTO_TLS_H
#define RAFTFS_PROTO_TLS_H

#include <openssl/ssl.h>

#include "common/err.h"
#include "common/os/keys.h"
#include "proto/conn.h"

/* A session on socket fd (borrowed); NULL: out of memory. */
SSL *tls_client_session(struct tls *tls, int fd);
SSL *tls_server_session(struct tls *tls, int fd);

/* After the handshake: the peer's key. DENIED: none, or not Ed25519. */
RFS_MUST_USE enum rfs_err tls_peer_key(SSL *ssl,
				       uint8_t key[KEY_PUBLIC_BYTES]);

/* Log and clear OpenSSL's error queue at debug level. */
void tls_log_errors(const char *doing);

#endif
