#!/usr/bin/env bash
# Lets servers run an image, by a commit on the branch: bump.sh REPOSITORY TAG COMMIT SERVER...
# REPOSITORY is where the image was pushed to, COMMIT what it was built from. The tag goes into the overlay of each server; into the overlay for production
# if all servers get it; and into deploy/.env with server 1, which can also run without Kubernetes. Pushes to BRANCH (main) of REMOTE (origin).
# If somebody else pushes meanwhile, it begins anew from what they pushed, so that it never has a conflict to solve.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=servers.sh
. scripts/ci/servers.sh
branch=${BRANCH:-main} remote=${REMOTE:-origin} kustomize=${KUSTOMIZE:-kustomize}

if [ $# -lt 4 ]; then
  echo "bump.sh: say REPOSITORY TAG COMMIT SERVER..." >&2
  exit 2
fi
repository=$1 tag=$2 commit=$3
shift 3
for server in "$@"; do
  if [ ! -f "$(overlay "$server")/kustomization.yaml" ]; then
    echo "bump.sh: there is no server $server; the servers are ${servers[*]}" >&2
    exit 2
  fi
done

set_image() { # set_image FOLDER
  (cd "$1" && "$kustomize" edit set image "tasador=$repository:$tag")
  git add "$1/kustomization.yaml"
}

set_tags() {
  local server
  for server in "$@"; do
    set_image "$(overlay "$server")"
    if [ "$server" = servidor1 ]; then
      sed -i -e "s|^IMAGE_REPOSITORY=.*|IMAGE_REPOSITORY=$repository|" -e "s|^IMAGE_TAG=.*|IMAGE_TAG=$tag|" deploy/.env
      git add deploy/.env
    fi
  done
  if [ $# -eq ${#servers[@]} ]; then set_image k8s/overlays/production; fi
}

for try in 1 2 3 4 5; do
  git pull --quiet --rebase --autostash "$remote" "$branch"
  set_tags "$@"
  if git diff --cached --quiet; then
    echo "bump.sh: $* run $tag already"
    exit 0
  fi
  git commit --quiet -m "$subject $tag on $*" -m "$trailer: $commit"
  if git push --quiet "$remote" "HEAD:$branch"; then
    echo "bump.sh: $* run $tag"
    exit 0
  fi
  echo "bump.sh: somebody else pushed to $branch (try $try)" >&2
  git reset --quiet --keep HEAD~1
done
echo "bump.sh: $branch could not be pushed to" >&2
exit 1
