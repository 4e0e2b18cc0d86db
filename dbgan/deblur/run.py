"""Restore everything that was asked for, one after the other; what fails is told at the end, the others are done."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dbgan.deblur import clip, memory, page, picture
from dbgan.deblur.clip import estimate
from dbgan.deblur.inputs import Format, Job, find
from dbgan.errors import DbganError, ImageError, StorageError
from dbgan.files import atomic_writer, refuse_file, write_bytes
from dbgan.image.video import survey
from dbgan.networks import tiles
from dbgan.progress import Progress, progress
from dbgan.restore import best_device

Pixels = NDArray[np.uint8]

COMPARE = "compare.html"

Existing = Literal["refuse", "skip", "overwrite"]
"""What becomes of results that are there already."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How `deblur` works.

    Attributes:
        tile: side, px; None: as large as the free memory allows.
        precision: auto: bf16 on a GPU, else fp32.
        threads: CPU threads; torch's setting when None.
        form: file type of restored pictures.
        keep_location: take positions of photographs along. Clips never keep theirs.
        existing: what becomes of results that are there already.
        compare: write a page of before and after.
    """

    tile: int | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: int | None = None
    form: Format = "same"
    keep_location: bool = False
    existing: Existing = "refuse"
    compare: bool = False


@dataclass(slots=True)
class Report:
    """What was done. `failed`: what was not, with its reason; `notes`: what results lack; both `name: sentence`."""

    written: list[Path] = field(default_factory=list)
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def deblur(inputs: Sequence[Path], network: nn.Module, out: Path, settings: Settings, *, weights: str = "") -> Report:
    """Restore pictures, clips and corpora into `out`; names and trees are kept.

    Args:
        inputs: files, folders, corpora.
        network: as `networks.restoring.open_network` opens it.
        out: folder for the results.
        settings: how.
        weights: what the network is called on the page of before and after.

    Returns:
        What was done; whoever calls decides what `failed` means.

    Raises:
        DbganError: before any work: inputs that cannot be used together, or results that are there already.
        StorageError: the disk is full.
    """
    refuse_file(out)
    found = find(inputs, out, settings.form)
    jobs = _to_do(found.jobs, out, settings)
    report = Report(skipped=len(found.jobs) - len(jobs))
    report.failed += [f"{refused.path}: {refused.reason}: {refused.detail}" for refused in found.refused]
    work = _Work(network, settings, report)
    counts = [work.count(job) for job in jobs]
    with progress("deblur (tiles)", sum(counts)) as bar:
        for job, planned in zip(jobs, itertools.accumulate(counts), strict=True):
            try:
                work.do(job, out / job.relative, bar)
                report.written.append(out / job.relative)
            except StorageError:
                raise
            except (DbganError, OSError) as error:
                report.failed.append(f"{job.name}: {error}")
            bar.advance(planned - bar.done, note=job.relative.name)
    if settings.compare and work.shown:
        write_bytes(out / COMPARE, page.page(work.shown, work.not_shown, weights or "a trained network"))
        report.written.append(out / COMPARE)
    return report


def _to_do(jobs: list[Job], out: Path, settings: Settings) -> list[Job]:
    """The jobs whose results are wanted.

    Raises:
        DbganError: results are there already, and nothing was said about them.
    """
    present = [job for job in jobs if (out / job.relative).exists()]
    page_there = settings.compare and (out / COMPARE).exists()
    if settings.existing == "refuse" and (present or page_there):
        first = out / present[0].relative if present else out / COMPARE
        raise DbganError(
            f"{first}: is there already ({len(present)} of {len(jobs)} results are).\n"
            "Next: choose another --out, or say --existing skip (go on with the others) or --existing overwrite."
        )
    if settings.existing == "skip":
        return [job for job in jobs if not (out / job.relative).exists()]
    return jobs


class _Work:
    """One picture or clip after the other through one network. `shown`: the pictures for the page."""

    def __init__(self, network: nn.Module, settings: Settings, report: Report) -> None:
        self.network, self.settings, self.report = network, settings, report
        self.device = torch.device(best_device())
        automatic = "bf16" if self.device.type == "cuda" else "fp32"
        self.precision = automatic if settings.precision == "auto" else settings.precision
        self.tile = settings.tile or memory.tile_side(network, self.device, self.precision)
        self.shown: list[page.Shown] = []
        self.not_shown = 0

    def do(self, job: Job, target: Path, bar: Progress) -> None:
        """Restore one. Raises `ImageError` or another `DbganError` where it cannot be done."""
        if job.clip:
            self._clip(job, target, bar)
        else:
            self._picture(job, target, bar)

    def count(self, job: Job) -> int:
        """About how many tiles it will take; 1 where its file does not say. Only heads of files are read."""
        if job.clip:
            frames, shape = estimate(job.path)
            return max(1, frames) * self._tiles(shape)
        with contextlib.suppress(OSError), job.open() as handle:
            return self._tiles(picture.size(handle))
        return 1

    def _tiles(self, size: tuple[int, int] | None) -> int:
        if size is None or 0 in size or size[0] * size[1] <= getattr(self.network, "whole_pixels", 0):
            return 1
        return len(tiles.spans(size[0], self.tile)) * len(tiles.spans(size[1], self.tile))

    def restore(self, pixels: Pixels, bar: Progress, name: str) -> Pixels:
        """One picture, its tiles told on the bar."""

        def told(*_: object) -> None:
            if bar.done < bar.total:
                bar.advance(note=name)

        hook = self.network.register_forward_hook(told)
        try:
            restored, self.tile = memory.restore_within_memory(
                pixels,
                self.network,
                tile=self.tile,
                precision=self.precision,
                threads=self.settings.threads,
                device=self.device,
            )
        finally:
            hook.remove()
        return restored

    def _picture(self, job: Job, target: Path, bar: Progress) -> None:
        photo = picture.read(
            job.read(), keep_location=self.settings.keep_location, meta=job.meta() if job.meta else None
        )
        restored = self.restore(photo.pixels, bar, job.relative.name)
        write_bytes(target, picture.write(restored, photo, target.suffix))
        self.report.notes += [f"{job.name}: {note}" for note in picture.lost(photo, target)]
        self._show(str(job.relative), photo.pixels, restored)

    def _clip(self, job: Job, target: Path, bar: Progress) -> None:
        whole = survey(job.path)  # minutes of work are not begun on a clip that breaks
        if whole.broken:
            raise ImageError(whole.reason, whole.broken)
        count = len(whole.times_s)

        def restore(pixels: Pixels, index: int) -> Pixels:
            restored = self.restore(pixels, bar, f"{job.relative.name}, frame {index + 1} of {count}")
            if index == count // 2:
                self._show(f"{job.relative}, frame {index + 1}", pixels, restored)
            return restored

        with atomic_writer(target) as handle:
            notes = clip.restore_clip(job.path, handle, target.suffix.lower(), restore)
        self.report.notes += [f"{job.name}: {note}" for note in notes]

    def _show(self, name: str, before: Pixels, after: Pixels) -> None:
        if not self.settings.compare:
            return
        if len(self.shown) < page.MOST:
            self.shown.append(page.shown(name, before, after))
        else:
            self.not_shown += 1
