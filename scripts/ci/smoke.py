#!/usr/bin/env python3
"""Trains on a small file with the binary that is about to be published and compares with what the reference makes of that file.

Usage: smoke.py (--binary FILE | --image ARCHIVE) [--case pkg/cli/testdata/train/tidy] [--as-of DATE]

--image takes the binary for this machine out of an OCI archive. Exits with 1 and says what differs, or prints a line that begins with ✅ Entrenamiento.
"""
import argparse
import io
import json
import math
import os
import platform
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CASE = os.path.join(HERE, "..", "..", "pkg", "cli", "testdata", "train", "tidy")
NOT_OURS = ("seconds", "scaled_condition")  # what only the reference tells: how long it took, and how well its matrix is conditioned
TOLERANCE = 1e-9  # relative, the bound of the parity checks
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def fail(text):
    sys.exit(f"❌ Entrenamiento: {text}")


class Archive:
    """An OCI image layout in a tar file (OCI image specification, image-layout)."""

    def __init__(self, path):
        self.tar = tarfile.open(path)
        self.names = {os.path.normpath(m.name): m for m in self.tar.getmembers()}

    def read(self, name):
        return self.tar.extractfile(self.names[name]).read()

    def blob(self, descriptor):
        algorithm, digest = descriptor["digest"].split(":")
        return self.read(f"blobs/{algorithm}/{digest}")

    def manifest(self, index):
        """The manifest for this machine, also below an index that the index names."""
        want = ARCHITECTURES.get(platform.machine(), platform.machine())
        for entry in index["manifests"]:
            if "index" in entry.get("mediaType", ""):
                return self.manifest(json.loads(self.blob(entry)))
            where = entry.get("platform") or self.platform(entry)
            if (where["os"], where["architecture"]) == ("linux", want):
                return json.loads(self.blob(entry))
        fail(f"the image has nothing for linux/{want}")

    def platform(self, entry):
        return json.loads(self.blob(json.loads(self.blob(entry))["config"]))

    def binary(self, target):
        """Writes the program that the image starts to target."""
        manifest = self.manifest(json.loads(self.read("index.json")))
        entrypoint = json.loads(self.blob(manifest["config"]))["config"]["Entrypoint"][0]
        for layer in reversed(manifest["layers"]):
            with tarfile.open(fileobj=io.BytesIO(self.blob(layer))) as files:
                for member in files.getmembers():
                    if os.path.normpath("/" + member.name) == entrypoint:
                        with open(target, "wb") as f:
                            f.write(files.extractfile(member).read())
                        os.chmod(target, 0o755)
                        return
        fail(f"the image starts {entrypoint} and does not have it")


def differences(want, got, path=""):
    """What got has otherwise than want; what only got has is no difference."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in want:
            if key not in got:
                yield f"{path}.{key} is missing"
            else:
                yield from differences(want[key], got[key], f"{path}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, pair in enumerate(zip(want, got)):
            yield from differences(*pair, f"{path}[{i}]")
    elif isinstance(want, (int, float)) and isinstance(got, (int, float)) and not isinstance(want, bool):
        if not math.isclose(want, got, rel_tol=TOLERANCE):
            yield f"{path} is {got!r} and not {want!r}"
    elif want != got:
        yield f"{path} is {got!r} and not {want!r}"


def main():
    parser = argparse.ArgumentParser()
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--binary")
    source.add_argument("--image")
    parser.add_argument("--case", default=CASE)
    parser.add_argument("--as-of", default="2026-01-01")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        binary = args.binary
        if args.image:
            binary = os.path.join(work, "tasador")
            Archive(args.image).binary(binary)
        run = subprocess.run([binary, "train", f"--csv={args.case}.csv", f"--as-of={args.as_of}", "--json=-"],
                             capture_output=True, text=True, timeout=300, check=False)
    if run.returncode != 0:
        fail(f"tasador train ended with {run.returncode}: {run.stderr.strip()}")
    with open(f"{args.case}.json", encoding="utf-8") as f:
        want = json.load(f)
    for key in NOT_OURS:
        want.pop(key, None)
    try:
        got = json.loads(run.stdout)
    except json.JSONDecodeError as e:
        fail(f"tasador train prints no JSON: {e}")
    wrong = list(differences(want, got))
    if wrong:
        fail("; ".join(wrong[:5]))
    print(f"✅ Entrenamiento: {got['rows']} filas, {len(got['features'])} variables, alfa {got['best_alpha']}, RMSE {got['test_rmse']:.2f}")


main()
