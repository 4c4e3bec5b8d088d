#!/usr/bin/env bash
# tidy.sh BUILD: clang-tidy on the C sources changed since the base commit
# (TAPEIR_BASE; default: where the branch left origin, else the last commit).
set -euo pipefail
build=$1
cd "$(dirname "$0")/.."

base=${TAPEIR_BASE:-$(git merge-base HEAD '@{upstream}' 2>/dev/null || true)}
if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
  base=$(git rev-parse -q --verify HEAD~1 || git rev-parse HEAD)
fi
files=$(git diff --name-only --diff-filter=d "$base" -- \
  'ir/*.c' 'passes/*.c' 'exec/*.c' 'serialize/*.c' 'tools/*.c' |
  grep -v '^exec/kernels/levels/' || true)
if [ -z "$files" ]; then
  echo "tidy: no C source changed"
  exit 0
fi
echo "$files" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet
echo "tidy: $(echo "$files" | wc -l) files ok"
