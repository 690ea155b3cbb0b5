"""Tests of `minigpt.kernels.cuda`."""
