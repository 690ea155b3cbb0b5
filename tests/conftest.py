"""Shapes in the signatures of these packages are checked whenever a test calls them, where beartype is installed."""

from importlib.util import find_spec

import pytest
from jaxtyping import config as shape_checks
from jaxtyping import install_import_hook

CHECKED = ("nn", "models", "data", "generation", "evaluation")
if find_spec("beartype"):
    install_import_hook([f"minigpt.{room}" for room in CHECKED], "beartype.beartype")


@pytest.fixture
def without_shape_checks():
    """To see what a function itself says about an argument of the wrong type."""
    shape_checks.update("jaxtyping_disable", True)
    yield
    shape_checks.update("jaxtyping_disable", False)
