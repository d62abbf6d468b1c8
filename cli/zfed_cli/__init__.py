"""The `zfed` command."""
