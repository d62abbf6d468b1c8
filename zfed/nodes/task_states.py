"""What a task keeps from one assignment to the next, in memory and on the disk."""

from __future__ import annotations

from zfed.errors import CheckpointError, StateInUseError
from zfed.nodes.state_book import StateBook, StateEntry
from zfed.nodes.state_folder import StateFolder
from zfed.nodes.task_state import TaskState
from zfed.wire.messages import AssignmentId


class TaskStates:
    """The states of one run at a time; owned by one thread.

    An assignment's state is durable before its update is offered: then the coordinator's word, which comes
    with COMMITTED or with the next order, decides what becomes of it, also if the node died meanwhile.

    Args:
        fresh: What every run begins with.
        folder: Where they are kept; None if they need not outlive the process.

    Attributes:
        notes: Sentences for the node's owner; whoever tells them takes them out.
    """

    def __init__(self, fresh: TaskState, folder: StateFolder | None = None) -> None:
        self._fresh = fresh
        self._folder = folder
        self._run = ""
        self._book = StateBook()
        self._memory: dict[AssignmentId, TaskState] = {}
        self._durable = False
        self._obstacle: StateInUseError | None = None
        self._missing: AssignmentId | None = None
        self._decided: tuple[AssignmentId, int] | None = None
        self.notes: list[str] = []

    def enter(self, run: str) -> None:
        """Go to another run; `run` is its key, empty if it has none: then nothing of it is put on disk."""
        self._run = run
        self._book, self._memory = StateBook(), {}
        self._obstacle = self._missing = self._decided = None
        self._durable = bool(run) and self._folder is not None
        if self._folder is None or not self._durable:
            return
        try:
            self._book = self._folder.enter(run)
        except StateInUseError as error:
            self._obstacle = error
        except CheckpointError as error:
            self.notes.append(f"{error}; what the task may have kept of this run is lost, it begins afresh")

    def current(self) -> TaskState:
        """What the next assignment begins with; of a damaged state, the one before it.

        Raises:
            StateInUseError: If another process works with this run's states.
        """
        if self._obstacle is not None:
            self._enter_again()
        if self._obstacle is not None:
            raise self._obstacle
        while (entry := self._book.current) is not None:
            if entry.number in self._memory:
                return self._memory[entry.number]
            try:
                state = self._loaded(entry)
            except CheckpointError as error:
                self._change(self._book.without(entry.number))
                before = self._book.current
                goes_on = (
                    f"with what it kept after assignment {_words(before.number)}" if before else "afresh"
                )
                self.notes.append(f"{error}: the task goes on {goes_on}")
            else:
                self._memory[entry.number] = state
                return state
        return self._fresh

    def add(self, number: AssignmentId, version: int, state: TaskState) -> None:
        """An assignment that started from `version` is done: keep what it left until it counts or does not.

        Raises:
            CheckpointError: If that cannot be made durable; nothing is kept then.
            LayoutError: If an array is of a kind that cannot be put on disk.
        """
        before = self._book
        file = None
        try:
            if self._durable and self._folder is not None and not state.is_empty:
                file = self._folder.save(state)
            self._store(before.added(StateEntry(number=number, version=version, file=file)))
        except CheckpointError as error:
            self._book = before
            raise CheckpointError(f"what the task keeps could not be saved: {error}; see --state") from error
        self._memory[number] = state
        if self._missing is not None and not state.is_empty:
            self.notes.append(
                f"what the task had kept after assignment {_words(self._missing)}, its last that counts, is"
                " not on this machine: it went on without"
            )
        self._missing = None

    def keep(self, number: AssignmentId) -> None:
        """An assignment counts."""
        self._change(self._book.kept(number))

    def drop(self, number: AssignmentId) -> None:
        """An assignment does not count."""
        self._change(self._book.dropped(number))

    def rename(self, old: AssignmentId, new: AssignmentId) -> None:
        """The same work has another number now."""
        if old in self._memory:
            self._memory[new] = self._memory.pop(old)
        self._change(self._book.renamed(old, new))

    def settle(self, counted: AssignmentId, version: int) -> None:
        """The next assignment starts from `version`, and `counted` is the last that counts."""
        self._decided = (counted, version)
        self._change(self._book.settled(counted, version))
        current = self._book.current
        self._missing = counted if current is None or current.number != counted else None

    def _enter_again(self) -> None:
        """The process that held the run's states may have ended, and left what was decided since."""
        decided = self._decided
        self.enter(self._run)
        if decided is not None:
            self.settle(*decided)

    def close(self) -> None:
        """Let the folder go."""
        if self._folder is not None:
            self._folder.close()

    def _loaded(self, entry: StateEntry) -> TaskState:
        if entry.file is None or self._folder is None:
            return self._fresh
        return self._folder.load(entry.file, self._fresh)

    def _change(self, book: StateBook) -> None:
        """Take over what was decided. If the disk does not, that is only said: it will be decided again."""
        try:
            self._store(book)
        except CheckpointError as error:
            self.notes.append(f"{error}; the task goes on with what is in memory")

    def _store(self, book: StateBook) -> None:
        if book == self._book:
            return
        self._book = book
        # A state that counted before the current one is read from the disk, should it ever be needed
        wanted = {entry.number for entry in (book.counted[-1:] if self._durable else book.counted)}
        wanted |= {entry.number for entry in book.pending}
        self._memory = {number: state for number, state in self._memory.items() if number in wanted}
        if self._folder is not None and self._folder.is_made:
            self._folder.store(book)


def _words(number: AssignmentId) -> str:
    return f"{number[0]}.{number[1]}"
