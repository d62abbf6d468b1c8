"""What holds of everything that is plugged in; tests/zfed/tasks/test_loading.py has the rest."""

import pytest

from zfed.errors import ConfigError
from zfed.plugins import PluginKind, settings_of

SOURCE = """
class Dial:
    def __init__(self, start: float, *, step: int = 1, label: str = "", on: bool = False):
        self.values = (start, step, label, on)
"""


class Dial:
    """The base of the kind below."""


class Small(Dial):
    def __init__(self, size: float = 0.5, *, deep: bool = False, **more: object) -> None:
        self.values = (size, deep, more)


KIND = PluginKind(
    noun="dial",
    base=Dial,
    error=ConfigError,
    built_in={"small": f"{__name__}:Small"},
    setting="knob",
    flag="--turn",
)


def test_messages_speak_of_what_is_plugged_in(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(SOURCE)
    for reference, message in (
        ("smal", "unknown dial 'smal'; did you mean \"small\"?"),
        (f"{path}:Dial", f"is no dial but a class Dial: it must be a class derived from {__name__}.Dial"),
        (f"{path}", "add the name of its class"),
        ("absent.py:Dial", "there is no dial file absent.py"),
    ):
        with pytest.raises(ConfigError) as caught:
            KIND.make(reference, {})
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, (0.5, False, {})),
        ({"size": 2, "deep": "true"}, (2.0, True, {})),
        ({"size": "0.25", "colour": "red"}, (0.25, False, {"colour": "red"})),
    ],
)
def test_settings_are_read_as_the_signature_says(given, made):
    assert KIND.make("small", given).values == made


def test_a_value_of_another_type_is_refused_by_the_settings_name():
    with pytest.raises(ConfigError, match="knob size is 'much', expected a number"):
        KIND.make("small", {"size": "much"})


def test_the_settings_of_a_class_are_its_parameters_but_for_what_takes_anything():
    assert list(settings_of(Small)) == ["size", "deep"]
