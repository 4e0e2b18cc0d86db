"""Plans: which pairs, in which shards, under which names and recipes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dbgan.corpus.layout import MAX_KEY
from dbgan.errors import CorpusError, DbganError
from dbgan.synthesize.plan import (
    Model,
    Settings,
    SharpRow,
    SharpSource,
    pairs,
    plan,
    ranked,
    read_source,
    target_sequences,
    variant_key,
)
from tests.synthesize.tiny import make_source

TOY = Model({"name": "toy"}, {})
SETTINGS = Settings(2, 0, "png", 2, {"toy": TOY}, 1)


def source(name: str, *keys: str, ext: str = "png") -> SharpSource:
    rows = (SharpRow(key, *key.split("/"), f"sharp of {key}", f"json of {key}") for key in keys)
    return SharpSource(name, Path(name), ext, tuple(rows))


CITY = source("city", "park/001", "park/002", "street/001", "street/002", "street/003", "street/004")


def test_shards_never_span_a_sequence_or_a_variant() -> None:
    for shard in plan([CITY], SETTINGS):
        sequence, variant, _ = shard.shard.rsplit("-", 2)
        assert shard.sequence == sequence
        assert {item.key.partition("/")[0] for item in shard.items} == {sequence}
        assert {f"v{item.variant}" for item in shard.items} == {variant}


def test_every_frame_has_every_variant_once() -> None:
    made = sorted((item.source_key, item.variant) for item in pairs(plan([CITY], SETTINGS)))
    assert made == sorted((row.key, variant) for row in CITY.rows for variant in (0, 1))


def test_one_more_variant_changes_no_other_shard() -> None:
    before = {p.shard: p for p in plan([CITY], SETTINGS)}
    after = {p.shard: p for p in plan([CITY], replace(SETTINGS, variants=3))}
    assert before.items() <= after.items()
    assert all("-v2-" in shard for shard in after.keys() - before.keys())


def test_one_more_sequence_or_source_changes_no_other_shard() -> None:
    before = {p.shard: p for p in plan([CITY], SETTINGS)}
    more = source("city", *(row.key for row in CITY.rows), "zoo/001")
    town = source("town", "street/001")
    after = {p.shard: p for p in plan([more, town], SETTINGS)}
    assert before.items() <= after.items()
    assert sorted(after.keys() - before.keys()) == [
        "town-street-v0-000",
        "town-street-v1-000",
        "zoo-v0-000",
        "zoo-v1-000",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        replace(SETTINGS, seed=1),
        replace(SETTINGS, ext="jpg"),
        replace(SETTINGS, models={"toy": replace(TOY, blur={"name": "toy", "weights": "f00"})}),
        replace(SETTINGS, models={"toy": replace(TOY, computed={"device": {"threads": 2}})}),
        replace(SETTINGS, revision=2),
    ],
)
def test_what_determines_bytes_is_in_every_recipe(changed: Settings) -> None:
    before, after = ({p.shard: p.recipe for p in plan([CITY], s)} for s in (SETTINGS, changed))
    assert before.keys() == after.keys()
    assert all(before[shard] != after[shard] for shard in before)


@pytest.mark.parametrize("field", ["sharp_sha256", "json_sha256"])
def test_a_changed_frame_changes_the_recipe_of_its_shards_alone(field: str) -> None:
    rows = (replace(CITY.rows[0], **{field: "other"}), *CITY.rows[1:])
    before, after = ({p.shard: p.recipe for p in plan([s], SETTINGS)} for s in (CITY, replace(CITY, rows=rows)))
    assert {shard.rsplit("-", 2)[0] for shard in before if before[shard] != after[shard]} == {"park"}


def test_equal_sequences_of_two_sources_are_kept_apart() -> None:
    sources = [CITY, source("town", "Street/001", "zoo/001")]
    targets = target_sequences(sources)
    assert targets["city", "street"] == "street"
    assert targets["town", "Street"] == "town-Street"  # on some file systems Street and street are one file
    assert targets["town", "zoo"] == "zoo"
    shards = [p.shard.casefold() for p in plan(sources, SETTINGS)]
    assert len(shards) == len(set(shards))


def test_sequences_that_still_meet_are_refused() -> None:
    with pytest.raises(DbganError, match="would both be 'b-x'"):
        target_sequences([source("a", "b-x/1", "x/1"), source("b", "x/1")])


def test_items_are_sorted_by_their_new_key() -> None:
    # "a" < "a-b", but "a-b-v0" < "a-v0"
    (first, _) = plan([source("s", "q/a", "q/a-b")], replace(SETTINGS, shard_samples=100))
    assert [item.key for item in first.items] == ["q/a-b-v0", "q/a-v0"]


def test_long_frame_names_are_cut_and_stay_apart() -> None:
    frames = ["f" * 80 + "1", "f" * 80 + "2"]
    keys = [variant_key("street", frame, 10) for frame in frames]
    assert all(len(key) == MAX_KEY and key.endswith("-v10") for key in keys)
    assert keys[0] != keys[1]
    with pytest.raises(DbganError, match="85 characters"):
        variant_key("s" * 85, "frame1", 0)


def test_only_kept_samples_of_the_train_split_are_read(datasets: Path) -> None:
    train = datasets / "train"
    read = read_source(train / "city", train / "city.selection.parquet")
    assert [row.key for row in read.rows] == [*(f"park/00{n}" for n in (1, 2)), *(f"street/00{n}" for n in range(1, 6))]


def test_a_source_without_sharp_frames_is_refused(tmp_path: Path) -> None:
    path = make_source(tmp_path, "phones", {"walk": ["001"]}, kind="blurry")
    with pytest.raises(CorpusError, match="expected a corpus with sharp frames"):
        read_source(path)


def test_a_source_whose_train_split_is_empty_is_refused(tmp_path: Path) -> None:
    path = make_source(tmp_path, "city", {"walk": ["001"]}, splits={"walk": "test"})
    with pytest.raises(CorpusError, match=r"no sample that .* keeps in the split `train`"):
        read_source(path, tmp_path / "train/city.selection.parquet")


# Models.


def chosen(shares: dict[str, float], seed: int = 0, count: int = 20_000) -> dict[str, str]:
    settings = replace(SETTINGS, seed=seed, models={name: replace(TOY, share=share) for name, share in shares.items()})
    return {f"s{n}-v0-000": ranked(settings, f"s{n}-v0-000")[0] for n in range(count)}


def test_models_get_their_shares_of_the_shards() -> None:
    counts = Counter(chosen({"bgan": 0.6, "average": 0.3, "kernel": 0.1}).values())
    # three standard deviations of a binomial of 20,000 are at most 210
    assert abs(counts["bgan"] - 12_000) < 210
    assert abs(counts["average"] - 6_000) < 210
    assert abs(counts["kernel"] - 2_000) < 130


def test_only_the_ratio_of_shares_counts_and_seeds_choose_anew() -> None:
    assert chosen({"a": 1, "b": 3}, count=500) == chosen({"b": 0.75, "a": 0.25}, count=500)
    assert chosen({"a": 1, "b": 1}, count=500) != chosen({"a": 1, "b": 1}, seed=1, count=500)


def test_a_larger_share_only_gains_shards_and_costs_no_more_than_it_must() -> None:
    before, after = chosen({"a": 1, "b": 1, "c": 1}), chosen({"a": 1, "b": 2, "c": 1})
    moved = [shard for shard in before if before[shard] != after[shard]]
    assert {after[shard] for shard in moved} == {"b"}
    assert abs(len(moved) - 20_000 * (2 / 4 - 1 / 3)) < 210


def test_a_new_model_takes_from_all_and_moves_nothing_between_them() -> None:
    before, after = chosen({"a": 1, "b": 1}), chosen({"a": 1, "b": 1, "c": 0.5})
    assert {after[shard] for shard in before if before[shard] != after[shard]} == {"c"}


def test_windows_are_of_consecutive_frames_and_in_the_recipe() -> None:
    average = replace(SETTINGS, models={"average": replace(TOY, window=(1, 1), stride=1)}, variants=1)
    keys = ("street/001", "street/002", "street/003", "street/005")
    made = [item for shard in plan([source("city", *keys)], average) for item in shard.items]
    assert [(item.source_key, item.window) for item in made] == [("street/002", keys[:3])]
    rows = source("city", *keys).rows
    other = SharpSource("city", Path("city"), "png", (*rows[:2], replace(rows[2], sharp_sha256="other"), rows[3]))
    recipes = [[shard.recipe for shard in plan([s], average)] for s in (source("city", *keys), other)]
    assert recipes[0] != recipes[1]


def test_frames_that_a_selection_drops_are_still_moments_of_an_exposure() -> None:
    average = replace(SETTINGS, models={"average": replace(TOY, window=(1, 1), stride=1)}, variants=1)
    every = source("city", "street/001", "street/002", "street/003").rows
    (shard,) = plan([SharpSource("city", Path("city"), "png", every[1:2], every)], average)
    assert shard.items[0].window == ("street/001", "street/002", "street/003")


def test_where_a_model_finds_no_window_the_next_makes_the_shard() -> None:
    models = {"average": replace(TOY, window=(1, 1), share=1e9), "kernel": replace(TOY, blur={"name": "k"})}
    plans = plan([source("city", "a/001", "a/002", "a/003", "b/001")], replace(SETTINGS, models=models, variants=1))
    assert {shard.sequence: {item.model for item in shard.items} for shard in plans} == {
        "a": {"average"},
        "b": {"kernel"},
    }


def test_variants_of_the_same_frames_are_one_group() -> None:
    plans = plan([CITY], SETTINGS)
    frames = {shard.shard: {item.source_key for item in shard.items} for shard in plans}
    groups = {frozenset(frames[shard.shard]): set() for shard in plans}
    for shard in plans:
        groups[frozenset(frames[shard.shard])].add(shard.group)
    assert all(len(names) == 1 for names in groups.values())
    assert len({name for names in groups.values() for name in names}) == len(groups)
