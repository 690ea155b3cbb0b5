"""The operations as Triton kernels. Only their modules import Triton, which has wheels for Linux alone."""
