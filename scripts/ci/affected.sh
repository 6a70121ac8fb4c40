#!/usr/bin/env bash
# Prints which servers need a new image tag, one a line: affected.sh [all]
# A server needs one if anything that it is made of has changed since the commit that its present image was built from. Asking for that, and not for what one
# push holds, makes up for pushes whose run failed or was overtaken by a later one. With "all" every server needs one.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=servers.sh
. scripts/ci/servers.sh

# built SERVER is the commit that the image of the server was built from; nothing if no commit says so.
built() {
  git log -1 --grep="^$subject .* on .*$1" --format="%(trailers:key=$trailer,valueonly,separator=)"
}

# touched COMMIT PATH... tells whether a commit after COMMIT, other than those that set tags, touches a path.
touched() {
  [ -n "$(git log -1 --format=%H --invert-grep --grep="^$subject " "$1..HEAD" -- "${@:2}")" ]
}

for server in "${servers[@]}"; do
  if [ "${1:-}" = all ]; then
    echo "$server"
    continue
  fi
  commit=$(built "$server")
  read -ra own <<<"$(manifests "$server" | tr '\n' ' ')"
  if [ -z "$commit" ] || ! git merge-base --is-ancestor "$commit" HEAD 2>/dev/null ||
    touched "$commit" "${common[@]}" || touched "$commit" "${own[@]}"; then
    echo "$server"
  fi
done
