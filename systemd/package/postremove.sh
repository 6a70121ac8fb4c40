#!/bin/sh
# After the files went. Arguments of Debian: remove|purge|upgrade|…; of RPM: 0 (removal) or 1 (upgrade).
# What the roles kept goes with a purge only, which RPM does not have.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
  rm -f /etc/systemd/system/*.wants/tasador@*.service
  rm -rf /etc/systemd/system/tasador@*.service.d /var/lib/tasador /etc/tasador
  if getent passwd tasador >/dev/null; then
    userdel tasador
  fi
  if getent group tasador >/dev/null; then
    groupdel tasador
  fi
fi
