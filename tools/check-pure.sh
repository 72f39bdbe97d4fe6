#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check-pure.sh BUILD - chain/state, chain/poco and attest may call nothing but the pure folders and
# the libraries named here: no clock, file, socket, random number, locale or thread.
set -eu
b=$1
pure="base crypto encoding iface attest chain/state chain/poco"
libc="vsnprintf __vsnprintf_chk memcpy memmem memmove memset memcmp memchr strlen strcmp strncmp strchr strrchr strnlen bsearch qsort abort snprintf __snprintf_chk __memcpy_chk __memmove_chk __memset_chk __stack_chk_fail __ubsan __asan strtoul strtoull fputs stderr free calloc malloc realloc"
: > "$b/pure.def"
for d in $pure; do
    [ -d "$b/src/$d" ] && nm --defined-only "$b/src/$d"/*.o 2>/dev/null | awk 'NF==3{print $3}' >> "$b/pure.def"
done
sort -u -o "$b/pure.def" "$b/pure.def"
bad=0
for d in attest chain/state chain/poco; do
    ls "$b/src/$d"/*.o >/dev/null 2>&1 || continue
    for s in $(nm -u "$b/src/$d"/*.o | awk '/ U /{print $2}' | sort -u | grep -vxF -f "$b/pure.def"); do
        case " $libc " in *" $s "*) continue ;; esac
        case $s in json_* | __ubsan_* | __asan_* | __gcov_* | _GLOBAL_OFFSET_TABLE_) continue ;; esac
        echo "src/$d calls $s: not allowed in a pure folder"; bad=1
    done
done
exit $bad
