"""`fakekube serve`: the API server alone, with kube-apiserver's flags."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeapi.commands.common import UserError, boolean, kubernetes_version, port, run, say
from fakeapi.config import Config

if TYPE_CHECKING:
    from fakeapi.faults import Fault

KUBECONFIG = Path("fakekube.kubeconfig")


def register(commands: Any) -> None:
    """Add the parser."""
    parser = commands.add_parser("serve", help="the API server alone", description=__doc__, allow_abbrev=False)
    add_server_flags(parser)
    parser.add_argument(
        "--secure-port",
        type=port,
        default=6443,
        metavar="PORT",
        help="where to listen; 0 is any free port (default 6443)",
    )
    parser.set_defaults(run=_run)


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that `serve` and `up` share."""
    add = parser.add_argument
    add("--bind-address", default="127.0.0.1", metavar="IP", help="the address to listen on (default 127.0.0.1)")
    add(
        "--kubeconfig",
        type=Path,
        default=KUBECONFIG,
        metavar="PATH",
        help=f"an administrator's kubeconfig is written there (default ./{KUBECONFIG})",
    )
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep the cluster in this directory (sqlite); by default it lives in memory",
    )
    add("--etcd-servers", default="", metavar="URL,...", help="keep the cluster in this etcd")
    add(
        "--cert-dir",
        type=Path,
        metavar="DIR",
        help="where keys and certificates live (default DATA/pki, else made anew)",
    )
    add(
        "--kubernetes-version",
        type=kubernetes_version,
        default=36,
        metavar="1.N",
        help="the version whose API is served, 1.25 to 1.37 (default 1.36)",
    )
    add("--tls-cert-file", type=Path, metavar="FILE", help="serving certificate (default: made by our own CA)")
    add("--tls-private-key-file", type=Path, metavar="FILE", help="its key")
    add(
        "--tls-san",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name or address for the serving certificate; may be repeated",
    )
    add("--client-ca-file", type=Path, metavar="FILE", help="CA of client certificates (default: our own)")
    add("--token-auth-file", type=Path, metavar="FILE", help='CSV of static tokens: token,user,uid,"group1,group2"')
    add(
        "--anonymous-auth",
        type=boolean,
        default=True,
        metavar="true|false",
        help="let requests without credentials in as system:anonymous (default true)",
    )
    add(
        "--authorization-mode",
        default="AlwaysAllow",
        metavar="MODE,...",
        help="AlwaysAllow, AlwaysDeny, Node, RBAC (default AlwaysAllow)",
    )
    add(
        "--enable-admission-plugins",
        default="",
        metavar="NAME,...",
        help="admission plugins to add to the default ones",
    )
    add("--disable-admission-plugins", default="", metavar="NAME,...", help="default admission plugins to leave out")
    add(
        "--service-cluster-ip-range",
        default="10.96.0.0/12",
        metavar="CIDR",
        help="range of Service cluster IPs, or one of each family, joined by a comma (default 10.96.0.0/12)",
    )
    add(
        "--service-account-issuer",
        default="https://kubernetes.default.svc.cluster.local",
        metavar="URL",
        help="issuer of service-account tokens",
    )
    add(
        "--service-account-key-file", type=Path, metavar="FILE", help="key that service-account tokens are checked with"
    )
    add(
        "--service-account-signing-key-file",
        type=Path,
        metavar="FILE",
        help="key that service-account tokens are signed with",
    )
    add("--api-audiences", default="", metavar="NAME,...", help="audiences of the API server (default: the issuer)")
    add(
        "--faults",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="disturb requests as this YAML file says, a list like [{effect: error, verb: create, resource: pods,"
        " code: 503}]; may be repeated (docs/faults.md)",
    )
    add("--seed", type=int, metavar="N", help="makes uids and generated names repeatable")


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def config_of(options: argparse.Namespace, listen: int) -> Config:
    """The Config that the flags say. UserError."""
    try:
        for cidr in options.service_cluster_ip_range.split(","):
            ipaddress.ip_network(cidr)
    except ValueError as error:
        raise UserError(f"--service-cluster-ip-range: {error}") from None
    return Config(
        bind_address=options.bind_address,
        port=listen,
        data=options.data,
        etcd=names(options.etcd_servers),
        minor=options.kubernetes_version,
        cert_dir=options.cert_dir,
        tls_cert_file=options.tls_cert_file,
        tls_private_key_file=options.tls_private_key_file,
        client_ca_file=options.client_ca_file,
        token_auth_file=options.token_auth_file,
        anonymous_auth=options.anonymous_auth,
        authorization=names(options.authorization_mode),
        enable_admission=frozenset(names(options.enable_admission_plugins)),
        disable_admission=frozenset(names(options.disable_admission_plugins)),
        service_cidr=options.service_cluster_ip_range,
        service_account_issuer=options.service_account_issuer,
        service_account_key_file=options.service_account_key_file,
        service_account_signing_key_file=options.service_account_signing_key_file,
        api_audiences=names(options.api_audiences),
        tls_san=tuple(options.tls_san),
        seed=options.seed,
    )


def faults_of(options: argparse.Namespace) -> list[Fault]:
    """What --faults names. UserError."""
    from fakeapi import faults

    try:
        return [fault for path in options.faults for fault in faults.read(path)]
    except faults.FaultError as error:
        raise UserError(str(error)) from None


def _run(options: argparse.Namespace) -> int:
    return run(lambda stop: _serve(options, stop))


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> int:
    from fakeapi.control import Control, ControlError
    from fakeapi.launch import LaunchError, launch
    from kubeconfig import model

    injected = faults_of(options)
    try:
        launched = await launch(config_of(options, options.secure_port))
    except LaunchError as error:
        raise UserError(str(error)) from None
    control = Control(launched.server, launched.server.clock)
    try:
        control.inject(injected)
        control.ready()
        model.write(options.kubeconfig, launched.kubeconfig())
        say(f"The API server answers at {launched.url}; use it with: export KUBECONFIG={options.kubeconfig.resolve()}")
        await stop.wait()
    except (model.KubeconfigError, ControlError) as error:
        raise UserError(str(error)) from None
    finally:
        control.faults.clear()  # requests that wait for them go on
        await launched.stop()
    return 0
