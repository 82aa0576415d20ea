"""Connections that are more than a request and an answer: upgrades, WebSockets, SPDY, HTTP over any stream.

Pure helpers on byte streams, for the API server and for kubelets alike; nothing here knows of the rest of the server.
"""
