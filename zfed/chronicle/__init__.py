"""What run directories tell about their runs, to people who look at them from outside."""

from zfed.chronicle.find import find_run
from zfed.chronicle.health_words import ailments, condition
from zfed.chronicle.overview import Overview, is_run, list_runs, overview
from zfed.chronicle.remedies import remedies
from zfed.chronicle.story import Story, tell_story
from zfed.chronicle.storyteller import Sentence

__all__ = [
    "Overview",
    "Sentence",
    "Story",
    "ailments",
    "condition",
    "find_run",
    "is_run",
    "list_runs",
    "overview",
    "remedies",
    "tell_story",
]
