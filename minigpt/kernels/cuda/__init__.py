"""Kernels in CUDA C++: the ladder of chapter 25, compiled at run time for a GPU, and run on a CPU from the same source."""
