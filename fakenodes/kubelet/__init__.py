"""Hollow kubelets: nodes and pods that behave as a kubelet's do, against a runtime that is a script."""
