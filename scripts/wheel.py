"""Builds the wheel and checks what is in it: the four packages, each with py.typed, and nothing else.

python scripts/wheel.py [DIR]   the wheel is left in DIR (by default it is thrown away)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"fakeapi", "fakenodes", "kubeconfig", "conformance"}


def build(directory: Path) -> Path:
    """The wheel of this checkout, built by its own build backend. CalledProcessError."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(directory), str(ROOT)], check=True)
    return next(directory.glob("fakekube-*.whl"))


def complaints(names: list[str]) -> list[str]:
    """What is wrong with a wheel of these files, a line each."""
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    found = [f"{top} does not belong into the wheel" for top in sorted(tops - PACKAGES)]
    found += [f"{package} is missing from the wheel" for package in sorted(PACKAGES - tops)]
    found += [f"{package}/py.typed is missing" for package in sorted(PACKAGES) if f"{package}/py.typed" not in names]
    found += [f"{name}: a test or a cache" for name in names if "/tests/" in name or name.endswith(".pyc")]
    data = {
        str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()
    }
    found += [f"{name} is missing from the wheel" for name in sorted(data - set(names)) if "__pycache__" not in name]
    return found


def main(arguments: list[str]) -> int:
    """Exit status 1 when something is wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build(Path(arguments[0]) if arguments else Path(scratch))
        found = complaints(zipfile.ZipFile(wheel).namelist())
    for line in found:
        print(f"wheel: {line}", file=sys.stderr)
    print(f"{wheel.name}: {'wrong' if found else 'holds the four packages and nothing else'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
