#!/bin/sh
# After the files came. Arguments of Debian: configure [old version], or abort-…; of RPM: 1 (install) or 2 (upgrade).
set -e

upgrade=no
case "$1" in
configure) [ -z "$2" ] || upgrade=yes ;;
abort-*) upgrade=yes ;;
2) upgrade=yes ;;
esac

# Where there is systemd its own tools do this too, from sysusers.d and tmpfiles.d; a container may have neither.
install -d -m 0750 -o tasador -g tasador /var/lib/tasador

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  if [ "$upgrade" = yes ]; then
    systemctl try-restart 'tasador@*.service' || true
  fi
fi
