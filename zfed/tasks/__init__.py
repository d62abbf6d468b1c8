"""Built-in tasks, and loading of these and of a user's own. Importing this imports no framework."""

from zfed.tasks.loading import BUILT_IN_TASKS, load_task

__all__ = ["BUILT_IN_TASKS", "load_task"]
