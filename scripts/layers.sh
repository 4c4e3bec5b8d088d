#!/usr/bin/env bash
# Directions of includes (docs/architecture.md): prints every line that breaks
# one and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

bad=0

# rule WHERE ALLOWED WHY: quoted includes in files below WHERE (a pathspec
# list) must match the extended regular expression ALLOWED.
rule() {
  local where=$1 allowed=$2 why=$3 found
  # shellcheck disable=SC2086
  found=$(git ls-files -co --exclude-standard -- $where |
    grep -E '\.(c|h|cc|hpp|def)$' |
    xargs -r grep -nE '^ *# *include +"' /dev/null |
    grep -vE "include +\"($allowed)" || true)
  report "$found" "$why"
}

# only WHO HEADER WHY: the system header may be included by WHO alone.
only() {
  local who=$1 header=$2 why=$3 found
  found=$(git ls-files -co --exclude-standard -- ir passes exec serialize \
    include tools examples | grep -E '\.(c|h)$' |
    xargs -r grep -nE "^ *# *include +[<\"]$header" /dev/null |
    grep -vE "^($who):" || true)
  report "$found" "$why"
}

report() {
  [ -n "$1" ] || return 0
  printf '%s:\n%s\n' "$2" "$1" >&2
  bad=1
}

rule include 'tapeir/' 'public headers stand alone'
rule ir/base 'tapeir/base\.h|ir/base/' 'ir/base knows only itself'
rule ir 'tapeir/|ir/' 'ir knows nothing above it'
rule passes 'tapeir/|ir/|passes/' 'passes know ir'
rule serialize 'tapeir/|ir/|serialize/|tapeir\.pb-c\.h' 'serialize knows ir'
rule exec 'tapeir/|ir/|passes/|exec/' 'exec knows passes and ir'
rule tools 'tapeir/|tools/|[a-z_]+\.h' 'tools are built on public headers'
rule examples 'tapeir/|examples/|[a-z_]+\.h' 'examples are built on public headers'
rule bench 'tapeir/|bench/|[a-z_]+\.h' 'benchmarks are built on public headers'

only 'exec/blas\.c' '(cblas|lapacke|openblas)' 'only exec/blas.c knows BLAS'
only '(exec/threads\.[ch]|examples/two_threads\.c)' 'pthread' \
  'only exec/threads.* knows threads'
only 'serialize/[a-z_/]*\.[ch]' 'protobuf' 'only serialize knows protobuf'
only 'tools/[a-z_/]*\.[ch]' 'jansson' 'only tools know JSON'
only 'ir/base/hash\.c' 'xxhash' 'only ir/base/hash.c knows xxHash'

[ "$bad" = 0 ] && echo "layers: ok"
exit "$bad"
