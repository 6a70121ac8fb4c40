#!/usr/bin/env bash
# Makes a release in dist/ without publishing anything: archives, packages, image, bills of materials, checksums and their signature. Checks it as those do who
# fetch it, and that a second build, in another folder, gives the same bytes. CHECK=0 leaves the second build out.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/.cache/bin

# Without a key of the project one is made here, which says nothing about who built this.
export TASADOR_SIGNING_KEY=${TASADOR_SIGNING_KEY:-$PWD/.cache/signing/key}
if [ ! -e "$TASADOR_SIGNING_KEY" ]; then
  mkdir -p "$(dirname "$TASADOR_SIGNING_KEY")"
  ssh-keygen -q -t ed25519 -N '' -C 'made by make release-snapshot' -f "$TASADOR_SIGNING_KEY"
fi

# goreleaser reads no commit where there is no remote; a checkout without one gets one for as long as this runs.
if [ -z "$(git remote)" ]; then
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://localhost/tasador/tasador.git
fi

"$tools/goreleaser-v2.15.1" release --snapshot --clean
cp .cache/release/allowed_signers dist/

(
  cd dist
  ssh-keygen -q -Y verify -f allowed_signers -I tasador-release -n tasador-release -s checksums.txt.sig <checksums.txt
  sha256sum --quiet --check checksums.txt
)
echo "dist/: $(wc -l <dist/checksums.txt) files, signed and checked"

if [ "${CHECK:-1}" != 0 ]; then
  again=$(mktemp -d)
  trap 'rm -rf "$again"' EXIT
  git clone --quiet --no-hardlinks . "$again/other-folder"
  mkdir "$again/other-folder/.cache"
  unset GIT_CONFIG_COUNT
  ln -s "$tools" "$again/other-folder/.cache/bin"
  (cd "$again/other-folder" && "$tools/goreleaser-v2.15.1" release --snapshot --clean >"$again/log" 2>&1) || { cat "$again/log"; exit 1; }
  diff dist/checksums.txt "$again/other-folder/dist/checksums.txt"
  echo "a second build in another folder gave the same bytes"
fi
