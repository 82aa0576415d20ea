"""The hollow container runtime: an image is a script."""
