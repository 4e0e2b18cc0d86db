"""The package's own exceptions: each names the file, what was expected, what was found and the next step."""

from __future__ import annotations

import importlib.util


class DbganError(Exception):
    """Base of every error this package raises on purpose. The command line prints it without a traceback, exit 1."""


class ParamsError(DbganError):
    """params.yaml or a `--set` value is wrong. Exit 2: bad usage."""


class MemoryShortageError(DbganError):
    """This machine has not the memory for a picture that is fine: no fault of the picture, which is not refused."""


class CorpusError(DbganError):
    """A corpus on disk is damaged, incomplete or of another format."""


class StorageError(DbganError):
    """A disk is full, or a file or folder may not be written: trying again without a person's help is in vain."""


class WeightsError(DbganError):
    """A file of network weights is missing, damaged, or of another network."""


class ImageError(DbganError):
    """A picture cannot be used. `reason` is one of `dbgan.corpus.layout.REJECT_REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class MissingPackageError(DbganError):
    """A verb needs a package that is not installed here."""


def require(package: str, verb: str, *, distribution: str | None = None) -> None:
    """Raise `MissingPackageError` unless `package` can be imported, naming the verb that needs it.

    GPU nodes often lack ray, dvc, webdataset and pillow-heif: everything else must work without them.
    """
    if importlib.util.find_spec(package) is None:
        name = distribution or package
        raise MissingPackageError(
            f"{verb} needs the package {name!r}, which is not installed in this environment.\nNext: pip install {name}"
        )
