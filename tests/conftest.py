"""Shapes in the signatures of these packages are checked whenever a test calls them."""

from jaxtyping import install_import_hook

install_import_hook(["minigpt.nn", "minigpt.models"], "beartype.beartype")
