#!/usr/bin/env bash
# Boots a fresh Debian with systemd in a container, installs a package on it as an administrator does, and lets systemd do what tests without it cannot
# show: start three roles and the data API on addresses of loopback with the sandbox in force, kill each and upgrade all while a DAG run is under way,
# start one again that hangs, and remove and purge the package. machine.sh [OLDER.deb NEWER.deb], of the same commit by default; needs root.
set -euo pipefail
if [ -n "${2:-}" ]; then older=$(realpath "$1") newer=$(realpath "$2"); fi
cd "$(dirname "$0")/../.."
if [ -z "${2:-}" ]; then
  for version in 0.0.1 0.0.2; do
    TASADOR_SNAPSHOT=$version CHECK=0 scripts/release/snapshot.sh
    mkdir -p .cache/machine-packages
    cp dist/tasador_*_amd64.deb ".cache/machine-packages/$version.deb"
  done
  older=$PWD/.cache/machine-packages/0.0.1.deb newer=$PWD/.cache/machine-packages/0.0.2.deb
fi
base=$PWD/.cache/machine
if ! command -v debootstrap >/dev/null || ! command -v systemd-nspawn >/dev/null; then
  apt-get install -qq --yes --no-install-recommends debootstrap systemd-container >/dev/null
fi

if [ ! -e "$base/complete" ]; then
  mirror=$(grep -rhoE '^(deb|URIs:).*https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | grep -oE 'https?://[^ ]+' | head -n 1 || true)
  rm -rf "$base" && mkdir -p "$base"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,procps bookworm "$base/root" ${mirror:+"$mirror"} >"$base/log" 2>&1 ||
    { tail -n 5 "$base/log" >&2; exit 1; }
  touch "$base/complete"
fi

top=$(mktemp -d)
cp -a "$base/root" "$top/root"
cp "$older" "$top/root/root/older.deb"
cp "$newer" "$top/root/root/newer.deb"
setsid systemd-nspawn --quiet --boot --directory="$top/root" --machine="tasador-$$" --register=no --keep-unit --private-network --console=pipe \
  >"$top/log" 2>&1 </dev/null &
container=$!
init=
cleanup() {
  if [ -n "$init" ]; then kill -s RTMIN+4 "$init" 2>/dev/null || true; fi # its systemd powers off
  wait "$container" || true
  rm -rf "$top"
}
trap cleanup EXIT

on() { nsenter --target "$init" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SYSTEMD_PAGER= "$@"; }
until_ok() { # until_ok SECONDS COMMAND...
  local end=$((SECONDS + $1))
  until "${@:2}" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then
      echo "FAIL: not within $1 s: ${*:2}" >&2
      if [ -n "$init" ]; then on journalctl --no-pager --lines=30 --unit='tasador@*' >&2; fi
      exit 1
    fi
    read -r -t 0.2 <> <(:) || true
  done
}
booted() { init=$(pgrep --parent "$container" | head -n 1) && [ -n "$init" ] && on systemctl is-system-running | grep -qE 'running|degraded'; }
until_ok 60 booted
echo "booted: $(on systemctl --version | head -n 1)"

on dpkg --install /root/older.deb >/dev/null
on tee --append /etc/tasador/tasador.env >/dev/null <<'SETTINGS'
TASADOR_SOURCE_LISTEN=127.0.0.10:8090
TASADOR_SOURCE_BATCHES=15000,200000,rest
TASADOR_SOURCE_URI=http://127.0.0.10:8090
TASADOR_TRACKING_LISTEN=127.0.0.11:5000
TASADOR_TRACKING_URI=http://127.0.0.11:5000
TASADOR_PIPELINE_LISTEN=127.0.0.12:8080
TASADOR_SERVING_LISTEN=127.0.0.13:8000
SETTINGS
before=$(on sha256sum /etc/tasador/tasador.env)
for role in serving pipeline tracking source; do # nobody waits for another
  on systemctl enable --quiet --now "tasador@$role"
done
dags() { on tasador dags "$1" realtor_price_model "${@:2}" --pipeline-uri=http://127.0.0.12:8080; }
succeeded() { dags state "$1" | grep -q "^$1 is success"; }
dags trigger --run-id=first --wait >/dev/null 2>&1
until_ok 60 on curl --fail http://127.0.0.13:8000/readyz
echo "three roles work; $(on systemd-analyze security --no-pager tasador@tracking | tail -n 1)"

dags trigger --run-id=killed >/dev/null
for role in tracking pipeline serving; do on systemctl kill --signal=KILL "tasador@$role"; done
until_ok 300 succeeded killed
until_ok 60 on curl --fail http://127.0.0.13:8000/readyz
echo 'all three were killed during a DAG run, which succeeded'

dags trigger --run-id=upgraded >/dev/null
on dpkg --install /root/newer.deb >/dev/null
until_ok 300 succeeded upgraded
version=$(on dpkg-query --show --showformat="\${Version}" tasador)
for address in 127.0.0.11:5000 127.0.0.12:8080 127.0.0.13:8000; do
  until_ok 60 on sh -c "curl --silent http://$address/buildinfo | tr - '~' | grep -qF '\"$version\"'"
done
[ "$before" = "$(on sha256sum /etc/tasador/tasador.env)" ] || { echo 'FAIL: the upgrade changed the settings' >&2; exit 1; }
echo "upgraded to $version during a DAG run, which succeeded"

on mkdir -p /etc/systemd/system/tasador@serving.service.d
echo $'[Service]\nWatchdogSec=5s' | on tee /etc/systemd/system/tasador@serving.service.d/watchdog.conf >/dev/null
on systemctl daemon-reload
on systemctl restart tasador@serving
hanging=$(on systemctl show --property=MainPID --value tasador@serving)
on kill -s STOP "$hanging"
again() { [ "$(on systemctl show --property=NRestarts --value tasador@serving)" -ge 1 ] && on curl --fail http://127.0.0.13:8000/readyz; }
until_ok 60 again
echo 'a role that hung was started again'

on dpkg --remove tasador >/dev/null 2>&1
if on pgrep -x tasador; then echo 'FAIL: a role runs after the removal' >&2; exit 1; fi
on test -e /var/lib/tasador/tracking/tracking.db
on dpkg --purge tasador >/dev/null 2>&1
if on sh -c 'ls -d /etc/tasador /var/lib/tasador /etc/systemd/system/*.wants/tasador* || id tasador' 2>/dev/null; then
  echo 'FAIL: the purge left something' >&2
  exit 1
fi
echo 'removed and purged'
