/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

static rc fail(struct err *e, const char *what, const char *path)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(e, RC_CODE_IO, "TLS: %s %s: %s", what, path, text);
}

rc tls_server_open(struct tls_server **out, const char *cert_pem, const char *key_pem,
                   struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    ASSERT(ctx != NULL);
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    rc r = RC_OK;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_pem) != 1) {
        r = fail(e, "certificate", cert_pem);
    } else if (SSL_CTX_use_PrivateKey_file(ctx, key_pem, SSL_FILETYPE_PEM) != 1 ||
               SSL_CTX_check_private_key(ctx) != 1) {
        r = fail(e, "key", key_pem);
    }
    if (!rc_ok(r)) {
        SSL_CTX_free(ctx);
        return r;
    }
    *out = (struct tls_server *)ctx; /* both structs are names for OpenSSL's own */
    return RC_OK;
}

void tls_server_close(struct tls_server *s)
{
    SSL_CTX_free((SSL_CTX *)s);
}

struct tls *tls_accept(struct tls_server *s, int fd)
{
    SSL *ssl = SSL_new((SSL_CTX *)s);
    ASSERT(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    SSL_set_accept_state(ssl);
    return (struct tls *)ssl;
}

void tls_free(struct tls *t)
{
    if (t != NULL) {
        (void)SSL_shutdown((SSL *)t);
        ERR_clear_error();
        SSL_free((SSL *)t);
    }
}

static long outcome(SSL *ssl, int n)
{
    if (n > 0) {
        return n;
    }
    int why = SSL_get_error(ssl, n);
    ERR_clear_error();
    switch (why) {
    case SSL_ERROR_WANT_READ:
        return TLS_AGAIN_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_AGAIN_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return TLS_ERROR;
    }
}

long tls_read(struct tls *t, void *p, size_t n)
{
    return outcome((SSL *)t, SSL_read((SSL *)t, p, (int)MIN(n, (size_t)INT_MAX)));
}

long tls_write(struct tls *t, const void *p, size_t n)
{
    return outcome((SSL *)t, SSL_write((SSL *)t, p, (int)MIN(n, (size_t)INT_MAX)));
}

bool tls_pending(const struct tls *t)
{
    return SSL_pending((const SSL *)(const void *)t) > 0;
}
