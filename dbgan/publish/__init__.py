"""Checks before a corpus or a model leaves the house, and the folder that then leaves it."""
