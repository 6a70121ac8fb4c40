#!/usr/bin/env bash
# Writes the bill of materials of a binary, CycloneDX in JSON: the modules that are in it, with their versions and licences.
# It has neither a serial number nor a time, so the same binary gives the same bytes. sbom.sh VERSION BINARY FILE
set -euo pipefail
"$(dirname "$0")/../../.cache/bin/cyclonedx-gomod-v1.10.0" bin -json -std -noserial -notimestamp -licenses -assert-licenses -version "$1" -output "$3" "$2"
