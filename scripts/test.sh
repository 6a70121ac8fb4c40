#!/usr/bin/env bash
# Runs all tests: everything without cgo, then the concurrent packages under the race detector. A skipped test counts as failed. Many tests run real servers and
# browsers on whatever machine this is: a few that fail, and not for a data race, are run once more, alone, and named at the end if they pass then.
set -euo pipefail
cd "$(dirname "$0")/.."
results=$PWD/.cache/test-results
gotestsum=$PWD/.cache/bin/gotestsum
rm -rf "$results" && mkdir -p "$results"
tree() { git status --porcelain 2>/dev/null || true; } # nothing where there is no checkout
before=$(tree)

run() { # run NAME PACKAGES ARGS...
  "$gotestsum" --format pkgname-and-test-fails --jsonfile "$results/$1.json" --packages "$2" \
    --rerun-fails=1 --rerun-fails-max-failures=6 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race --rerun-fails-report "$results/$1.again" -- "${@:3}"
}

export CGO_ENABLED=0
run all ./... -timeout 45m
(cd k8s && run k8s ./... -timeout 20m) # the manifests, in a module of their own
# modernc's SQLite is about 20 times slower under the race detector, so only packages whose own code is concurrent run there.
CGO_ENABLED=1 run race "./pkg/lifecycle ./pkg/dag ./pkg/dispatch ./pkg/inference ./pkg/httpserver ./pkg/journal ./pkg/listingcsv ./pkg/listingapi ./pkg/loadtest ./pkg/auth ./pkg/audit ./pkg/reloaded" -race -timeout 20m
CGO_ENABLED=1 run race-groups ./pkg/sqlstore/trackingstore -race -timeout 20m -run 'Group|FailingBatch|BatchOfClient'

skipped=$(grep -h '"Action":"skip"' "$results"/*.json | grep -o '"Package":"[^"]*","Test":"[^"]*"' | sort -u || true)
if [ -n "$skipped" ]; then
  echo "FAIL: these tests were skipped, and nothing may be:" >&2
  echo "$skipped" >&2
  exit 1
fi

if [ "$(tree)" != "$before" ]; then
  echo "FAIL: the tests have changed the tree; their files belong into temporary folders:" >&2
  diff <(echo "$before") <(tree) >&2 || true
  exit 1
fi

again=$(cat "$results"/*.again 2>/dev/null || true)
if [ -n "$again" ]; then
  echo "These tests failed and passed when they were run again, alone; each is a defect of the test or of what it tests:" >&2
  echo "$again" >&2
fi

passed=$(grep -h '"Action":"pass"' "$results"/*.json | grep -c '"Test":')
echo "$passed passed, 0 failed" | tee "$results/summary"
