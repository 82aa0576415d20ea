"""The cluster's components in the API server's own process: in-process clients, each as its real user.

The only module of the server side that imports fakenodes, besides those on top of it (cluster, commands).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from fakeapi.accounts import PREFIX, user_groups
from fakeapi.authentication import AUTHENTICATED
from fakeapi.clock import Clock
from fakeapi.launch import Launched
from fakeapi.request import Answer, User
from fakeapi.resources import metrics
from fakenodes.client.base import Client
from fakenodes.client.inprocess import InProcessClient
from fakenodes.components import Components, Plan
from fakenodes.controllers.base import Options

_NODE = "system:node:"
_AGENTS = (("system:kube-scheduler", "kube-scheduler"), (_NODE, "kubelet"))


def user_of(name: str) -> User:
    """A component's user with the groups that its credentials would carry."""
    if name.startswith(PREFIX):
        namespace = name.removeprefix(PREFIX).split(":", 1)[0]
        return User(name, user_groups(namespace))
    return User(name, ("system:nodes", AUTHENTICATED) if name.startswith(_NODE) else (AUTHENTICATED,))


def user_agent(name: str, minor: int) -> str:
    """The User-Agent that upstream's component sends: it names the manager in managedFields."""
    program = next((agent for prefix, agent in _AGENTS if name.startswith(prefix)), "kube-controller-manager")
    return f"{program}/v1.{minor}.2 (linux/amd64) kubernetes/fakekube"


def client_for(launched: Launched, name: str) -> Client:
    """A client of that user without a socket."""
    user = user_of(name)
    server = launched.server

    async def handle(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return await server.call(method, target, headers, body, user)

    return InProcessClient(handle, user_agent(name, launched.config.minor))


def options_of(launched: Launched) -> Options:
    """The controllers' options that are key material."""
    pki = launched.pki
    return Options(
        root_ca=pki.ca.certificate.decode(),
        signing_certificate=pki.ca.certificate,
        signing_key=pki.ca.key,
        service_account_key=lambda: pki.service_account.key,
    )


def components(launched: Launched, plan: Plan, clock: Clock, old: Components | None = None) -> Components:
    """The planned components over a launched server; start() them. old: halted ones in whose place they come."""
    known: dict[str, Client] = {}

    def clients(name: str) -> Client:
        if name not in known:
            known[name] = client_for(launched, name)
        return known[name]

    plan.options = replace(options_of(launched), load_balancers=plan.options.load_balancers)
    table = launched.server.table
    if (plan.nodes or plan.roster) and not table.versions(metrics.GROUP):
        for row in metrics.ROWS:
            table.add(row)
    return Components(clients, clock, plan, old.kubelets if old is not None else None)
