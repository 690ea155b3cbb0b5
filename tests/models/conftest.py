"""What the tests of the models share."""

import pytest
from hypothesis import settings
from small import VARIANTS

# An example may take long on a busy machine; that says nothing about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each of the small models."""
    return request.param
