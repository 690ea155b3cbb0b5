"""The kernels in Triton. These modules need Triton; `minigpt.kernels` imports them only where one is to run."""
