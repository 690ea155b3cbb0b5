"""Fast operations: each has a plain PyTorch reference and a Triton kernel; where the tensors are decides which runs."""
