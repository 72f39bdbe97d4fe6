/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_WS_CLIENT_H
#define SOUK_IO_WS_CLIENT_H

/* ws_client.h - a WebSocket client on the loop (RFC 6455): text messages, no extensions, no TLS. It
 * never blocks but for the resolution of a host name. */

#include "io/loop.h"

struct ws_client;

struct ws_client_config {
    const char *url;    /* "http://127.0.0.1:8545" or "ws://…"; a path may follow */
    size_t message_max; /* bytes; longer closes; 0: 1 MiB */
    void *ctx;
    void (*on_open)(void *ctx, struct ws_client *w);
    void (*on_text)(void *ctx, struct ws_client *w, struct bytes text);

    /* The connection failed or ended; w is gone after it. Never called by ws_client_close(). */
    void (*on_close)(void *ctx, const char *why);
};

/* Starts to connect. NOT_FOUND for an address that is not http:// or ws://. */
rc ws_client_open(struct ws_client **out, struct loop *l, const struct ws_client_config *cfg,
                  struct err *e);
void ws_client_close(struct ws_client *w); /* NULL is allowed */

/* After on_open. Queued when the socket is full. */
void ws_client_send(struct ws_client *w, struct bytes text);

/* One frame of a server at the front of `in`. *whole: head and payload are all there, the payload
 * starts at `head`. MALFORMED for masked frames, reserved bits, bad control frames. */
struct ws_server_frame {
    bool fin;
    unsigned opcode;
    uint64_t size;
    size_t head;
};

rc ws_server_frame_parse(struct ws_server_frame *f, struct bytes in, bool *whole);

/* Checks a server's handshake: *size is its length in bytes, 0 while it is not all there. */
rc ws_handshake_parse(size_t *size, struct bytes in, const char *accept);

#endif /* SOUK_IO_WS_CLIENT_H */
