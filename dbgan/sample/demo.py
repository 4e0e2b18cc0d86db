"""`dbgan sample OUT`: the embedded demo input, offline and deterministic."""

from __future__ import annotations

from pathlib import Path

from dbgan.errors import DbganError
from dbgan.files import refuse_file, remove_partials, write_bytes
from dbgan.image.codec import encode
from dbgan.params import SampleParams
from dbgan.progress import progress
from dbgan.sample.gopro import frame_paths, render_take, takes
from dbgan.sample.phones import captures, pair_captures, pair_paths, take_pair, take_photo


def render(params: SampleParams, out: Path) -> None:
    """Write `out`/gopro/{train,test}/GOPR9xxx_11_00/{blur,sharp}/NNNNNN.png, `out`/phones/{train,test}/*/*.jpg and
    `out`/phone-pairs/test/*/{blur,sharp}/IMG_NNNN.{jpg,png}.

    The clips are in GOPRO_Large layout, the phones' photos unpaired, with EXIF. Of the photos in phone-pairs the sharp
    twin is known, because all this is rendered: what no real capture has, and what tells whether restoring it works.
    Equal params give equal bytes; files that are there already and equal are not rewritten. Train and test show
    different photographs.

    Args:
        params: sizes, counts and the seed.
        out: folder; made if absent.

    Raises:
        DbganError: `out` is a file, or holds other files under gopro/, phones/ or phone-pairs/; or scikit-image's
            photographs are missing.
    """
    refuse_file(out)
    photos, twins = captures(params), pair_captures(params)
    pairs = {take.name: frame_paths(take, params) for take in takes()}
    expected = {out / path for of_take in pairs.values() for pair in of_take for path in pair}
    expected |= {out / photo.path for photo in photos}
    expected |= {out / path for photo in twins for path in pair_paths(photo)}
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
        for photo in twins:
            blurry, sharp = take_pair(photo, params)
            for path, data in zip(pair_paths(photo), (blurry, encode(sharp, "png")), strict=True):
                write_bytes(out / path, data)
            steps.advance(2, note=photo.folder)


def _refuse_other_files(out: Path, expected: set[Path]) -> None:
    """A frame of an earlier, longer render would become part of a sequence it does not belong to."""
    for folder in ("gopro", "phones", "phone-pairs"):
        for path in sorted((out / folder).rglob("*")):
            if path.is_dir():
                remove_partials(path)
            elif path not in expected and path.exists():
                raise DbganError(
                    f"{path}: expected only files that these parameters render below {out / folder}, found this one.\n"
                    f"Next: remove {out / folder} or choose another folder, and run again."
                )
