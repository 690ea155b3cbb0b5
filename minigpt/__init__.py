"""The parts of a large language model, each as its own module; floors and contents are those of the MiniGPT course.

Importing this package loads nothing else: `minigpt.tokenizers`, `minigpt.village` and `minigpt.numerics` need no torch.
"""

__version__ = "0.1.0"
