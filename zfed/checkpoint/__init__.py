"""What is kept on disk: model files and the run directory."""

from zfed.checkpoint.atomic import is_temporary, write_atomically
from zfed.checkpoint.digest import Digests, content_digest
from zfed.checkpoint.disk import OS_DISK, PRIVATE_DISK, Closeable, Disk, OsDisk
from zfed.checkpoint.health_file import Health, read_health, remove_health, write_health
from zfed.checkpoint.history import Evaluation, History, OwedEvaluation, without_newer
from zfed.checkpoint.journal import (
    Journal,
    JournalContents,
    checked_record,
    examine_journal,
    read_journal,
    record_line,
)
from zfed.checkpoint.os_errors import translated
from zfed.checkpoint.run_directory import RunDirectory
from zfed.checkpoint.safetensors_file import map_model, read_model, write_arrays, write_model
from zfed.checkpoint.saved_model import SavedModel, SavedVersion
from zfed.checkpoint.spill_file import SpilledPart, SpillFile
from zfed.checkpoint.verify import Finding, verify

__all__ = [
    "OS_DISK",
    "PRIVATE_DISK",
    "Closeable",
    "Digests",
    "Disk",
    "Evaluation",
    "Finding",
    "Health",
    "History",
    "Journal",
    "JournalContents",
    "OsDisk",
    "OwedEvaluation",
    "RunDirectory",
    "SavedModel",
    "SavedVersion",
    "SpillFile",
    "SpilledPart",
    "checked_record",
    "content_digest",
    "examine_journal",
    "is_temporary",
    "map_model",
    "read_health",
    "read_journal",
    "read_model",
    "record_line",
    "remove_health",
    "translated",
    "verify",
    "without_newer",
    "write_arrays",
    "write_atomically",
    "write_health",
    "write_model",
]
