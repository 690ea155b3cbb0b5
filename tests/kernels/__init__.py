"""A package, because some files here have the names of files elsewhere; `from kernels.harness import guarded`."""
