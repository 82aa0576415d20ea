"""What all kinds with a pod template share: defaults, validation, warnings and printing of a PodSpec."""
