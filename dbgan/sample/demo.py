"""`dbgan sample OUT`: the embedded demo input, offline and deterministic."""

from __future__ import annotations

from pathlib import Path

from dbgan.errors import DbganError
from dbgan.files import refuse_file, remove_partials, write_bytes
from dbgan.image.codec import encode
from dbgan.params import SampleParams
from dbgan.progress import progress
from dbgan.sample.gopro import frame_paths, render_take, takes
from dbgan.sample.phones import captures, take_photo


def render(params: SampleParams, out: Path) -> None:
    """Write `out`/gopro/{train,test}/GOPR9xxx_11_00/{blur,sharp}/NNNNNN.png and `out`/phones/{train,test}/*/*.jpg.

    The clips are in GOPRO_Large layout, the phones' photos unpaired, with EXIF. Equal params give equal bytes; files
    that are there already and equal are not rewritten. Train and test show different photographs.

    Args:
        params: sizes, counts and the seed.
        out: folder; made if absent.

    Raises:
        DbganError: `out` is a file, or holds other files under gopro/ or phones/; or scikit-image's photographs are
            missing.
    """
    refuse_file(out)
    photos = captures(params)
    pairs = {take.name: frame_paths(take, params) for take in takes()}
    expected = {out / path for of_take in pairs.values() for pair in of_take for path in pair}
    expected |= {out / photo.path for photo in photos}
    _refuse_other_files(out, expected)
    with progress("sample", len(expected)) as steps:
        for take in takes():
            for paths, images in zip(pairs[take.name], render_take(take, params), strict=True):
                for path, image in zip(paths, images, strict=True):
                    write_bytes(out / path, encode(image, "png"))
                steps.advance(2, note=take.name)
        for photo in photos:
            write_bytes(out / photo.path, take_photo(photo, params))
            steps.advance(note=photo.folder)


def _refuse_other_files(out: Path, expected: set[Path]) -> None:
    """A frame of an earlier, longer render would become part of a sequence it does not belong to."""
    for folder in ("gopro", "phones"):
        for path in sorted((out / folder).rglob("*")):
            if path.is_dir():
                remove_partials(path)
            elif path not in expected and path.exists():
                raise DbganError(
                    f"{path}: expected only files that these parameters render below {out / folder}, found this one.\n"
                    f"Next: remove {out / folder} or choose another folder, and run again."
                )
