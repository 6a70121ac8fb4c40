#!/usr/bin/env bash
# Shows that the checks catch what they are for: breaks one thing at a time in a copy of the tree, and fails if its check does not.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy" 2>/dev/null || true # a file may be deleted and not committed
ln -s "$PWD/.cache" "$copy/.cache"
cd "$copy"

broken() { # broken WHAT FILE SED-SCRIPT CHECK SAYS: CHECK must fail and say SAYS
  local what=$1 file=$2 script=$3 check=$4 says=$5
  cp "$file" "$file.right"
  sed -i "$script" "$file"
  if cmp -s "$file" "$file.right"; then
    echo "FAIL: nothing in $file could be broken: $script" >&2
    exit 1
  fi
  mv "$file.right" "$copy.right" # out of the way of checks that read whole folders
  if bash -c "$check" >"$copy.out" 2>&1; then
    echo "FAIL: nobody noticed $what in $file" >&2
    exit 1
  fi
  if ! grep -qF -- "$says" "$copy.out"; then
    echo "FAIL: the check of $what failed, and not because of it:" >&2
    tail -20 "$copy.out" >&2
    exit 1
  fi
  mv "$copy.right" "$file"
  echo "caught: $what in $file"
}

broken "a selector that matches nothing" k8s/base/serving/service.yaml 's/selector: {app.kubernetes.io\/name: serving}/selector: {app.kubernetes.io\/name: servings}/' \
  "cd k8s && go test -count=1 -run '^TestManifests' ." "its selector takes the pods of 0 workloads"
broken "an unknown metric in a panel" deploy/grafana/dashboards/serving.json 's/tasador_predictions_total/tasador_prediction_total/' \
  "go test -count=1 -run '^TestMonitoringHasData' ./roles" tasador_prediction_total
broken "an alert that cannot fire" deploy/prometheus/rules/roles.yml 's/tasador_journal_synced == 0/tasador_journal_synced == 2/' \
  "go test -count=1 -run '^TestMonitoringAlertsRing' ./roles" TasadorJournalNotSynced
broken "an unprotected route" roles/serving/routes.go '/Path: "\/drift"/s/httpserver.Read/httpserver.Public/' \
  "go test -count=1 -run '^TestEveryRouteIsRefusedWithoutItsRight' ./roles" /drift
rm -f "$copy.out"
