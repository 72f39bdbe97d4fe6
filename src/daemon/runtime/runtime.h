/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_RUNTIME_RUNTIME_H
#define SOUK_DAEMON_RUNTIME_RUNTIME_H

/* runtime.h - applications as images, one task run under stated limits, and what comes out of it.
 *
 * 1. Images. An application is an OCI image layout packed in a tar (index.json, oci-layout,
 *    blobs/sha256/...), named by the digest of its manifest, "sha256:<64 hex>". image_pack() writes
 *    the same bytes for the same files on any machine. image_read() checks every digest.
 *    image_unpack() lays the root filesystem out once, in a cache named by the digest.
 * 2. Tasks. runtime_run() starts the application in its own pid, mount, ipc, uts, network and
 *    cgroup namespaces (and user namespace, when we are not root), on the read-only image, without
 *    network, with all capabilities gone, Landlock, a seccomp allowlist, rlimits and a cgroup.
 *    Whatever it leaves behind dies with it.
 * 3. Results. collect: regular files and folders only. SPEC sdk-surface 10: computed.json and its
 *    digest; the result zip is the same bytes for the same files.
 *
 * What this does not do: it does not protect against a bug in the kernel, nor the application from
 * the machine's owner. Side channels between tasks on one machine are not closed. */

#include "base/arena.h"
#include "base/buf.h"

/* ---- images ---- */

#define IMAGE_DIGEST_LEN   71 /* "sha256:" and 64 hex digits */
#define IMAGE_JSON_MAX     ((size_t)1 << 20)
#define IMAGE_LAYERS_MAX   64
#define IMAGE_BLOBS_MAX    256
#define IMAGE_FILES_MAX    200000              /* entries of all layers */
#define IMAGE_UNPACKED_MAX ((uint64_t)4 << 30) /* bytes of all layers: 4 GiB */
#define IMAGE_ARGS_MAX     256                 /* words of entrypoint, cmd or env */
#define IMAGE_ARENA_MAX    ((size_t)16 << 20)

struct image_layer {
    struct hash digest;  /* of the blob */
    struct hash diff_id; /* of the tar in it */
    uint64_t size;       /* bytes of the blob */
    bool gzip;
};

/* Text lives in the arena that the function got. Lists end with NULL. */
struct image {
    char digest[IMAGE_DIGEST_LEN + 1];
    const char *const *entrypoint; /* never empty in an image that image_read() accepts */
    const char *const *cmd;        /* default arguments, replaced by the task's */
    const char *const *env;        /* "NAME=value" */
    const char *workdir;           /* "/" when the image says nothing */
    struct image_layer layers[IMAGE_LAYERS_MAX];
    size_t layers_n;
    const char *rootfs; /* folder in the cache; NULL until unpacked */
};

struct image_pack_spec {
    const char *rootfs;            /* folder with the files */
    const char *const *entrypoint; /* ends with NULL */
    const char *const *cmd;        /* NULL: none */
    const char *const *env;        /* NULL: none */
    const char *workdir;           /* NULL: "/" */
};

/* Writes the image to out (atomically) and its digest. Names sorted, times zero, owner 0:0, modes
 * 0755 or 0644, no compression. MALFORMED for what an image may not hold: devices, sockets, pipes,
 * names beginning with ".wh.", a /tmp, /dev, /proc, /iexec_in or /iexec_out that is no folder. */
rc image_pack(const struct image_pack_spec *spec, const char *out,
              char digest[IMAGE_DIGEST_LEN + 1], struct err *e);

/* Reads and checks the whole file: layout, every blob against its name, sizes, manifest, config,
 * layer contents. MALFORMED says what is wrong; LIMIT when it is larger than we take. */
rc image_read(struct image *out, struct arena *a, const char *file, struct err *e);

/* As image_read() on an open file, which is left anywhere. */
rc image_read_fd(struct image *out, struct arena *a, int fd, struct err *e);

/* image_read(), the digest compared with `expected` (NULL: any), then unpacked to
 * cache_dir/<64 hex>/rootfs unless it is there. Safe beside other processes doing the same. */
rc image_unpack(struct image *out, struct arena *a, const char *file, const char *expected,
                const char *cache_dir, struct err *e);

/* An image unpacked earlier; NOT_FOUND when it is not in the cache. */
rc image_cached(struct image *out, struct arena *a, const char *digest, const char *cache_dir,
                struct err *e);

/* "sha256:<64 lower-case hex>" to its 32 bytes (the app's checksum on the chain); MALFORMED. */
rc image_digest_parse(struct hash *out, const char *text);

/* ---- tasks ---- */

struct run_limits {
    uint64_t wall_ms;    /* then everything is killed */
    uint64_t cpu_ms;     /* of all processes together where the host counts it, else of each */
    uint64_t memory;     /* bytes, /tmp and /iexec_out included */
    uint64_t processes;  /* processes and threads */
    uint64_t tmp_size;   /* bytes in /tmp */
    uint64_t out_size;   /* bytes in /iexec_out */
    uint64_t out_files;  /* files and folders in /iexec_out */
    uint64_t file_size;  /* bytes of one file */
    uint64_t open_files; /* descriptors */
    size_t log_size;     /* bytes kept of stdout, and of stderr */
};

/* 5 min wall and cpu, 1 GiB, 64 processes, 64 MiB tmp, 256 MiB and 1,000 files out, 256 descriptors,
 * 100,000 bytes of each log (offchain 1.1). */
struct run_limits run_limits_default(void);

struct run_spec {
    const struct image *image; /* unpacked */
    const char *const *args;   /* after the entrypoint; NULL: the image's cmd */
    const char *const *env;    /* after the image's env, winning over it; NULL: none */
    const char *in_dir;        /* seen as /iexec_in, read-only; NULL: an empty folder. When we are
                                   root its files are made readable (a+rX) for the task's user */
    const char *out_dir;       /* gets a copy of /iexec_out when the application has ended (made
                                   when absent, must be empty); NULL: nothing is kept */
    bool proc;                 /* mount a /proc that shows the task's processes alone */
    struct run_limits limits;
    const int *cancel_fd; /* readable: kill and return RUN_CANCELLED; NULL: none */
    const char *name;     /* for the cgroup and notes, e.g. the task id; NULL: the pid */
};

enum run_end {
    RUN_EXITED,    /* by itself: exit_code */
    RUN_SIGNALED,  /* by a signal of its own or a limit per process: exit_code = 128 + signal */
    RUN_TIMEOUT,   /* wall time */
    RUN_CPU,       /* cpu time */
    RUN_MEMORY,    /* memory */
    RUN_CANCELLED, /* cancel_fd */
    RUN_OUTPUT,    /* what it wrote is refused: `why` says what */
};

#define RUN_WHY_MAX 200

struct run_result {
    enum run_end end;
    int exit_code;         /* 0..255; 124 timeout, 137 killed */
    char why[RUN_WHY_MAX]; /* one sentence when end is not RUN_EXITED, else "" */
    uint64_t wall_ms, cpu_ms;
    uint64_t memory_peak; /* bytes; 0: this host does not count it */
    uint64_t out_size, out_files;
    struct buf out, err; /* stdout and stderr, at most log_size and a line that says what was cut */
    uint64_t out_dropped, err_dropped; /* bytes not kept */
    struct buf notes; /* lines for the task's log: which limits this host cannot enforce */
};

void run_result_free(struct run_result *r);
const char *run_end_name(enum run_end end); /* "exited", "timeout", ... */

/* Runs to the end. OK whatever the application did; else it did not run: DENIED where isolation
 * itself is missing on this host, IO, LIMIT, MALFORMED for a bad spec. Blocks; call it in a process
 * or thread of its own. On return nothing of the task is left but out_dir. */
rc runtime_run(const struct run_spec *spec, struct run_result *out, struct err *e);

/* Splits a command line (the deal's iexec_args) as a shell would: blanks separate, '...' and "..."
 * hold together, backslash takes the next character. Nothing is expanded. MALFORMED for an open
 * quote; LIMIT beyond IMAGE_ARGS_MAX words. */
rc run_args_parse(const char *const **out, struct arena *a, const char *line, struct err *e);

/* ---- results ---- */

#define RESULT_NAME_MAX 31                  /* SPEC sdk-surface 10: longer names are refused */
#define COMPUTED_MAX    ((size_t)256 << 10) /* bytes of computed.json */
#define CALLBACK_MAX    ((size_t)100 << 10) /* bytes of callback data */

struct computed {
    const char *path;      /* deterministic-output-path, below /iexec_out; NULL when absent */
    struct bytes callback; /* callback-data, decoded */
    bool has_callback;
};

/* computed.json as the application wrote it. */
rc computed_parse(struct computed *out, struct arena *a, struct bytes json, struct err *e);

struct run_digest {
    struct computed computed;
    struct hash digest; /* resultDigest: what contributes and reveals are made of */
};

/* Reads out_dir/computed.json and makes the digest. With a callback: keccak256 of its bytes. File:
 * its sha256. Folder: keccak256 of the concatenated sha256 of its direct children, by name.
 * NOT_FOUND without computed.json or without the file it names; MALFORMED, LIMIT. */
rc result_digest(struct run_digest *out, struct arena *a, const char *out_dir, struct err *e);

/* The zip of a folder: names sorted, times fixed, deflate. DENIED when a name is longer than
 * RESULT_NAME_MAX or something is neither file nor folder; LIMIT when the zip passes zip->cap. */
rc result_zip(struct buf *zip, const char *dir, struct err *e);

struct zip_entry {
    const char *name;
    struct bytes data;
};

rc zip_put(struct buf *zip, const struct zip_entry *entries, size_t n, struct err *e);

/* Reads a small zip (an encrypted result) into the arena: at most max_n entries, max bytes in all.
 * Folders are skipped. MALFORMED, LIMIT. */
rc zip_parse(struct zip_entry *out, size_t *n, size_t max_n, struct arena *a, struct bytes zip,
             struct err *e);

/* Unpacks a result zip below dir (made when absent): regular files and folders, no ".." */
rc zip_unpack(const char *dir, struct bytes zip, uint64_t max, struct err *e);

#endif /* SOUK_DAEMON_RUNTIME_RUNTIME_H */
