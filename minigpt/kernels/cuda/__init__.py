"""Kernels in CUDA C++: the ladder of chapter 25, compiled at run time for a GPU, run on a CPU as well."""
