/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_TLS_H
#define SOUK_IO_TLS_H

/* tls.h - the server side of TLS 1.2 and 1.3 over sockets that do not block. */

#include "base/rc.h"

struct tls_server; /* certificate and key */
struct tls;        /* one connection */

rc tls_server_open(struct tls_server **out, const char *cert_pem, const char *key_pem,
                   struct err *e);
void tls_server_close(struct tls_server *s); /* NULL is allowed */

struct tls *tls_accept(struct tls_server *s, int fd); /* the handshake runs in the first reads */
void tls_free(struct tls *t);                         /* NULL is allowed; fd stays open */

enum { TLS_AGAIN_READ = -1, TLS_AGAIN_WRITE = -2, TLS_ERROR = -3 };

/* Bytes moved (0: the peer closed), or one of the above. */
long tls_read(struct tls *t, void *p, size_t n);
long tls_write(struct tls *t, const void *p, size_t n);
bool tls_pending(const struct tls *t); /* bytes are there that poll does not see */

#endif /* SOUK_IO_TLS_H */
