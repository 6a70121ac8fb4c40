#!/usr/bin/env bash
# Pushes an image to a registry: publish.sh ARCHIVE REPOSITORY TAG
# ARCHIVE is an OCI archive, for one or more platforms; all of them are pushed. REGISTRY_USERNAME and REGISTRY_PASSWORD log in; without the first nobody
# does. TLS_VERIFY=false allows a registry without TLS. Prints the digest that was pushed.
set -euo pipefail
if [ $# -ne 3 ] || [ -z "$2" ]; then
  echo "publish.sh: say ARCHIVE REPOSITORY TAG; the workflow takes REPOSITORY from the variable IMAGE_REPOSITORY" >&2
  exit 2
fi
archive=$1 repository=$2 tag=$3 verify=${TLS_VERIFY:-true}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export REGISTRY_AUTH_FILE=$work/auth.json # what logs in is gone afterwards
if [ -n "${REGISTRY_USERNAME:-}" ]; then
  skopeo login --tls-verify="$verify" --username "$REGISTRY_USERNAME" --password-stdin "${repository%%/*}" <<<"${REGISTRY_PASSWORD:-}" >&2
fi
skopeo copy --quiet --all --preserve-digests --dest-tls-verify="$verify" --digestfile "$work/digest" "oci-archive:$archive" "docker://$repository:$tag" >&2
cat "$work/digest"
echo
