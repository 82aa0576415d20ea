"""A scheduler on kube-scheduler's frame: queue, snapshot, cycle and plugins under upstream's names."""
