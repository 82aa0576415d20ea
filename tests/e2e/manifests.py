"""Objects that the tests apply, as YAML."""

from __future__ import annotations


def deployment(name: str = "web", replicas: int = 2, image: str = "nginx:1", extra: str = "") -> str:
    """A Deployment of one container with requests that every node can meet."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {image}
        ports: [{{containerPort: 80}}]
        resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}
{extra}"""


CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue, size: small}
"""
