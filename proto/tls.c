/* One self-signed certificate, two contexts: dialling and accepting. */
#include "proto/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/os/log.h"
#include "proto/block.h"

struct tls {
	SSL_CTX *client;
	SSL_CTX *server;
};

/* ALPN names protocol and version, so that two generations of raftfs refuse
 * one another in the handshake. Length-prefixed, as on the wire. */
static const unsigned char alpn[] = "\x08raftfs/1";

void tls_log_errors(const char *doing)
{
	unsigned long code;
	char text[160];

	while ((code = ERR_get_error()) != 0) {
		ERR_error_string_n(code, text, sizeof(text));
		log_debug("tls: %s: %s", doing, text);
	}
}

/* OpenSSL allocates a few bytes for every record it writes. */
static void *take_memory(size_t bytes, const char *file, int line)
{
	size_t capacity;

	(void)file;
	(void)line;
	return block_take(bytes, &capacity);
}

static void give_memory(void *at, const char *file, int line)
{
	(void)file;
	(void)line;
	block_give(at);
}

static void *grow_memory(void *old, size_t bytes, const char *file, int line)
{
	void *grown;

	if (bytes == 0) {
		block_give(old);
		return NULL;
	}
	if (old != NULL && block_capacity(old) >= bytes)
		return old;
	grown = take_memory(bytes, file, line);
	if (grown != NULL && old != NULL) {
		memcpy(grown, old, block_capacity(old));
		block_give(old);
	}
	return grown;
}

static X509 *self_signed(EVP_PKEY *pkey)
{
	X509 *cert = X509_new();

	if (!cert)
		return NULL;
	if (!X509_set_version(cert, X509_VERSION_3) ||
	    !ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) ||
	    !ASN1_TIME_set_string(X509_getm_notBefore(cert), "700101000000Z") ||
	    !ASN1_TIME_set_string(X509_getm_notAfter(cert),
				  "99991231235959Z") ||
	    !X509_set_pubkey(cert, pkey) ||
	    !X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
					MBSTRING_ASC,
					(const unsigned char *)"raftfs", -1,
					-1, 0) ||
	    !X509_set_issuer_name(cert, X509_get_subject_name(cert)) ||
	    !X509_sign(cert, pkey, NULL)) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

/* The chain proves nothing here: CertificateVerify proves possession of the
 * key, and the key is compared with the pin after the handshake. */
static int accept_any_chain(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static int select_alpn(SSL *ssl, const unsigned char **out,
		       unsigned char *out_bytes, const unsigned char *in,
		       unsigned int in_bytes, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_bytes, alpn, sizeof(alpn) - 1,
				  in, in_bytes) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context(const SSL_METHOD *method, EVP_PKEY *pkey, X509 *cert)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A record in one read, not its head and then its body. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx,
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any_chain, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_num_tickets(ctx, 0) ||
	    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) != 0 ||
	    SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, pkey) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

struct tls *tls_new(const struct node_key *key)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	EVP_PKEY *pkey;
	X509 *cert;

	/* Refused, and no matter, once it has allocated anything. */
	(void)CRYPTO_set_mem_functions(take_memory, grow_memory, give_memory);
	pkey = EVP_PKEY_new_raw_private_key(
		EVP_PKEY_ED25519, NULL, key->seed, sizeof(key->seed));
	cert = pkey ? self_signed(pkey) : NULL;

	if (tls && cert) {
		tls->client = context(TLS_client_method(), pkey, cert);
		tls->server = context(TLS_server_method(), pkey, cert);
	}
	X509_free(cert);
	EVP_PKEY_free(pkey);
	if (tls && tls->client && tls->server)
		return tls;

	log_error("tls: OpenSSL refused to set up TLS 1.3 with the node key");
	tls_log_errors("set up");
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->client);
	SSL_CTX_free(tls->server);
	free(tls);
}

static SSL *session(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl && SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ssl = NULL;
	}
	return ssl;
}

SSL *tls_client_session(struct tls *tls, int fd)
{
	SSL *ssl = session(tls->client, fd);

	if (ssl)
		SSL_set_connect_state(ssl);
	return ssl;
}

SSL *tls_server_session(struct tls *tls, int fd)
{
	SSL *ssl = session(tls->server, fd);

	if (ssl)
		SSL_set_accept_state(ssl);
	return ssl;
}

enum rfs_err tls_peer_key(SSL *ssl, uint8_t key[KEY_PUBLIC_BYTES])
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	EVP_PKEY *pkey = cert ? X509_get0_pubkey(cert) : NULL;
	size_t bytes = KEY_PUBLIC_BYTES;
	bool ok = pkey && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519 &&
		  EVP_PKEY_get_raw_public_key(pkey, key, &bytes) == 1 &&
		  bytes == KEY_PUBLIC_BYTES;

	X509_free(cert);
	return ok ? RFS_ERR_OK : RFS_ERR_DENIED;
}
