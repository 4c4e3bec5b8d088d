#!/usr/bin/env bash
# What the compiler does not check: sizes, columns, forbidden calls and flags.
# Prints every finding as file:line and fails if there is one.
# shellcheck disable=SC2086,SC2046  # file names here have no spaces
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

MAX_LINES=800     # of a file; from 600 on a reviewer asks why
MAX_FUNCTION=80   # lines, unless a comment above says "Long because"
bad=0

sources() { git ls-files -co --exclude-standard -- "$@"; }
code=$(sources '*.c' '*.h' '*.cc' '*.hpp')
library=$(sources 'ir/*.[ch]' 'passes/*.[ch]' 'exec/*.[ch]' 'serialize/*.[ch]')

report() {
  [ -n "$1" ] || return 0
  printf '%s:\n%s\n' "$2" "$1" >&2
  bad=1
}

# --- sizes -------------------------------------------------------------------

# Tables of cases may be as long as there are cases.
report "$(wc -l $code | awk -v max=$MAX_LINES \
  '$2 != "total" && $1 > max && $2 !~ /cases\.cc$/ { print $2 ": " $1 }')" \
  "files over $MAX_LINES lines"

# A function begins at the last line in column 0 with a parenthesis and ends
# with a brace alone in column 0.
report "$(awk -v max=$MAX_FUNCTION '
  FNR == 1 { start = 0; excused = 0 }
  /Long because/ { excused = 1 }
  /^[A-Za-z_].*\(/ && !/;$/ { start = FNR }
  /^}$/ {
    if (start && FNR - start + 1 > max && !excused)
      print FILENAME ":" start ": " FNR - start + 1 " lines"
    start = 0
    excused = 0
  }' $code)" "functions over $MAX_FUNCTION lines"

report "$(grep -nE '^.{81,}' $code |
  grep -vE '^(include/tapeir/sites\.h:[0-9]+:#define |tests/.*:  %)' || true)" \
  "lines over 80 columns"
report "$(grep -nE '[[:space:]]$' $code || true)" "white space at line ends"

# --- calls the library must not make ----------------------------------------

calls='abort|exit|_Exit|_exit|quick_exit|atexit|raise|signal|setjmp|longjmp'
calls="$calls|printf|fprintf|vprintf|puts|putchar|fputs|perror|getenv|setenv"
calls="$calls|setlocale|strtok|rand|srand|system|alloca|gets|sprintf|strcpy"
calls="$calls|strcat"
report "$(grep -nE "(^|[^A-Za-z0-9_.>\"])($calls) *\(" $library |
  grep -vE ':[0-9]+: *//' | grep -vE 'format\(printf' || true)" \
  "calls a library must not make"
# ir/base/error.c has tir_base_number, ir/text_float.c reads and writes numbers.
report "$(grep -nE '%[-+ #0]*[0-9*]*(\.[0-9*]+)?L?[aefgAEFG]([^a-z]|$)' $library |
  grep -vE '^ir/(base/error|text_float)\.c:|:[0-9]+: *//' || true)" \
  "numbers printed as the host's locale has them (TIR_NUMBER)"
report "$(grep -nE '__int128' $library || true)" "__int128 outside tests"
report "$(grep -nwE '(TODO|FIXME|XXX|HACK)' $code |
  grep -vE 'TODO\(#[0-9]+\)' || true)" "marks of unfinished work"

# --- flags -------------------------------------------------------------------

flags='-(Ofast|f(fast-math|unsafe-math-optimizations|finite-math-only'
flags="$flags|associative-math|reciprocal-math|no-signed-zeros))"
report "$(sources '*.cmake' '*CMakeLists.txt' CMakePresets.json '*.c' '*.h' \
  '*.cc' dev .ci/run | xargs grep -nE -- "$flags" || true)" \
  "flags that change floating-point results"

# --- skips -------------------------------------------------------------------

# tests/skips.txt: "path: reason" for each file that may skip a test.
for file in $(grep -lE 'GTEST_SKIP|DISABLED_' $(sources 'tests/*.cc') || true)
do
  grep -q "^$file: " tests/skips.txt ||
    report "$file" "skips without a line in tests/skips.txt"
done

[ "$bad" = 0 ] && echo "lint: ok"
exit "$bad"
