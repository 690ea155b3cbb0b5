"""The operations in plain PyTorch: what the kernels are held against, and what runs on a CPU."""
