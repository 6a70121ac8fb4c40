#!/usr/bin/env bash
# Times `tasador train` against the reference's usual way (plain read_csv, scikit-learn's default solver), start to end, on the same
# generated file, both warm: the better of RUNS runs each.
#
# Usage: train.sh [ROWS]    RUNS=3 SEED=1 PYTHON=… TASADOR=… may be set
set -euo pipefail
cd "$(dirname "$0")/../.."

rows=${1:-2000000}
runs=${RUNS:-3}
python=${PYTHON:-.cache/venv/bin/python}
tasador=${TASADOR:-bin/tasador}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
csv=$folder/listings.csv

echo "generating $rows rows"
"$tasador" source generate --rows "$rows" --seed "${SEED:-1}" --out "$csv"

# measure NAME COMMAND… runs the command and leaves its best seconds and its largest memory (KiB) in NAME.seconds and NAME.kib.
measure() {
  local name=$1 best="" most=0 seconds kib
  shift
  for _ in $(seq "$runs"); do
    "$python" scripts/bench/measure.py "$@" >"$folder/$name.measured" 2>"$folder/$name.err" || { cat "$folder/$name.err" >&2; exit 1; }
    read -r seconds kib <"$folder/$name.measured"
    if [ -z "$best" ] || awk "BEGIN { exit !($seconds < $best) }"; then best=$seconds; fi
    if [ "$kib" -gt "$most" ]; then most=$kib; fi
  done
  echo "$best" >"$folder/$name.seconds"
  echo "$most" >"$folder/$name.kib"
  printf '%-10s %7.2f s  %6d MiB\n' "$name" "$best" $((most / 1024))
}

# What a tenth of the rows leaves over of the memory is what the others take.
few=$((rows / 10))
head -n $((few + 1)) "$csv" >"$folder/few.csv"
measure few "$tasador" train --csv "$folder/few.csv" --as-of 2026-01-01
measure tasador "$tasador" train --csv "$csv" --as-of 2026-01-01 --json "$folder/ours.json"
measure reference "$python" -W ignore scripts/reference.py "$csv" --as-of 2026-01-01 --usual

# line NAME OURS PEER RATIO EXPECTED WORD
line() { printf 'bench %s ours=%s peer=%s ratio=%s expected=%s %s\n' "$@"; }

ours=$(cat "$folder/tasador.seconds") peer=$(cat "$folder/reference.seconds")
ratio=$(awk "BEGIN { printf \"%.1f\", $peer / $ours }")
line train-seconds "${ours}s" "${peer}s" "$ratio" 8.0 "$(awk "BEGIN { print ($peer / $ours >= 8) ? \"ok\" : \"short\" }")"

ours=$(($(cat "$folder/tasador.kib") / 1024)) peer=$(($(cat "$folder/reference.kib") / 1024))
ratio=$(awk "BEGIN { printf \"%.1f\", $peer / $ours }")
most=$((rows * 60 / 1048576 + 64)) # 60 bytes a row and the program's own
line train-memory "${ours}MiB" "${peer}MiB" "$ratio" "<=${most}MiB" "$([ "$ours" -le "$most" ] && echo ok || echo short)"

bytes=$(awk "BEGIN { printf \"%.1f\", ($(cat "$folder/tasador.kib") - $(cat "$folder/few.kib")) * 1024 / ($rows - $few) }")
line train-bytes-a-row "$bytes" "-" "-" "<=60" "$(awk "BEGIN { print ($bytes <= 60) ? \"ok\" : \"short\" }")"
