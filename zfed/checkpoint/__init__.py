"""What is kept on disk: model files and the run directory."""

from zfed.checkpoint.digest import Digests, content_digest
from zfed.checkpoint.journal import Journal, JournalContents, read_journal
from zfed.checkpoint.run_directory import RunDirectory
from zfed.checkpoint.safetensors_file import map_model, read_model, write_arrays, write_model

__all__ = [
    "Digests",
    "Journal",
    "JournalContents",
    "RunDirectory",
    "content_digest",
    "map_model",
    "read_journal",
    "read_model",
    "write_arrays",
    "write_model",
]
