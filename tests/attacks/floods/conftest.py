"""Floods: attacks of many connections, measured for minutes. `make attacks`."""

from tests.figures import figure, pytest_configure, pytest_terminal_summary  # noqa: F401  # pytest finds them here
