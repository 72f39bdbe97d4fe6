/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - the application's image by its digest, the dataset by its checksum, input files. Images
 * and datasets are kept under their digests; what is kept was checked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sha2.h"
#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"

static rc state_path(struct job *j, char out[FILE_PATH_MAX], const char *dir, const char *name,
                     struct err *e)
{
    char folder[FILE_PATH_MAX];
    TRY(path_join(folder, j->cfg->state, dir, e));
    TRY(dir_make(folder, 0755, e));
    return path_join(out, folder, name, e);
}

/* Children that need the same thing wait for the one that fetches it. */
static rc lock_file(int *fd, const char *path, struct err *e)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (*fd >= 0 && flock(*fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            fd_close(fd);
        }
    }
    return *fd >= 0 ? RC_OK : err_set(e, RC_CODE_IO, "lock %s: %s", path, strerror(errno));
}

/* An absent thing is looked for again in a moment; anything else that is wrong stays wrong. */
static rc fetch_failed(struct job *j, struct err *e, rc r, const char *cause)
{
    return r.code == RC_CODE_IO || r.code == RC_CODE_LIMIT || r.code == RC_CODE_NOT_FOUND
               ? (j->cause = cause, r)
               : job_fail(j, e, cause, "%s", e != NULL ? e->msg : "");
}

static rc download(struct job *j, const char *path, struct bytes location, struct err *e)
{
    uint64_t size;
    CLOSE_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
    }
    return store_fetch(client_http(j->chain), fd, &size, j->cfg->gateway, location,
                       j->cfg->data_max, e);
}

/* Downloads the image to `to` unless it is there, and checks it. An enclave's agent reads the file,
 * a plain task runs what was unpacked from it. */
static rc image_to_file(struct job *j, const char *to, const char *digest, struct err *e)
{
    char tmp[FILE_PATH_MAX], name[32];
    (void)snprintf(name, sizeof(name), "image.%d", (int)getpid());
    TRY(state_path(j, tmp, "tmp", name, e));
    rc r = download(j, tmp, j->app.multiaddr, e);
    if (!rc_ok(r)) {
        (void)unlink(tmp);
        return fetch_failed(j, e, r, "APP_IMAGE_DOWNLOAD_FAILED");
    }
    r = image_read(&j->image, j->a, tmp, e);
    if (!rc_ok(r) || strcmp(j->image.digest, digest) != 0) {
        (void)unlink(tmp);
        return job_fail(j, e, "APP_IMAGE_DOWNLOAD_FAILED",
                        "the application's image is not what the chain names: %s",
                        rc_ok(r) ? j->image.digest : e->msg);
    }
    if (rename(tmp, to) != 0) {
        return err_set(e, RC_CODE_IO, "keep the image: %s", strerror(errno));
    }
    return RC_OK;
}

rc fetch_image(struct job *j, struct err *e)
{
    char digest[IMAGE_DIGEST_LEN + 1], cache[FILE_PATH_MAX], lock[FILE_PATH_MAX], name[80];
    CLOSE_FD fd = -1;
    BUF_FREE text = buf_new(IMAGE_DIGEST_LEN + 1);
    bool tee = tag_is_tee(j->deal.tag);
    put_str(&text, "sha256:");
    put_hex(&text, BYTES_OF(j->app.checksum));
    (void)snprintf(digest, sizeof(digest), "%s", buf_cstr(&text));
    (void)snprintf(name, sizeof(name), "%s.tar", digest + 7);
    TRY(state_path(j, j->image_file, "image-files", name, e));
    TRY(path_join(cache, j->cfg->state, "images", e));
    TRY(dir_make(cache, 0755, e));
    rc r = tee ? RC(NOT_FOUND) : image_cached(&j->image, j->a, digest, cache, e);
    if (r.code != RC_CODE_NOT_FOUND || (tee && file_exists(j->image_file))) {
        return tee ? RC_OK : r;
    }
    TRY(state_path(j, lock, "tmp", "image.lock", e));
    TRY(lock_file(&fd, lock, e)); /* others wait and find it */
    if (!file_exists(j->image_file)) {
        TRY(image_to_file(j, j->image_file, digest, e));
    }
    return tee ? RC_OK : image_unpack(&j->image, j->a, j->image_file, digest, cache, e);
}

/* --- datasets --- */

static rc file_sha256(struct hash *out, const char *path, struct err *e)
{
    static uint8_t part[1 << 16];
    struct sha256 s;
    CLOSE_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
    }
    sha256_init(&s);
    for (;;) {
        ssize_t n = read(fd, part, sizeof(part));
        if (n < 0 && errno != EINTR) {
            return err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        sha256_add(&s, (struct bytes){part, n > 0 ? (size_t)n : 0});
    }
    *out = sha256_done(&s);
    return RC_OK;
}

/* Removes the oldest until the folder fits. */
static void trim_cache(const char *dir, uint64_t max)
{
    for (int round = 0; round < 1000; round++) {
        DIR *d = opendir(dir);
        struct dirent *ent;
        char oldest[256] = "";
        uint64_t total = 0;
        time_t when = 0;
        while (d != NULL && (ent = readdir(d)) != NULL) {
            struct stat st;
            if (fstatat(dirfd(d), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
                !S_ISREG(st.st_mode) || strlen(ent->d_name) != 64) {
                continue;
            }
            total += (uint64_t)st.st_size;
            if (oldest[0] == '\0' || st.st_atime < when) {
                (void)snprintf(oldest, sizeof(oldest), "%s", ent->d_name);
                when = st.st_atime;
            }
        }
        if (d != NULL && total > max && oldest[0] != '\0') {
            (void)unlinkat(dirfd(d), oldest, 0); /* a task that links to it keeps it */
        }
        if (d != NULL) {
            (void)closedir(d);
        }
        if (total <= max || oldest[0] == '\0') {
            return;
        }
    }
}

/* The file as the chain's checksum names it; links it as `to`. SPEC offchain 2.2, DOWNLOAD_DATA */
static rc fetch_dataset(struct job *j, const char *to, struct err *e)
{
    char kept[FILE_PATH_MAX], tmp[FILE_PATH_MAX], name[80], dir[FILE_PATH_MAX];
    struct hash got;
    BUF_FREE text = buf_new(80);
    put_hex(&text, BYTES_OF(j->dataset.checksum));
    TRY(state_path(j, kept, "data", buf_cstr(&text), e));
    if (link(kept, to) == 0) {
        return RC_OK;
    }
    (void)snprintf(name, sizeof(name), "data.%d", (int)getpid());
    TRY(state_path(j, tmp, "tmp", name, e));
    rc r = download(j, tmp, j->dataset.multiaddr, e);
    if (!rc_ok(r)) {
        (void)unlink(tmp);
        return fetch_failed(j, e, r, "DATASET_FILE_DOWNLOAD_FAILED");
    }
    r = file_sha256(&got, tmp, e);
    if (rc_ok(r) && !hash_eq(got, j->dataset.checksum)) {
        (void)unlink(tmp);
        return job_fail(j, e, "DATASET_FILE_BAD_CHECKSUM",
                        "the dataset's file is not the one that its owner registered");
    }
    if (rc_ok(r) && (rename(tmp, kept) != 0 || link(kept, to) != 0)) {
        r = err_set(e, RC_CODE_IO, "keep the dataset: %s", strerror(errno));
    }
    (void)unlink(tmp);
    TRY(r);
    TRY(path_join(dir, j->cfg->state, "data", e));
    trim_cache(dir, j->cfg->cache_max);
    return RC_OK;
}

rc fetch_data(struct job *j, struct err *e)
{
    char in[FILE_PATH_MAX], to[FILE_PATH_MAX], address[HEX_ADDRESS_MAX], name[HEX_HASH_MAX];
    TRY(path_join(in, j->dir, "in", e));
    TRY(dir_make(in, 0755, e));
    if (!address_is_zero(j->deal.dataset.pointer)) {
        TRY(path_join(to, in, hex_address(address, j->deal.dataset.pointer), e));
        if (!file_exists(to)) {
            TRY(fetch_dataset(j, to, e));
        }
    }
    for (size_t i = 0; i < j->params.n_inputs; i++) {
        struct bytes url = bytes_str(j->params.inputs[i]);
        TRY(path_join(to, in, hex_hash(name, sha256(url)), e)); /* SPEC offchain 2.2 */
        rc r = download(j, to, url, e);
        if (!rc_ok(r)) {
            (void)unlink(to);
            return fetch_failed(j, e, r, "INPUT_FILES_DOWNLOAD_FAILED");
        }
    }
    return RC_OK;
}
