"""What the tests of the layers share."""

import pytest
from jaxtyping import config


@pytest.fixture
def without_shape_checks():
    """To see what a function itself says about an argument of the wrong type."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
