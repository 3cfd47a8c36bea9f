"""The adapter that tests of models have."""

from tests.models.conftest import adapter  # noqa: F401
