#!/usr/bin/env bash
# Fuzzes each target of the project for a while: fuzz.sh DURATION. What fails is kept in the testdata folder of its package, where the tests read it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
grep -rho --include='*_test.go' '^func Fuzz[A-Za-z]*' pkg roles | sort -u | while read -r _ target; do
  folder=$(dirname "$(grep -rl --include='*_test.go' "^func $target(" pkg roles)")
  echo "$target of $folder"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "./$folder" </dev/null
done
