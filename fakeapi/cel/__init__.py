"""CEL as Kubernetes speaks it: environment, libraries, costs, validation rules of custom resources.

cel-expr-python (Google's C++ implementation) parses and type-checks; eval.py walks what it made.
"""
