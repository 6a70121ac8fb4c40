#!/usr/bin/env bash
# Puts the public half of the key that signs a release beside its files, as ssh-keygen -Y verify reads it.
set -euo pipefail
mkdir -p .cache/release
echo "tasador-release namespaces=\"tasador-release\" $(ssh-keygen -y -f "$TASADOR_SIGNING_KEY")" >.cache/release/allowed_signers
