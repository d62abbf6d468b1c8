"""What is kept on disk: model files and the run directory."""

from zfed.checkpoint.digest import Digests, content_digest
from zfed.checkpoint.disk import OS_DISK, Disk
from zfed.checkpoint.history import Evaluation, History, OwedEvaluation
from zfed.checkpoint.journal import Journal, JournalContents, checked_record, read_journal
from zfed.checkpoint.run_directory import RunDirectory
from zfed.checkpoint.safetensors_file import map_model, read_model, write_arrays, write_model
from zfed.checkpoint.saved_model import SavedModel, SavedVersion
from zfed.checkpoint.spill_file import SpilledPart, SpillFile
from zfed.checkpoint.verify import Finding, verify

__all__ = [
    "OS_DISK",
    "Digests",
    "Disk",
    "Evaluation",
    "Finding",
    "History",
    "Journal",
    "JournalContents",
    "OwedEvaluation",
    "RunDirectory",
    "SavedModel",
    "SavedVersion",
    "SpillFile",
    "SpilledPart",
    "checked_record",
    "content_digest",
    "map_model",
    "read_journal",
    "read_model",
    "verify",
    "write_arrays",
    "write_model",
]
