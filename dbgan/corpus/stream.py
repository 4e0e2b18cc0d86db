"""A corpus as a webdataset pipeline: shards in turn, without seeking, each checked against the manifest."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dbgan.corpus.motion import decode as decode_motion
from dbgan.errors import CorpusError, require

if TYPE_CHECKING:
    from pathlib import Path

    from dbgan.corpus.read import Corpus

Item = dict[str, Any]


def pipeline(corpus: Corpus, *, shuffle: int = 0, seed: int = 0, decode: bool = True, split: bool = True) -> Any:
    """A `webdataset.DataPipeline` of samples as dictionaries.

    Each has `__key__`, `__url__`, `FIELD.EXT` (HWC uint8 RGB), `json` (parsed) and, in corpora that have it,
    `motion.npz` (a `Motion`). Append webdataset's own stages with `.compose(...)`. Shards are split by node and by
    DataLoader worker. Shards are opened as plain files: a `pipe:` URL is never run, and a member that is none of these
    (a pickle, for one) is an error. So is a shard that does not hold the manifest's samples: webdataset alone would end
    early without a word.

    Args:
        corpus: an open corpus; its selection holds.
        shuffle: 0 keeps the order; else shards are shuffled, and samples within a window of this many.
        seed: of the shuffle.
        decode: False leaves all members as bytes.
        split: False gives all shards to every node and DataLoader worker.

    Raises:
        MissingPackageError: webdataset is not installed.
    """
    require("webdataset", "Corpus.stream")
    import webdataset as wds

    shards = list(corpus.shard_keys().items())
    stages: list[Any] = [_Shards(shards)]
    if shuffle:
        stages.append(wds.detshuffle(bufsize=len(shards) + 1, initial=len(shards) + 1, seed=seed))
    stages += [wds.split_by_node, wds.split_by_worker] if split else []
    stages.append(_Read(corpus))
    if shuffle:
        stages.append(wds.detshuffle(bufsize=shuffle, initial=shuffle, seed=seed))
    if decode:
        stages.append(_Decoded(corpus.header.max_pixels))
    return wds.DataPipeline(*stages)


class _Shards:
    """First stage: the shards to read, and the samples wanted of each."""

    def __init__(self, shards: list[tuple[str, list[str]]]) -> None:
        self.shards = shards

    def __call__(self) -> Iterator[tuple[str, list[str]]]:
        return iter(self.shards)


class _Read:
    """Second stage: shards to samples, members as bytes."""

    def __init__(self, corpus: Corpus) -> None:
        self.path, self.remote = corpus.path, corpus.remote
        self.members = tuple(corpus.header.suffixes.values())

    def __call__(self, shards: Iterable[tuple[str, list[str]]]) -> Iterator[Item]:
        for shard, keys in shards:
            wanted = set(keys)
            with self.remote.whole(shard) if self.remote else nullcontext(self.path / f"{shard}.tar") as tar:
                for item in self._samples(tar):
                    if item["__key__"] in wanted:
                        wanted.remove(item["__key__"])
                        yield item
            if wanted:
                raise CorpusError(
                    f"{tar}: the manifest names {len(keys)} samples of it, {len(wanted)} are not there, such as "
                    f"{min(wanted)}.\nNext: `dbgan corpus verify --repair`, then `dvc pull` or build the corpus again."
                )

    def _samples(self, path: Path) -> Iterator[Item]:
        item: Item = {}
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    key, _, suffix = member.name.partition(".")
                    if not member.isreg() or suffix not in self.members:
                        raise CorpusError(
                            f"{path}: expected members {', '.join(self.members)}, found {member.name!r}; nothing else "
                            "is read.\nNext: `dbgan corpus verify`, and ask who changed this shard."
                        )
                    if item.get("__key__") != key:
                        item = {"__key__": key, "__url__": str(path)}
                    handle = tar.extractfile(member)
                    item[suffix] = handle.read() if handle else b""
                    tar.members = []  # type: ignore[attr-defined]  # else the whole archive's headers stay in memory
                    if all(name in item for name in self.members):
                        yield item
                        item = {}
        except (tarfile.TarError, OSError) as error:
            raise CorpusError(
                f"{path}: cannot be read as a shard ({error}).\n"
                "Next: `dbgan corpus verify --repair`, then `dvc pull` or build the corpus again."
            ) from None


class _Decoded:
    """Last stage: images as HWC uint8 RGB, `json` and `motion.npz` parsed."""

    def __init__(self, max_pixels: int) -> None:
        self.max_pixels = max_pixels

    def __call__(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            yield {name: self._member(item, name) for name in item}

    def _member(self, item: Item, name: str) -> Any:
        from dbgan.image.codec import decode

        if name.startswith("__"):
            return item[name]
        try:
            if name == "motion.npz":
                return decode_motion(item[name])
            return json.loads(item[name]) if name == "json" else decode(item[name], max_pixels=self.max_pixels)
        except (ValueError, RecursionError) as error:
            what = "motion" if name == "motion.npz" else "JSON"
            raise CorpusError(f"{item['__url__']}: {item['__key__']}.{name} is not {what} ({error}).") from None
