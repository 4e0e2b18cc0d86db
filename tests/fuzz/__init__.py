"""Hostile bytes for every entry point that reads pictures and corpora: a short sweep in the tests, longer by hand."""
