"""Kubeconfig files, certificates and keys: what a client needs to reach a cluster. Imports nothing of ours."""
