#!/usr/bin/env bash
# Installs what the tests and the parity checks need beside Go: Debian packages (as root), Python packages (into .cache/venv, and into
# .cache/venv-mlflow2 those of 2023) and what the browser tests put into pages (into .cache/browser).
# What is there already is left alone, so a second run takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache

packages=()
need() { # need COMMAND-OR-FILE PACKAGE...
  if ! command -v "$1" >/dev/null && [ ! -e "$1" ]; then packages+=("${@:2}"); fi
}
need chromium chromium fonts-dejavu-core
need npm npm
need gcc gcc libc6-dev
need wrk wrk
need curl curl
need jq jq
need systemd-analyze systemd
need rpm rpm
need lintian lintian
need /usr/sbin/mariadbd mariadb-server
need shellcheck shellcheck
need skopeo skopeo
need docker-registry docker-registry
need docker-compose docker-compose
need prometheus prometheus
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)

if [ ${#packages[@]} -gt 0 ]; then
  line="apt-get update && apt-get install -y --no-install-recommends ${packages[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need Debian packages. Run as root, then try again:" >&2
    echo "  $line" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  # Tests start servers of their own on free ports. Debian's are not to start when they are installed, and Prometheus not with the machine either.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  bash -c "$line" >.cache/apt.log 2>&1 || { tail -n 20 .cache/apt.log >&2; echo "apt-get failed; the lines above say why" >&2; exit 1; }
  case " ${packages[*]} " in *" prometheus "*) if [ -d /run/systemd/system ]; then systemctl --quiet disable prometheus; fi ;; esac
fi

environment() { # environment FOLDER REQUIREMENTS
  local want
  want=$(sha256sum "scripts/python/$2" | cut -d' ' -f1)
  if [ "$(cat ".cache/$1/installed" 2>/dev/null || true)" = "$want" ]; then return; fi
  echo "installing the Python packages of the tests into .cache/$1 (some minutes, once)" >&2
  rm -rf ".cache/$1"
  python3 -m venv ".cache/$1"
  ".cache/$1/bin/python" -m pip install --quiet --no-input --disable-pip-version-check -r "scripts/python/$2"
  echo "$want" >".cache/$1/installed"
}
environment venv-mlflow2 requirements-mlflow2.txt & # the small ones are ready before the other
small=$!
environment venv-clients requirements-clients.txt &
clients=$!
environment venv requirements.txt
wait "$small"
wait "$clients"

want=$(sha256sum scripts/browser/package-lock.json | cut -d' ' -f1)
if [ "$(cat .cache/browser/installed 2>/dev/null || true)" != "$want" ]; then
  rm -rf .cache/browser && mkdir -p .cache/browser
  cp scripts/browser/package.json scripts/browser/package-lock.json .cache/browser/
  npm ci --prefix .cache/browser --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  echo "$want" >.cache/browser/installed
fi
