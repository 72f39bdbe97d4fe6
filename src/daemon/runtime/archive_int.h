/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_RUNTIME_ARCHIVE_INT_H
#define SOUK_DAEMON_RUNTIME_ARCHIVE_INT_H

/* archive_int.h - tar and zip over libarchive, the only file that knows it. Readers take exactly
 * the formats that we name: no other of libarchive's parsers is ever reached. */

#include "base/arena.h"
#include "base/buf.h"

/* ---- writing a tar: times 0, owner 0:0, no padding beyond the two end blocks ---- */

struct tar_out;

/* Writes to fd (borrowed) from where it stands. */
rc tar_out_open(struct tar_out **out, int fd, struct err *e);
rc tar_out_dir(struct tar_out *t, const char *name, struct err *e);
rc tar_out_link(struct tar_out *t, const char *name, const char *target, struct err *e);

/* A regular file: size bytes from fd. IO when fd holds fewer. */
rc tar_out_fd(struct tar_out *t, const char *name, bool exec, int fd, uint64_t size, struct err *e);
rc tar_out_bytes(struct tar_out *t, const char *name, struct bytes data, struct err *e);

/* Ends the archive: its sha256 and size. Frees t in any case. */
rc tar_out_close(struct tar_out *t, struct hash *digest, uint64_t *size, struct err *e);
void tar_out_drop(struct tar_out **t); /* for the cleanup attribute; NULL is fine */

/* ---- reading ---- */

struct tar_in;

enum tar_kind { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK, TAR_OTHER };

struct tar_entry {
    const char *name;   /* as written, valid until the next entry; never NULL */
    const char *target; /* of links; else NULL */
    enum tar_kind kind;
    uint64_t size; /* what the header claims; what is read counts */
    bool exec;
};

enum tar_mode { TAR_PLAIN, TAR_GZIP };

/* An uncompressed tar in fd (borrowed), from its beginning. */
rc tar_in_open_fd(struct tar_in **out, int fd, struct err *e);

/* The tar in the current entry of outer, which must outlive it. */
rc tar_in_open_entry(struct tar_in **out, struct tar_in *outer, enum tar_mode mode, struct err *e);

/* *more false at the end. */
rc tar_in_next(struct tar_in *t, struct tar_entry *entry, bool *more, struct err *e);

/* Contents of the current entry; *n 0 at its end. */
rc tar_in_read(struct tar_in *t, uint8_t *p, size_t size, size_t *n, struct err *e);

/* For a tar in an entry: reads what is left of that entry and answers its sha256 and size. */
rc tar_in_drain(struct tar_in *t, struct hash *digest, uint64_t *size, struct err *e);
void tar_in_close(struct tar_in **t); /* for the cleanup attribute; NULL is fine */

#define TAR_IN_CLOSE __attribute__((cleanup(tar_in_close))) struct tar_in

/* ---- zip ---- */

struct zip_out;

rc zip_out_open(struct zip_out **out, struct buf *zip, struct err *e);
rc zip_out_dir(struct zip_out *z, const char *name, struct err *e);
rc zip_out_fd(struct zip_out *z, const char *name, int fd, uint64_t size, struct err *e);
rc zip_out_bytes(struct zip_out *z, const char *name, struct bytes data, struct err *e);
rc zip_out_close(struct zip_out *z, struct err *e); /* frees z in any case */

/* A zip in memory, read with tar_in_next() and tar_in_read(). */
rc zip_in_open(struct tar_in **out, struct bytes zip, struct err *e);

#endif /* SOUK_DAEMON_RUNTIME_ARCHIVE_INT_H */
