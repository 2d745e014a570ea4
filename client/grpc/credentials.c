/* One SSL_CTX from PEM files. */
#include "client/grpc/credentials.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/grpc/selfcert.h"
#include "common/os/log.h"

static const unsigned char alpn[] = "\x02h2";

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

/* OpenSSL's first reason, which is the cause; the rest is forgotten. */
static enum rfs_err refuse(const char *option, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	log_error("%s: %s: %s", option, path,
		  reason != NULL ? reason : "not usable");
	ERR_clear_error();
	return RFS_ERR_INVALID;
}

static enum rfs_err check_private(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0) {
		log_errno("grpc.key: %s", path);
		return errno == ENOENT ? RFS_ERR_NOENT : RFS_ERR_IO;
	}
	if ((status.st_mode & 077) != 0) {
		log_error("grpc.key: %s: others may read it; run: chmod 400 %s",
			  path, path);
		return RFS_ERR_DENIED;
	}
	return RFS_ERR_OK;
}

static enum rfs_err use_files(SSL_CTX *context, const char *certificate,
			      const char *key)
{
	enum rfs_err err = check_private(key);

	if (err != RFS_ERR_OK)
		return err;
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return refuse("grpc.certificate", certificate);
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1)
		return refuse("grpc.key", key);
	return RFS_ERR_OK;
}

static enum rfs_err use_client_ca(SSL_CTX *context, const char *path)
{
	STACK_OF(X509_NAME) * names;

	if (path[0] == '\0')
		return RFS_ERR_OK;
	if (SSL_CTX_load_verify_file(context, path) != 1)
		return refuse("grpc.client_ca", path);
	names = SSL_load_client_CA_file(path);
	if (names == NULL)
		return refuse("grpc.client_ca", path);
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context,
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	return RFS_ERR_OK;
}

static SSL_CTX *bare_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL)
		return NULL;
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET |
					     SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
	if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_num_tickets(context, 0) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static enum rfs_err fill(SSL_CTX *context, const struct config *config)
{
	struct selfcert own;
	enum rfs_err err;

	if (config->grpc.certificate[0] != '\0')
		return use_files(context, config->grpc.certificate,
				 config->grpc.key);
	err = selfcert_load(config, &own);
	if (err != RFS_ERR_OK)
		return err;
	if (SSL_CTX_use_certificate(context, own.certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, own.key) != 1)
		err = refuse("grpc", "the node's own certificate");
	selfcert_fini(&own);
	return err;
}

enum rfs_err credentials_load(const struct config *config, SSL_CTX **context)
{
	SSL_CTX *made = bare_context();
	enum rfs_err err;

	if (made == NULL) {
		log_error("grpc: OpenSSL refused to set up TLS 1.3");
		return RFS_ERR_NOMEM;
	}
	err = fill(made, config);
	if (err == RFS_ERR_OK)
		err = use_client_ca(made, config->grpc.client_ca);
	if (err != RFS_ERR_OK) {
		SSL_CTX_free(made);
		return err;
	}
	*context = made;
	return RFS_ERR_OK;
}

enum rfs_err credentials_print(const struct config *config)
{
	SSL_CTX *context;
	enum rfs_err err = credentials_load(config, &context);
	STACK_OF(X509) *chain = NULL;

	if (err != RFS_ERR_OK)
		return err;
	if (PEM_write_X509(stdout, SSL_CTX_get0_certificate(context)) != 1)
		err = RFS_ERR_IO;
	SSL_CTX_get0_chain_certs(context, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (PEM_write_X509(stdout, sk_X509_value(chain, i)) != 1)
			err = RFS_ERR_IO;
	}
	if (fflush(stdout) != 0)
		err = RFS_ERR_IO;
	SSL_CTX_free(context);
	return err;
}
