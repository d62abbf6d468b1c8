"""The version of zfed; packaging reads it from here."""

VERSION = "0.1.0"
