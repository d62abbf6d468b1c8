"""Attacks on real sockets; those that take minutes are in `floods`, for `make attacks`."""

import pytest

from tests.attacks.site import Site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """One run for all attacks: what one of them breaks, the next one finds."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def open_site(tmp_path_factory):
    """The same without keys: whoever reaches the port is heard."""
    made = Site(tmp_path_factory.mktemp("open-site"), encrypted=False)
    yield made
    made.close()
