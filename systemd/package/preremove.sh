#!/bin/sh
# Before the files go. Arguments of Debian: remove|upgrade|deconfigure|failed-upgrade; of RPM: 0 (removal) or 1 (upgrade).
# An upgrade goes on running until the new files are there.
set -e
case "$1" in
remove | deconfigure | 0)
  if [ -d /run/systemd/system ]; then
    systemctl stop 'tasador@*.service' || true
    systemctl reset-failed 'tasador@*.service' || true
    if [ "$1" = 0 ]; then # Debian keeps until a purge what was enabled
      systemctl --no-reload disable tasador@.service || true
    fi
  fi
  ;;
esac
