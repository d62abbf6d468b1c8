"""Attacks on real sockets; those that take minutes are in `floods`, for `make attacks`."""

import pytest

from tests.attacks.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One run for all attacks of a module: what one of them breaks, the next one finds."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()
