#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check-layers.sh - every #include "dir/x.h" in src/ must be allowed by src/LAYERS,
# and *_int.h may only be included from its own folder.
set -eu
cd "$(dirname "$0")/.."
bad=0
for d in src/*/ src/*/*/; do
    ls "$d"*.[ch] >/dev/null 2>&1 || continue
    d=${d#src/}
    d=${d%/}
    grep -q "^$d:" src/LAYERS || { echo "src/LAYERS: no line for $d"; bad=1; }
    allowed=" $d $(sed -n "s#^$d: *##p" src/LAYERS) "
    # shellcheck disable=SC2013
    for inc in $(cat "src/$d"/*.[ch] | grep -hoE '^#include "[^"]+"' | sed 's/#include "\(.*\)"/\1/' | sort -u); do
        dep=${inc%/*}
        case $allowed in *" $dep "*) ;; *) echo "src/$d: may not include $inc (see src/LAYERS)"; bad=1 ;; esac
        case $inc in *_int.h) [ "$dep" = "$d" ] || { echo "src/$d: private header $inc"; bad=1; } ;; esac
    done
done
exit $bad
