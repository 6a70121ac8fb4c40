#!/bin/sh
# Before the files come. Arguments of Debian: install|upgrade [old version]; of RPM: 1 (install) or 2 (upgrade).
# The account is made here for RPM, which may be asked to verify owners, and again does no harm.
set -e
if ! getent group tasador >/dev/null; then
  groupadd --system tasador
fi
if ! getent passwd tasador >/dev/null; then
  useradd --system --gid tasador --home-dir /var/lib/tasador --no-create-home --shell /usr/sbin/nologin --comment 'tasador roles' tasador
fi
