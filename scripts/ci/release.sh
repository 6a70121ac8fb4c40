#!/usr/bin/env bash
# Builds, signs and checks the release of the tag at HEAD into dist/release/: release.sh, with the private key that signs it in SIGNING_KEY.
# The binary in its image trains on a small file before anything else is done with it.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SIGNING_KEY:-}" ]; then
  echo "release.sh: SIGNING_KEY is empty; give the private half of the key that signs releases" >&2
  exit 2
fi
if ! tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
  echo "release.sh: the commit has no version tag, such as v1.2.3" >&2
  exit 2
fi
key=$(mktemp)
trap 'rm -f "$key"' EXIT
printf '%s\n' "$SIGNING_KEY" >"$key"
unset SIGNING_KEY
TASADOR_SIGNING_KEY=$key TASADOR_SNAPSHOT=${tag#v} make release
scripts/ci/smoke.py --image "dist/tasador_${tag#v}_image.tar"
mkdir -p dist/release
cp dist/*.tar.gz dist/*.zip dist/*.deb dist/*.rpm dist/*_image.tar dist/*.cdx.json dist/checksums.txt dist/checksums.txt.sig dist/allowed_signers dist/release/
