"""The controllers, each a descriptor; runner.py runs them. Adding one is a file and a line here."""

from __future__ import annotations

from fakenodes.controllers.base import Controller
from fakenodes.controllers.deployments.controller import DEPLOYMENT
from fakenodes.controllers.replicaset import REPLICASET, REPLICATION

CONTROLLERS: tuple[Controller, ...] = (DEPLOYMENT, REPLICASET, REPLICATION)
