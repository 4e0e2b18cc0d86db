"""What is to be restored, and where each result goes. Nothing is read but names and the heads of files."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from dbgan.corpus import Corpus
from dbgan.corpus.tables import CORPUS
from dbgan.deblur.picture import suffix_for
from dbgan.errors import DbganError
from dbgan.image.video import VIDEOS, is_video
from dbgan.ingest.scan import PICTURES, RejectedFile, is_picture, walk

Format = Literal["same", "png", "jpg"]

CLIPS_STAY = frozenset({".mp4", ".mov", ".m4v", ".mkv"})
"""Containers that are written as they came; other clips become .mp4."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture or clip to restore.

    Attributes:
        name: what it is called in messages.
        open: opens its file.
        path: its file, or that of the corpus it is in.
        relative: where its result goes below the output folder.
        clip: whether it is a video.
        meta: reads the allow-listed metadata of a corpus's sample; of files it is in the file itself.
    """

    name: str
    open: Callable[[], IO[bytes]]
    path: Path
    relative: Path
    clip: bool = False
    meta: Callable[[], dict[str, Any]] | None = None

    def read(self) -> bytes:
        """All its bytes."""
        with self.open() as handle:
            return handle.read()


@dataclass(frozen=True, slots=True)
class Inputs:
    """The work, and what below the given folders cannot be used although its name promises a picture or a clip."""

    jobs: list[Job]
    refused: list[RejectedFile]


def find(inputs: Sequence[Path], out: Path, form: Format = "same") -> Inputs:
    """All pictures and clips that `inputs` name: files, folders of them (their tree is kept), corpora.

    Args:
        inputs: existing files and folders.
        out: where results go; what lies below it is no input.
        form: file type of the restored pictures.

    Raises:
        DbganError: a file of another kind, a folder without pictures, two inputs for one result, or a result that
            would take the place of an input.
    """
    jobs: list[Job] = []
    refused: list[RejectedFile] = []
    for given in inputs:
        if (given / CORPUS).is_file():
            jobs += _of_corpus(given, form)
        elif given.is_dir():
            tree = walk(given)
            refused += [r for r in tree.rejects if is_picture(r.path) or is_video(r.path) or not Path(r.path).suffix]
            found = [given / path for path in tree.files if is_picture(path) or is_video(path)]
            found = [path for path in found if not path.resolve().is_relative_to(out.resolve())]
            if not found and not refused:
                kinds = ", ".join(sorted(PICTURES | VIDEOS))
                raise DbganError(f"{given}: no pictures or clips below it. Expected names in {kinds}.")
            jobs += [_of_file(path, path.relative_to(given), form) for path in found]
        elif is_picture(given.name) or is_video(given.name):
            jobs.append(_of_file(given, Path(given.name), form))
        else:
            raise DbganError(
                f"{given}: expected a picture, a clip, a folder or a corpus, found a name in "
                f"{given.suffix or 'no suffix'}."
                f"\nNext: rename it, if it is one; known are {', '.join(sorted(PICTURES | VIDEOS))}."
            )
    return Inputs(_apart(jobs, out), refused)


def _of_file(path: Path, relative: Path, form: Format) -> Job:
    def opened() -> IO[bytes]:
        return path.open("rb")

    if is_video(path.name):
        suffix = relative.suffix if relative.suffix.lower() in CLIPS_STAY else ".mp4"
        return Job(str(path), opened, path, relative.with_suffix(suffix), clip=True)
    return Job(str(path), opened, path, relative.with_suffix(suffix_for(relative.suffix, form)))


def _of_corpus(path: Path, form: Format) -> list[Job]:
    corpus = Corpus.open(path)
    if "blur" not in corpus.fields:
        raise DbganError(f"{path}: expected a corpus with blurry pictures, found a {corpus.kind} one.")
    suffix = suffix_for(f".{corpus.header.ext}", form)

    def job(key: str) -> Job:
        return Job(
            f"{path} {key}",
            lambda: io.BytesIO(corpus.encoded(key, "blur")),
            path / CORPUS,
            Path(f"{key}{suffix}"),
            meta=lambda: dict(json.loads(corpus.encoded(key, "json"))),
        )

    return [job(key) for key in corpus.keys]


def _apart(jobs: list[Job], out: Path) -> list[Job]:
    """Jobs whose results have names of their own: twins such as a.gif and a.png get their suffix as an ending."""
    count = Counter(job.relative for job in jobs)
    apart: list[Job] = []
    owners: dict[Path, Job] = {}
    inputs = {job.path.resolve(): job for job in jobs}
    for job in jobs:
        relative = job.relative
        if count[relative] > 1:
            relative = relative.with_name(f"{relative.stem}-{job.path.suffix[1:].lower()}{relative.suffix}")
        owner = owners.setdefault(relative, job)
        taken = inputs.get((out / relative).resolve())
        if owner is not job or taken is not None:
            raise DbganError(
                f"{job.name}: its result would be written to {out / relative}, which belongs to "
                f"{(taken or owner).name}.\n"
                "Next: choose another --out, or restore inputs of the same name in separate runs."
            )
        apart.append(replace(job, relative=relative))
    return apart
