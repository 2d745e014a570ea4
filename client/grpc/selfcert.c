/* Making, keeping and showing the node's own certificate. */
#include "client/grpc/selfcert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/grpc/credentials.h"
#include "common/os/directory.h"
#include "common/os/log.h"
#include "common/os/process.h"

#define PATH_BYTES  (CONFIG_PATH_MAX + 32)
#define NAMES_BYTES 320

void selfcert_fini(struct selfcert *own)
{
	X509_free(own->certificate);
	EVP_PKEY_free(own->key);
	*own = (struct selfcert){0};
}

/* ---- making ---- */

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* As openssl-x509v3_config(5) words them. */
static void list_names(const struct config *config, char names[NAMES_BYTES])
{
	const struct config_node *self = config_self(config);

	snprintf(names, NAMES_BYTES, "DNS:%s,IP:%s,IP:%s%s", self->name,
		 self->address, config->grpc.address,
		 is_loopback(config->grpc.address) ? ",DNS:localhost" : "");
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
	X509_EXTENSION *extension =
		X509V3_EXT_conf_nid(NULL, NULL, kind, value);
	bool good = extension != NULL &&
		    X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return good;
}

static bool set_serial(X509 *certificate)
{
	uint64_t serial = 0;

	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate),
				       serial >> 1 | 1) == 1;
}

static X509 *issue(const struct config *config, EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	char names[NAMES_BYTES];
	X509_NAME *subject;

	if (certificate == NULL)
		return NULL;
	list_names(config, names);
	subject = X509_get_subject_name(certificate);
	if (X509_set_version(certificate, X509_VERSION_3) &&
	    set_serial(certificate) &&
	    ASN1_TIME_set_string(X509_getm_notBefore(certificate),
				 "700101000000Z") &&
	    ASN1_TIME_set_string(X509_getm_notAfter(certificate),
				 "99991231235959Z") &&
	    X509_set_pubkey(certificate, key) &&
	    X509_NAME_add_entry_by_txt(
		    subject, "O", MBSTRING_ASC,
		    (const unsigned char *)config->cluster_id, -1, -1, 0) &&
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				       (const unsigned char *)config->self, -1,
				       -1, 0) &&
	    X509_set_issuer_name(certificate, subject) &&
	    add_extension(certificate, NID_basic_constraints,
			  "critical,CA:FALSE") &&
	    add_extension(certificate, NID_key_usage,
			  "critical,digitalSignature") &&
	    add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	    add_extension(certificate, NID_subject_alt_name, names) &&
	    X509_sign(certificate, key, EVP_sha256()))
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool fits(const struct config *config, const struct selfcert *own)
{
	const struct config_node *self = config_self(config);

	return X509_check_private_key(own->certificate, own->key) == 1 &&
	       X509_check_host(own->certificate, self->name, 0, 0, NULL) == 1 &&
	       X509_check_ip_asc(own->certificate, self->address, 0) == 1 &&
	       X509_check_ip_asc(own->certificate, config->grpc.address, 0) ==
		       1;
}

/* ---- files ---- */

/* Replace path as a whole; key may be NULL. */
static enum rfs_err write_pem(const char *path, mode_t mode, X509 *certificate,
			      EVP_PKEY *key)
{
	char temporary[PATH_BYTES + 8];
	FILE *out = NULL;
	bool good;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd >= 0)
		out = fdopen(fd, "w");
	if (out == NULL) {
		log_errno("grpc: %s", temporary);
		if (fd >= 0)
			close(fd);
		return RFS_ERR_IO;
	}
	/* The umask is for files that nobody else is to read. */
	good = fchmod(fd, mode) == 0 &&
	       (key == NULL || PEM_write_PrivateKey(out, key, NULL, NULL, 0,
						    NULL, NULL) == 1) &&
	       PEM_write_X509(out, certificate) == 1 && fflush(out) == 0 &&
	       fsync(fd) == 0;
	good = fclose(out) == 0 && good;
	if (good && rename(temporary, path) == 0 &&
	    directory_sync_of(path) == 0)
		return RFS_ERR_OK;
	log_errno("grpc: %s", path);
	(void)unlink(temporary);
	return RFS_ERR_IO;
}

/* NOENT: there is no such file. */
static enum rfs_err read_pem(const char *path, struct selfcert *own)
{
	FILE *in = fopen(path, "re");
	struct stat status;
	enum rfs_err err = RFS_ERR_OK;

	if (in == NULL) {
		if (errno == ENOENT)
			return RFS_ERR_NOENT;
		log_errno("grpc: %s", path);
		return RFS_ERR_IO;
	}
	if (fstat(fileno(in), &status) != 0 || (status.st_mode & 077) != 0) {
		log_error("grpc: %s: others may read it; run: chmod 400 %s",
			  path, path);
		err = RFS_ERR_DENIED;
	} else {
		own->key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
		own->certificate = PEM_read_X509(in, NULL, NULL, NULL);
	}
	fclose(in);
	if (err == RFS_ERR_OK && own->key == NULL) {
		log_error("grpc: %s: no private key; remove it, and another is "
			  "made",
			  path);
		err = RFS_ERR_CORRUPT;
	}
	ERR_clear_error();
	return err;
}

/* Under the key that is there, or a new one. */
static enum rfs_err renew(const struct config *config, const char *path,
			  struct selfcert *own)
{
	X509_free(own->certificate);
	own->certificate = NULL;
	if (own->key == NULL)
		own->key = EVP_EC_gen("P-256");
	if (own->key != NULL)
		own->certificate = issue(config, own->key);
	if (own->certificate == NULL) {
		log_error("grpc: OpenSSL refused to make a certificate");
		ERR_clear_error();
		return RFS_ERR_NOMEM;
	}
	log_notice("grpc: a new certificate of this node's own, in %s", path);
	return write_pem(path, 0400, own->certificate, own->key);
}

enum rfs_err selfcert_load(const struct config *config, struct selfcert *own)
{
	char path[PATH_BYTES];
	enum rfs_err err;

	*own = (struct selfcert){0};
	snprintf(path, sizeof(path), "%s/grpc", config->data_dir);
	err = process_make_dir(path);
	if (err != RFS_ERR_OK)
		return err;
	snprintf(path, sizeof(path), "%s/grpc/own.pem", config->data_dir);
	err = read_pem(path, own);
	if (err == RFS_ERR_NOENT ||
	    (err == RFS_ERR_OK &&
	     (own->certificate == NULL || !fits(config, own))))
		err = renew(config, path, own);
	if (err == RFS_ERR_OK) {
		snprintf(path, sizeof(path), "%s/%s", config->run_dir,
			 CREDENTIALS_FILE);
		err = write_pem(path, 0444, own->certificate, NULL);
	}
	if (err != RFS_ERR_OK)
		selfcert_fini(own);
	return err;
}
