"""What is scored: a network, or a folder of pictures that something else restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dbgan.corpus import Corpus
from dbgan.errors import DbganError, ImageError
from dbgan.image.codec import decode, encode
from dbgan.networks import receptive_radius
from dbgan.networks.restoring import open_network
from dbgan.params import ExternalParams, ScoringParams
from dbgan.recipe import device_class
from dbgan.restore import best_device, restore

Picture = NDArray[np.uint8]

LISTED = 10
"""Missing files named in an error."""


class Restorer(Protocol):
    """Anything whose results can be scored."""

    def restore(self, source: str, key: str, blurry: Picture) -> Picture:
        """The restored version of a test picture, HWC uint8 RGB of the same size."""
        ...

    def sources(self, corpora: Mapping[str, Corpus]) -> list[str]:
        """Of the paired test sources, those that it can be scored on."""
        ...

    @property
    def radius(self) -> int | None:
        """How far around a cut its pixels see, px; None: it restores no pictures but the test pairs."""
        ...

    @property
    def computed(self) -> dict[str, Any]:
        """What computes its pictures: device class, precision and tile; empty where they came from elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkRestorer:
    """A network, run as `dbgan deblur` runs it."""

    network: nn.Module
    params: ScoringParams
    device: str = field(default_factory=best_device)

    def restore(self, source: str, key: str, blurry: Picture) -> Picture:
        """Restored and through a PNG: what a user would get from disk is what is scored."""
        params = self.params
        restored = restore(
            blurry,
            self.network,
            tile=params.tile,
            precision=params.precision,
            threads=params.threads,
            device=self.device,
        )
        return decode(encode(restored, "png"))

    def sources(self, corpora: Mapping[str, Corpus]) -> list[str]:
        """All."""
        return list(corpora)

    @property
    def radius(self) -> int | None:
        """The network's receptive radius."""
        return receptive_radius(self.network)

    @property
    def computed(self) -> dict[str, Any]:
        """Device class, precision, tile."""
        how = {"precision": self.params.precision, "tile": self.params.tile}
        return {**device_class(self.device, self.params.threads), **how}


@dataclass(frozen=True, slots=True)
class FolderRestorer:
    """Pictures that were restored elsewhere, such as the published results of a paper."""

    folder: Path
    files: str
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    """(source, key) -> place in the order of keys, from 1."""

    def file(self, source: str, key: str) -> Path | None:
        """Where the restored version of a test picture is; None: nowhere.

        Raises:
            DbganError: two files of that name with different extensions.
        """
        sequence, _, frame = key.partition("/")
        number = self.numbers[source, key]
        stem = self.files.format(source=source, sequence=sequence, frame=frame, number=number)
        parent, _, name = stem.rpartition("/")
        found = sorted(path for path in (self.folder / parent).glob(f"{name}.*") if path.is_file())
        if len(found) > 1:
            raise DbganError(
                f"{self.folder}: expected one restored version of {source} {key}, found "
                f"{', '.join(path.name for path in found)}.\nNext: remove all but one."
            )
        return found[0] if found else None

    def restore(self, source: str, key: str, blurry: Picture) -> Picture:
        """The picture as its file holds it."""
        path = self.file(source, key)
        if path is None:
            raise DbganError(f"{self.folder}: the restored version of {source} {key} is gone.")
        try:
            restored = decode(path.read_bytes(), thorough=True)
        except ImageError as error:
            raise DbganError(f"{path}: cannot be read as a picture ({error}).\nNext: restore it again.") from None
        if restored.shape != blurry.shape:
            raise DbganError(
                f"{path}: expected {blurry.shape[1]}x{blurry.shape[0]} px as the test picture {source} {key} has, "
                f"found {restored.shape[1]}x{restored.shape[0]}.\nNext: score pictures that were not resized or cut."
            )
        return restored

    def sources(self, corpora: Mapping[str, Corpus]) -> list[str]:
        """Those of which any picture is there; then all must be.

        Raises:
            DbganError: one file is taken for two pictures; or a source is there in part: a mean over some of its
                pictures would be compared with one over all.
        """
        whole = []
        owners: dict[Path, tuple[str, str]] = {}
        for source, corpus in corpora.items():
            self.numbers.update({(source, key): number for number, key in enumerate(corpus.keys, start=1)})
            found = {key: self.file(source, key) for key in corpus.keys}
            for key, file in found.items():
                if file is not None and owners.setdefault(file, (source, key)) != (source, key):
                    raise DbganError(
                        f"{file}: `files: {self.files}` takes it for {' '.join(owners[file])} and for {source} {key}.\n"
                        "Next: name {source} in `files`, or name the one source that it is of in `sources`."
                    )
            missing = [key for key, file in found.items() if file is None]
            if not missing:
                whole.append(source)
            elif len(missing) < len(corpus):
                named = "\n  ".join(missing[:LISTED])
                raise DbganError(
                    f"{self.folder}: expected a restored version of all {len(corpus)} pictures of {source} as "
                    f"{self.files}.*, found {len(corpus) - len(missing)}; missing:\n  {named}"
                    f"{'' if len(missing) <= LISTED else f' and {len(missing) - LISTED} more'}\n"
                    "Next: add them, or leave the source out by `sources`."
                )
        return whole

    @property
    def radius(self) -> int | None:
        """None."""
        return None

    @property
    def computed(self) -> dict[str, Any]:
        """Nothing is known."""
        return {}


def open_restorer(external: ExternalParams, params: ScoringParams) -> Restorer:
    """What an item of `evaluate.external` names.

    Raises:
        DbganError: neither a folder nor a file that holds a network.
    """
    path = Path(external.path)
    if path.is_dir():
        return FolderRestorer(path, external.files)
    return NetworkRestorer(open_network(path), params)
