/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_FILE_H
#define SOUK_IO_FILE_H

/* file.h - files, read whole and written so that a crash leaves the old or the new contents. */

#include "base/arena.h"
#include "base/buf.h"

#define FILE_PATH_MAX 4096 /* bytes, NUL included */

void fd_close(int *fd); /* closes unless negative; for the cleanup attribute */

#define CLOSE_FD __attribute__((cleanup(fd_close))) int

/* "dir/name"; LIMIT when it does not fit. */
rc path_join(char out[FILE_PATH_MAX], const char *dir, const char *name, struct err *e);

/* Appends the whole file to out; LIMIT when out's cap would be passed, NOT_FOUND, IO. */
rc file_read(struct buf *out, const char *path, struct err *e);

/* As file_read(), at most max bytes, into an arena with a NUL behind them that is not counted. */
rc file_read_arena(struct bytes *out, struct arena *a, const char *path, size_t max, struct err *e);

/* Temporary file, fsync, rename, fsync of the folder. mode as in open(2), e.g. 0600 for keys. */
rc file_write(const char *path, struct bytes data, unsigned mode, struct err *e);

/* As file_write() but fails with DENIED when the file exists. */
rc file_create(const char *path, struct bytes data, unsigned mode, struct err *e);

bool file_exists(const char *path);
rc file_size(uint64_t *out, const char *path, struct err *e);

/* Makes the folder and those above it; fine when it is there. */
rc dir_make(const char *path, unsigned mode, struct err *e);

/* Removes a folder and all below it without following links. */
rc dir_remove(const char *path, struct err *e);

/* Makes dir when needed and locks it for this process: *fd holds the lock until it is closed.
 * DENIED, with the holder's process id in the message, when another process has it. A holder that
 * is dead, but whose children still die, is waited for, three seconds at most. */
rc dir_lock(int *fd, const char *dir, struct err *e);

/* All bytes or an error; for pipes and sockets that block. */
rc fd_write_all(int fd, struct bytes data, struct err *e);

#endif /* SOUK_IO_FILE_H */
