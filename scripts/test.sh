#!/usr/bin/env bash
# Runs all tests: everything without cgo, then the concurrent packages under the race detector. A skipped test counts as failed.
set -euo pipefail
cd "$(dirname "$0")/.."
results=$PWD/.cache/test-results
gotestsum=$PWD/.cache/bin/gotestsum
rm -rf "$results" && mkdir -p "$results"

run() { # run NAME ARGS...
  "$gotestsum" --format pkgname-and-test-fails --jsonfile "$results/$1.json" -- "${@:2}"
}

export CGO_ENABLED=0
run all -timeout 45m ./...
(cd k8s && run k8s -timeout 20m ./...) # the manifests, in a module of their own
# modernc's SQLite is about 20 times slower under the race detector, so only packages whose own code is concurrent run there.
CGO_ENABLED=1 run race -race -timeout 20m ./pkg/lifecycle ./pkg/dag ./pkg/dispatch ./pkg/inference ./pkg/httpserver ./pkg/journal ./pkg/listingcsv ./pkg/listingapi ./pkg/loadtest ./pkg/auth ./pkg/audit ./pkg/reloaded
CGO_ENABLED=1 run race-groups -race -timeout 20m -run 'Group|FailingBatch|BatchOfClient' ./pkg/sqlstore/trackingstore

skipped=$(grep -h '"Action":"skip"' "$results"/*.json | grep -o '"Package":"[^"]*","Test":"[^"]*"' | sort -u || true)
if [ -n "$skipped" ]; then
  echo "FAIL: these tests were skipped, and nothing may be:" >&2
  echo "$skipped" >&2
  exit 1
fi

passed=$(grep -h '"Action":"pass"' "$results"/*.json | grep -c '"Test":')
echo "$passed passed, 0 failed" | tee "$results/summary"
