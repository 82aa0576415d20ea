"""CEL as Kubernetes speaks it: environment, libraries, costs, validation rules of custom resources."""
