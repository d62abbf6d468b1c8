"""Sentences with what was measured, told at the end of all tests; a conftest imports these three."""

import pytest

FIGURES = pytest.StashKey()


def pytest_configure(config):
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[FIGURES]:
        terminalreporter.section("figures")
        for figure in config.stash[FIGURES]:
            terminalreporter.write_line(figure)


@pytest.fixture
def figure(request):
    """Tells a sentence with what was measured, at the end of all tests."""
    return request.config.stash[FIGURES].append
