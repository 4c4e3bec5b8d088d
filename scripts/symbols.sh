#!/usr/bin/env bash
# symbols.sh LIBRARY: what the shared library exports must be exactly what the
# public headers declare with TIR_API.
set -euo pipefail
library=$(realpath "$1")
cd "$(dirname "$0")/.."

declared=$(cat include/tapeir/*.h include/tapeir/ops/*.h | tr '\n' ' ' |
  grep -oE 'TIR_API [a-z0-9_ *]*tir_[a-z0-9_]+\(' |
  grep -oE 'tir_[a-z0-9_]+\($' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
  sed 's/@.*//' | sort -u)
if ! difference=$(diff <(echo "$declared") <(echo "$exported")); then
  printf 'declared (<) and exported (>) symbols differ:\n%s\n' \
    "$difference" >&2
  exit 1
fi

soname=$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')
[ "$soname" = libtapeir.so.0 ] || {
  echo "SONAME is $soname, expected libtapeir.so.0" >&2
  exit 1
}

# The library links these and nothing else; OpenBLAS is opened on demand.
extra=$(objdump -p "$library" | awk '$1 == "NEEDED" { print $2 }' |
  grep -vE '^(libc|libm|libpthread|libdl|libprotobuf-c|ld-linux.*)\.so' ||
  true)
[ -z "$extra" ] || {
  printf 'links more than it may:\n%s\n' "$extra" >&2
  exit 1
}
echo "symbols: $(echo "$exported" | wc -l) exported, as declared"
