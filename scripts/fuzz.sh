#!/usr/bin/env bash
# Fuzzes each target of the project for a while: fuzz.sh DURATION. What fails is kept in the testdata folder of its package, where the tests read it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
grep -ro --include='*_test.go' '^func Fuzz[A-Za-z]*' pkg roles | sort | while IFS=: read -r file target; do
  target=${target#func }
  echo "$target of $(dirname "$file")"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "./$(dirname "$file")" </dev/null
done
