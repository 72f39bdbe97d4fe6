/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/runtime/runtime.h"
#include "io/file.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An image file: read, and when it is accepted, unpacked below a folder that must hold all of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct image img;
    struct err e;
    int fd = memfd_create("image", 0);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    arena_init(&a, IMAGE_ARENA_MAX);
    if (rc_ok(image_read_fd(&img, &a, fd, &e))) {
        CHECK(img.entrypoint[0] != NULL && img.layers_n > 0);
        char dir[] = "/tmp/souk-fuzz.XXXXXX", path[64];
        CHECK(mkdtemp(dir) != NULL);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (rc_ok(image_unpack(&img, &a, path, img.digest, dir, &e))) {
            struct image again;
            CHECK(rc_ok(image_cached(&again, &a, img.digest, dir, &e)));
        }
        CHECK(rc_ok(dir_remove(dir, &e)));
    }
    arena_reset(&a);
    (void)close(fd);
    return 0;
}
