"""`fakekube up`: the whole cluster: API server, controllers, scheduler and hollow nodes in one process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from fakeapi.commands.child import ends_with_us
from fakeapi.commands.common import UserError, cidr, count, port, run, say, unless
from fakeapi.commands.runtimes import add_manifest_flag, add_plugins_flag, add_runtime_flag, profiles_of, runtime_of
from fakeapi.commands.serve import add_server_flags, config_of, faults_of

EPILOG = """\
With a command behind --, the cluster lives as long as the command, which finds KUBECONFIG set:
  fakekube up --nodes 3 -- sh -ec 'kubectl create deployment web --image=nginx; kubectl rollout status deployment/web'
"""


def register(commands: Any) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "up",
        help="a whole cluster",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_server_flags(parser)
    parser.add_argument("--port", type=port, default=6443, help="where to listen; 0 is any free port (default 6443)")
    parser.add_argument("--nodes", type=count, default=3, metavar="N", help="how many hollow nodes (default 3)")
    add_runtime_flag(parser)
    add_manifest_flag(parser)
    add_plugins_flag(parser)
    parser.add_argument("--etcd", default="", metavar="URL", help="the same as --etcd-servers")
    parser.add_argument(
        "--controllers",
        default="*",
        metavar="LIST",
        help="which controllers run, as kube-controller-manager's flag: '*,-cronjob' (default '*')",
    )
    parser.add_argument(
        "--load-balancer-cidr",
        type=cidr,
        metavar="CIDR",
        help="give Services of type LoadBalancer addresses of a hollow cloud (default: there is none)",
    )
    parser.add_argument(
        "--apply",
        action="append",
        default=[],
        type=Path,
        metavar="FILE|DIR",
        help="apply these manifests first; may be repeated",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.etcd:
        options.etcd_servers = options.etcd
    if options.command and shutil.which(options.command[0]) is None:
        say(f"fakekube: the command {options.command[0]!r} is not there")
        return 127
    options.kubeconfig = options.kubeconfig.resolve()  # the command may be told it from another directory
    return run(lambda stop: _up(options, stop))


async def _up(options: argparse.Namespace, stop: asyncio.Event) -> int:
    from fakeapi import manifests
    from fakeapi.clock import VirtualClock
    from fakeapi.control import ControlError
    from fakeapi.launch import LaunchError
    from fakeapi.running import Running
    from fakenodes.components import Plan
    from fakenodes.controllers.base import Options
    from fakenodes.kubelet.manifests import parse_path
    from kubeconfig import model

    cloud = Options(load_balancers=options.load_balancer_cidr or "")
    plan = Plan(
        controllers=options.controllers,
        nodes=options.nodes,
        runtime=runtime_of(options.runtime),
        options=cloud,
        manifests=tuple(map(parse_path, options.pod_manifest_path)),
        profiles=profiles_of(options.scheduler_plugins),
    )
    injected = faults_of(options)
    try:
        objects = [obj for source in options.apply for obj in manifests.read(source)]
        running = await unless(stop, Running.start(config_of(options, options.port), plan, VirtualClock()))
        if running is None:
            return 130
    except (LaunchError, ValueError, TimeoutError, manifests.ManifestError) as error:
        raise UserError(str(error)) from None
    try:
        if objects or injected:
            await manifests.apply(running.server, objects)
            running.inject(injected)
            running.ready()
        model.write(options.kubeconfig, running.launched.kubeconfig())
        if options.command:
            return await _command(options.command, options.kubeconfig, stop)
        say(f"The cluster is up at {running.launched.url} with {options.nodes} nodes. Use it from another terminal:")
        say(f"  export KUBECONFIG={options.kubeconfig}")
        say("  kubectl get nodes")
        say("Ctrl-C ends it.")
        await unless(stop, running.wait())
        return 0
    except (model.KubeconfigError, manifests.ManifestError, ControlError) as error:
        raise UserError(str(error)) from None
    finally:
        await running.stop()


async def _command(command: list[str], kubeconfig: Path, stop: asyncio.Event) -> int:
    """Run the command against the cluster; its exit status. A signal to us ends it, SIGKILL too."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment, preexec_fn=ends_with_us())
    except OSError as error:
        raise UserError(f"cannot run {command[0]}: {error.strerror}") from None
    ended = asyncio.ensure_future(process.wait())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(ended), 0.5)
        except TimeoutError:
            process.kill()
    status = await ended
    return 128 - status if status < 0 else status
