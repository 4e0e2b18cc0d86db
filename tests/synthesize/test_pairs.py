"""Synthetic corpora: the same bytes however they are made, lineage of every pair, only train frames."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dbgan.corpus import Corpus
from dbgan.corpus.columns import nullable_columns
from dbgan.errors import CorpusError, DbganError, ParamsError
from dbgan.image.codec import decode
from dbgan.image.quality import measure, pair_psnr
from dbgan.params import SynthesizeParams
from dbgan.recipe import version
from dbgan.synthesize import blur_corpus, synthesize
from dbgan.synthesize.learned import BganBlur, draw_noise
from tests.conftest import PROJECT
from tests.synthesize.conftest import FRAMES
from tests.synthesize.tiny import contents, make_source, make_toy, sharp_frame

GOLDEN_PIXELS = "54342594c6fa338795dfcb0e159393a5d45ad2d57c6cc8ba248921978d22ba61"
GOLDEN_TAR = {"5.0.0.93": "05dbe08c968c4c17c9f879976fbc4811a614382a112d2fe29d67956ac85ddbdd"}


def bgan_params(**changes: object) -> SynthesizeParams:
    values = {"sharp": ["city"], "generator": "g", "variants": 2, "shard_samples": 2, "threads": 1, **changes}
    return SynthesizeParams.model_validate(values)


def shards(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.glob("*.tar")}


def test_every_pair_says_what_made_it(datasets: Path, models: Path, tmp_path: Path) -> None:
    synthesize("syn", bgan_params(seed=9), datasets, models, tmp_path / "syn")
    weights = models / "bgan/g/weights.safetensors"
    blur = BganBlur(weights)
    corpus, source = Corpus.open(tmp_path / "syn"), Corpus.open(datasets / "train/city")
    table = corpus.table().set_index("key")
    assert len(corpus) == 2 * 7
    for sample in corpus:
        meta, row = sample.meta, table.loc[sample.key]
        assert meta["source_corpus"] == row["source_corpus"] == "city"
        assert sample.key == f"{meta['source_key']}-v{meta['variant']}"
        assert meta["method"] == row["method"] == "bgan"
        assert meta["generator"] == row["generator"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert meta["noise"] == list(row["noise"]) == list(draw_noise(9, meta["source_key"], meta["variant"]))
        assert json.loads(meta["parameters"]) == {"precision": "fp32", "tile": 512}
        assert (meta["device"], meta["exposure_s"], meta["has_exposure_s"]) == ("Acme P1", 0.125, True)
        again = blur.blur(sharp_frame(meta["source_key"]), tuple(meta["noise"]))
        assert np.array_equal(sample.images["blur"], again)
        assert corpus.encoded(sample.key, "sharp") == source.encoded(meta["source_key"], "sharp")


def test_the_manifest_measures_both_pictures(datasets: Path, tmp_path: Path) -> None:
    make_toy(datasets, tmp_path / "toy")
    corpus = Corpus.open(tmp_path / "toy")
    table = corpus.table().set_index("key")
    for sample in corpus:
        row = table.loc[sample.key]
        assert row["pair_psnr"] == pair_psnr(sample.images["blur"], sample.images["sharp"])
        for field in ("blur", "sharp"):
            found = measure(sample.images[field], corpus.encoded(sample.key, field))
            stored = {name: row[f"{field}_{name}"] for name in found}
            # pandas shows a measure that could not be taken as NaN
            assert {name: None if value != value else value for name, value in stored.items()} == found
    assert corpus.verify() == []


def test_measures_of_a_copied_picture_are_its_sources_and_are_taken_once(datasets: Path, tmp_path: Path) -> None:
    city = datasets / "train/city"
    shutil.rmtree(city)
    make_source(datasets, "city", {"street": ["000001", "000002"]}, measured="yes")
    table = pq.read_table(city / "manifest.parquet")
    told = [1.5 + row for row in range(len(table))]  # no picture measures that: a copy of it shows where it is from
    place = table.schema.get_field_index("sharp_tenengrad")
    pq.write_table(
        table.set_column(place, table.schema.field(place), pa.array([told])[0].values), city / "manifest.parquet"
    )

    make_toy(datasets, tmp_path / "toy")
    made = Corpus.open(tmp_path / "toy").table(["sharp_tenengrad", "blur_tenengrad", "sharp_pixels_sha256"])

    assert sorted(set(made["sharp_tenengrad"])) == told
    assert made["blur_tenengrad"].max() < 1.5
    assert make_toy(datasets, tmp_path / "toy").built == 0
    pq.write_table(table, city / "manifest.parquet")
    assert make_toy(datasets, tmp_path / "toy").reused == 0  # other measures are other rows


def test_without_quality_only_the_psnr_of_pairs_is_measured(datasets: Path, tmp_path: Path) -> None:
    make_toy(datasets, tmp_path / "toy", quality=False)
    corpus = Corpus.open(tmp_path / "toy")
    table = corpus.table(list(nullable_columns("paired")))

    assert not corpus.header.quality
    assert table.pop("pair_psnr").notna().all()
    assert table.isna().all(axis=None)
    assert corpus.verify() == []


def test_a_sharp_picture_that_changed_after_ingest_is_never_blurred(datasets: Path, tmp_path: Path) -> None:
    shard = next((datasets / "train/city").glob("park*.tar"))
    data = bytearray(shard.read_bytes())
    place = data.find(b"\x89PNG", data.find(b"sharp.png")) + 8 + 8 + 13 + 4 + 8  # the first byte of IDAT
    data[place] ^= 1
    shard.chmod(0o644)
    shard.write_bytes(data)

    with pytest.raises(DbganError, match=r"sharp picture of park/.* is not the one of the manifest"):
        make_toy(datasets, tmp_path / "toy")


def test_only_kept_train_frames_are_blurred(datasets: Path, tmp_path: Path) -> None:
    make_toy(datasets, tmp_path / "toy")
    used = set(Corpus.open(tmp_path / "toy").table(["source_key"])["source_key"])
    assert used == {f"{s}/{f}" for s in ("street", "park") for f in FRAMES[s] if not f.startswith("drop")}


@pytest.mark.slow
def test_two_ray_workers_and_one_process_make_the_same_bytes(datasets: Path, models: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    synthesize("syn", bgan_params(), datasets, models, tmp_path / "serial")
    synthesize("syn", bgan_params(workers=1), datasets, models, tmp_path / "ray", workers=2)
    assert contents(tmp_path / "serial") == contents(tmp_path / "ray")


def test_a_second_run_builds_nothing_and_rewrites_nothing(datasets: Path, models: Path, tmp_path: Path) -> None:
    first = synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    before = shards(tmp_path / "syn")
    second = synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    assert (second.built, second.reused, second.removed) == (0, first.built, 0)
    assert shards(tmp_path / "syn") == before


def test_one_more_variant_keeps_every_other_shard(datasets: Path, models: Path, tmp_path: Path) -> None:
    first = synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    before = shards(tmp_path / "syn")
    more = synthesize("syn", bgan_params(variants=3), datasets, models, tmp_path / "syn")
    assert (more.built, more.reused) == (first.built // 2, first.built)
    assert before.items() <= shards(tmp_path / "syn").items()
    synthesize("syn", bgan_params(variants=3), datasets, models, tmp_path / "fresh")
    assert contents(tmp_path / "syn") == contents(tmp_path / "fresh")


def test_new_weights_make_every_shard_new(datasets: Path, models: Path, tmp_path: Path) -> None:
    from dbgan.networks import generator, save_weights

    first = synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    save_weights(models / "bgan/g/weights.safetensors", generator("bgan", blocks=1, width=8, seed=4))
    again = synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    assert (again.built, again.reused) == (first.built, 0)


def test_killed_and_run_again_gives_the_bytes_of_an_undisturbed_run(datasets: Path, tmp_path: Path) -> None:
    make_toy(datasets, tmp_path / "undisturbed")
    out = tmp_path / "killed"
    code = f"""
from pathlib import Path
from tests.synthesize.tiny import make_toy
make_toy(Path({str(datasets)!r}), Path({str(out)!r}), pause_s=0.2)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, env=dict(os.environ)) as process:
        deadline = time.monotonic() + 60
        while len(list((out / ".receipts").glob("*.json"))) < 2:
            assert process.poll() is None, "the build ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (out / "corpus.json").exists()
    report = make_toy(datasets, out)
    assert report.reused >= 2
    assert report.built >= 1
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_golden_pixels_of_a_shard(datasets: Path, tmp_path: Path) -> None:
    """What a shard holds, whatever library encoded it: if this changes, REVISION of dbgan/synthesize/build.py must."""
    make_toy(datasets, tmp_path / "toy")
    digest = hashlib.sha256()
    with tarfile.open(tmp_path / "toy/park-v1-000.tar") as tar:
        for member in tar:
            data = tar.extractfile(member).read()  # type: ignore[union-attr]
            digest.update(member.name.encode() + (decode(data).tobytes() if member.name.endswith("png") else data))
    assert digest.hexdigest() == GOLDEN_PIXELS


def test_golden_bytes_of_a_shard(datasets: Path, tmp_path: Path) -> None:
    """The tar itself, where the PNG encoder is one whose bytes are known."""
    opencv = version("opencv-python-headless")
    if opencv not in GOLDEN_TAR:
        pytest.skip(f"PNG bytes of OpenCV {opencv} are not recorded")
    make_toy(datasets, tmp_path / "toy")
    tar = (tmp_path / "toy/park-v1-000.tar").read_bytes()
    assert hashlib.sha256(tar).hexdigest() == GOLDEN_TAR[opencv]
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in opened} == {(0, 0, 0, "", "", 0o444)}


def test_two_sources_with_the_same_sequence_share_a_corpus(datasets: Path, tmp_path: Path) -> None:
    make_source(datasets, "town", {"street": ["001"]})
    make_toy(datasets, tmp_path / "toy", sharp=["city", "town"])
    corpus = Corpus.open(tmp_path / "toy")
    table = corpus.table(["key", "source_corpus", "source_key"])
    assert list(table[table["source_corpus"] == "town"]["key"]) == ["town-street/001-v0", "town-street/001-v1"]
    assert corpus.verify() == []


def test_a_jpeg_corpus_of_png_frames_measures_what_readers_see(datasets: Path, tmp_path: Path) -> None:
    make_toy(datasets, tmp_path / "toy", image="jpg")
    corpus = Corpus.open(tmp_path / "toy")
    assert corpus.header.ext == "jpg"
    sample = corpus[0]
    assert corpus.table(["pair_psnr"])["pair_psnr"][0] == pair_psnr(sample.images["blur"], sample.images["sharp"])
    assert corpus.verify() == []


def test_worker_count_and_folders_are_not_recorded(datasets: Path, models: Path, tmp_path: Path) -> None:
    synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    text = (tmp_path / "syn/corpus.json").read_text()
    assert "workers" not in text
    assert str(tmp_path) not in text
    assert json.loads(text)["device_class"]["threads"] == 1


def test_blur_corpus_takes_the_whole_corpus(datasets: Path, tmp_path: Path) -> None:
    report = blur_corpus(datasets / "train/city", tmp_path / "out", model="kernel", variants=2, seed=4)
    assert report.samples == 2 * sum(map(len, FRAMES.values()))
    corpus = Corpus.open(tmp_path / "out")
    assert set(corpus.table(["method"])["method"]) == {"kernel"}
    assert set(corpus.table(["generator"])["generator"]) == {""}
    assert corpus.verify() == []


def test_blur_corpus_with_weights_names_them_by_digest(datasets: Path, models: Path, tmp_path: Path) -> None:
    weights = models / "bgan/g/weights.safetensors"
    blur_corpus(datasets / "train/city", tmp_path / "out", weights=weights)
    header = Corpus.open(tmp_path / "out").header
    assert header.params["generator"] == f"sha256-{hashlib.sha256(weights.read_bytes()).hexdigest()}"


def test_models_share_a_corpus_and_every_pair_says_which_made_it(datasets: Path, models: Path, tmp_path: Path) -> None:
    params = bgan_params(models={"bgan": 1, "kernel": 1, "average": 1}, average={"frames": 2, "stride": 1}, variants=3)
    synthesize("syn", params, datasets, models, tmp_path / "syn")
    corpus = Corpus.open(tmp_path / "syn")
    table = corpus.table(["shard", "method", "generator", "noise", "parameters"])
    assert set(table["method"]) == {"bgan", "kernel", "average"}
    assert (table.groupby("shard")["method"].nunique() == 1).all()
    for _, row in table.iterrows():
        assert bool(row["generator"]) == bool(len(row["noise"])) == (row["method"] == "bgan")
        told = {"bgan": "tile", "kernel": "kind", "average": "frames"}[row["method"]]
        assert told in json.loads(row["parameters"])
    assert corpus.verify() == []
    assert "(33% of the shards)" in (tmp_path / "syn/README.md").read_text()


def test_a_changed_share_makes_only_those_shards_anew_that_change_their_model(
    datasets: Path, models: Path, tmp_path: Path
) -> None:
    def methods() -> dict[str, str]:
        table = Corpus.open(tmp_path / "syn").table(["shard", "method"])
        return dict(zip(table["shard"], table["method"], strict=True))

    synthesize("syn", bgan_params(models={"bgan": 1, "kernel": 0.2}, variants=5), datasets, models, tmp_path / "syn")
    before, kept = methods(), shards(tmp_path / "syn")
    more = bgan_params(models={"bgan": 1, "kernel": 2}, variants=5)
    report = synthesize("syn", more, datasets, models, tmp_path / "syn")
    moved = {shard for shard, method in methods().items() if method != before[shard]}
    assert report.built == len(moved) > 0
    assert {methods()[shard] for shard in moved} == {"kernel"}
    unmoved = {name: found for name, found in kept.items() if name.removesuffix(".tar") not in moved}
    assert unmoved
    assert unmoved.items() <= shards(tmp_path / "syn").items()
    synthesize("syn", more, datasets, models, tmp_path / "fresh")
    assert contents(tmp_path / "syn") == contents(tmp_path / "fresh")


def test_an_average_is_of_the_frames_beside_the_sharp_one(datasets: Path, tmp_path: Path) -> None:
    settings = {"average": {"frames": 3, "stride": 1}}
    report = blur_corpus(datasets / "train/city", tmp_path / "out", model="average", settings=settings)
    assert report.samples == 3 + 1  # street has 5 frames in a row, park 3; held has one
    blurry = Corpus.open(tmp_path / "out")["street/003-v0"].images["blur"]
    window = [sharp_frame(f"street/00{n}").astype(int) for n in (2, 3, 4)]
    assert np.array_equal(blurry, np.rint(sum(window) / 3))


def test_a_picture_is_decoded_once_for_all_its_variants(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbgan.synthesize import sharp

    decoded: list[int] = []
    original = sharp.decode
    monkeypatch.setattr(sharp, "decode", lambda data, **limits: decoded.append(len(data)) or original(data, **limits))
    make_toy(datasets, datasets / "toy", variants=4)
    assert len(decoded) == 7
    decoded.clear()
    make_toy(datasets, datasets / "poor", variants=4, memory_mb=0)
    assert 7 < len(decoded) <= 4 * 7  # two shards that are in work at the same time share what one of them reads
    assert contents(datasets / "toy") == contents(datasets / "poor")


def test_jpeg_quality_is_part_of_the_recipe(datasets: Path, tmp_path: Path) -> None:
    make_toy(datasets, tmp_path / "toy", image="jpg")
    usual = sum(path.stat().st_size for path in (tmp_path / "toy").glob("*.tar"))
    report = make_toy(datasets, tmp_path / "toy", image="jpg", jpeg_quality=30)
    assert report.reused == 0
    assert sum(path.stat().st_size for path in (tmp_path / "toy").glob("*.tar")) < usual
    assert make_toy(datasets, tmp_path / "png", jpeg_quality=30).built == report.built
    assert make_toy(datasets, tmp_path / "png").reused == report.built


def test_a_damaged_source_is_told_before_anything_is_blurred(datasets: Path, models: Path, tmp_path: Path) -> None:
    tar = datasets / "train/city/street-000.tar"
    tar.write_bytes(tar.read_bytes()[:-512])
    with pytest.raises(CorpusError, match=r"is damaged:\n  street-000.tar: expected \d+ bytes(.|\n)*nothing was"):
        synthesize("syn", bgan_params(), datasets, models, tmp_path / "syn")
    assert not (tmp_path / "syn").exists()


def test_wrong_uses_are_explained(datasets: Path, models: Path, tmp_path: Path) -> None:
    city, out = datasets / "train/city", tmp_path / "out"
    weights = models / "bgan/g/weights.safetensors"
    with pytest.raises(ParamsError, match="needs the weights"):
        blur_corpus(city, out, model="bgan")
    with pytest.raises(ParamsError, match="takes no weights"):
        blur_corpus(city, out, model="kernel", weights=weights)
    with pytest.raises(DbganError, match="needs: a window is 11 consecutive frames, found at most 5 in a row"):
        blur_corpus(city, out, model="average")
    with pytest.raises(CorpusError, match="expected a corpus"):
        blur_corpus(tmp_path, out, model="kernel")
    with pytest.raises(DbganError, match="no such weight file"):
        synthesize("syn", bgan_params(generator="absent"), datasets, models, out)
    assert not out.exists()
    before = contents(city)
    with pytest.raises(ParamsError, match=r"city: is the corpus whose frames are blurred(.|\n)*another folder"):
        blur_corpus(city, city, model="kernel")
    assert contents(city) == before
