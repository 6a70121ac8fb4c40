#!/usr/bin/env bash
# Prints the tag of the image that a run builds, YYYYMMDD-runNumber in UTC: image-tag.sh RUN_NUMBER
set -euo pipefail
if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]]; then
  echo "image-tag.sh: say the number of the run, which is a number from 1" >&2
  exit 2
fi
echo "$(date -u +%Y%m%d)-$1"
