"""What each kernel takes of a GPU, found by compiling it, without a GPU: `python -m minigpt.kernels.check`."""
