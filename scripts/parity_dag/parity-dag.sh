#!/usr/bin/env bash
# Runs the DAG in a fresh folder and compares its tables and its run with the reference.
#
# Usage: parity-dag.sh [FILE.csv]
#
# Without a file two batches of generated listings with gaps are collected by two DAG runs (ROWS=30000 says how many rows in all,
# SEED=1 which). The gate lets every row through: what is compared are numbers, not decisions. Set KEEP=1 to keep the folder.
set -euo pipefail
csv=${1:+$(realpath -- "$1")}
cd "$(dirname "$0")/../.."

binary=${TASADOR:-bin/tasador}
python=.cache/venv/bin/python
rows=${ROWS:-30000}
folder=$(mktemp -d)
server=

finish() {
  if [ -n "$server" ]; then
    if kill "$server" 2>/dev/null; then wait "$server" 2>/dev/null || true; fi
  fi
  if [ -n "${KEEP:-}" ]; then echo "kept: $folder"; else rm -rf "$folder"; fi
}
trap finish EXIT

fail() {
  echo "parity-dag: $1" >&2
  tail -n 20 "$folder/log" >&2 || true
  exit 1
}

if [ -n "$csv" ]; then
  source=(--source.csv "$csv" --source.batches rest)
  runs=1
else
  source=(--source.batches "$((rows / 3)):gaps,$((rows - rows / 3)):gaps" --source.seed "${SEED:-1}")
  runs=2
fi
"$binary" --role=source,tracking,pipeline --data-dir "$folder/data" --schedule.cron=none --schedule.retries=0 \
  --source.listen=127.0.0.1:0 --tracking.listen=127.0.0.1:0 --pipeline.listen=127.0.0.1:0 "${source[@]}" \
  >"$folder/addresses" 2>"$folder/log" &
server=$!

address() { awk -v role="$1" '$1 == role { print $2 }' "$folder/addresses"; }
for _ in $(seq 600); do
  [ -n "$(address pipeline)" ] && break
  kill -0 "$server" 2>/dev/null || fail "tasador did not start"
  sleep 0.1
done
[ -n "$(address pipeline)" ] || fail "tasador did not get ready"

conf='{"gate": {"max_invalid_ratio": 1, "min_new_records": 0}}'
for run in $(seq "$runs"); do
  "$binary" dags trigger realtor_price_model --run-id "parity__$run" --conf "$conf" --wait \
    --pipeline-uri "$(address pipeline)" || fail "DAG run parity__$run failed"
done
"$python" scripts/parity_dag/parity_dag.py "$folder/data" --tracking "$(address tracking)" --dag-run "parity__$runs"
