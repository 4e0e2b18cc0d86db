"""Rules drop what they should, in order, and say why."""

from __future__ import annotations

import pandas as pd
import pytest

from dbgan.corpus.layout import ALLOWED_NUMBERS
from dbgan.curate import rules
from dbgan.curate.review import Decision
from dbgan.errors import ParamsError
from dbgan.params import CurateParams, DeviceRules, Limits


def rows(**columns: list[object]) -> rules.Rows:
    count = len(next(iter(columns.values())))
    table = {
        "key": [f"s/{i:03d}" for i in range(count)],
        "width": [200] * count,
        "height": [200] * count,
        "device": ["Pixel 8"] * count,
        "blur_sharpness": [0.001] * count,
        "blur_pixels_sha256": [bytes([i]) * 32 for i in range(count)],
    }
    return rules.Rows(pd.DataFrame(table | columns), "blur")


def test_min_side_judges_the_shorter_side_and_keeps_the_limit_itself() -> None:
    drops = rules.apply(rows(width=[300, 128, 127], height=[127, 128, 300]), CurateParams(min_side=128))
    assert sorted(drops) == ["s/000", "s/002"]
    drop = drops["s/000"]
    assert (drop.rule, drop.measure, drop.value, drop.limit) == ("min_side", "min_side", 127.0, 128.0)
    assert drop.reason == "the shorter side has 127 px, under the limit of 128 px"


def test_limits_are_a_closed_band() -> None:
    params = CurateParams(limits={"blur_sharpness": Limits(min=0.001, max=0.002)})
    drops = rules.apply(rows(blur_sharpness=[0.0009, 0.001, 0.0015, 0.002, 0.0021]), params)
    assert {key: (d.value, d.limit) for key, d in drops.items()} == {"s/000": (0.0009, 0.001), "s/004": (0.0021, 0.002)}
    assert drops["s/004"].reason == "blur_sharpness is 0.0021, over the limit of 0.002"


def test_a_devices_own_band_replaces_the_one_for_every_device() -> None:
    params = CurateParams(
        limits={"blur_sharpness": Limits(max=0.01)}, devices={"Galaxy S9": {"blur_sharpness": Limits(max=0.03)}}
    )
    drops = rules.apply(rows(device=["Pixel 8", "Galaxy S9", "Galaxy S9"], blur_sharpness=[0.02, 0.02, 0.04]), params)
    assert sorted(drops) == ["s/000", "s/002"]
    assert "for device Galaxy S9" in drops["s/002"].reason
    assert "for device" not in drops["s/000"].reason


def test_samples_without_a_device_are_limited_as_unknown() -> None:
    params = CurateParams(devices={"unknown": {"blur_sharpness": Limits(max=0.0005)}})
    assert sorted(rules.apply(rows(device=["", "Pixel 8"]), params)) == ["s/000"]


def test_a_number_that_the_camera_did_not_record_is_not_judged() -> None:
    params = CurateParams(limits={"iso": Limits(min=100, max=800)})
    drops = rules.apply(rows(iso=[0.0, 1600.0, 400.0], has_iso=[False, True, True]), params)
    assert sorted(drops) == ["s/001"]


def test_only_the_first_of_equal_pixels_is_kept_and_the_others_name_it() -> None:
    digests = [b"a" * 32, b"b" * 32, b"a" * 32, b"a" * 32]
    drops = rules.apply(rows(blur_pixels_sha256=digests), CurateParams())
    assert sorted(drops) == ["s/002", "s/003"]
    assert drops["s/003"].reason == "the same pixels as s/000, which is kept"
    assert not rules.apply(rows(blur_pixels_sha256=digests), CurateParams(drop_duplicates=False))


def test_a_duplicate_of_a_dropped_sample_is_kept() -> None:
    table = rows(
        blur_pixels_sha256=[b"a" * 32, b"a" * 32], device=["Pixel 8", "Galaxy S9"], blur_sharpness=[0.02, 0.02]
    )
    params = CurateParams(devices={"Pixel 8": {"blur_sharpness": Limits(max=0.01)}})
    assert sorted(rules.apply(table, params)) == ["s/000"]


def test_the_first_rule_that_drops_a_sample_gives_the_reason() -> None:
    params = CurateParams(min_side=128, limits={"blur_sharpness": Limits(max=0.01)})
    drops = rules.apply(rows(width=[64], blur_sharpness=[0.5]), params)
    assert drops["s/000"].rule == "min_side"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (CurateParams(limits={"sharpness": Limits(max=1)}), "Did you mean 'blur_sharpness'?"),
        (CurateParams(devices={"Pixel 8": {"blur_sharpnes": Limits(max=1)}}), "Did you mean 'blur_sharpness'?"),
        (CurateParams(devices={"Pixel8": {}}), "Did you mean 'Pixel 8'?"),
        (CurateParams(limits={"iso": Limits(min=2, max=1)}), "min 2 is over max 1"),
    ],
)
def test_params_that_name_nothing_are_errors_with_the_nearest_name(params: CurateParams, expected: str) -> None:
    with pytest.raises(ParamsError, match=r"sources\.x\.curate") as raised:
        rules.check(params, ["blur_sharpness", "blur_tenengrad", *ALLOWED_NUMBERS], ["Pixel 8"], "sources.x.curate")
    assert expected in str(raised.value)


def test_a_quantile_is_taken_of_each_devices_own_samples() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    params = CurateParams(limits={"blur_sharpness": Limits(min_quantile=0.25, max_quantile=0.75)})
    drops = rules.apply(rows(device=["A"] * 5 + ["B"] * 5, blur_sharpness=values), params)
    assert sorted(drops) == ["s/000", "s/004", "s/005", "s/009"]
    assert (drops["s/005"].value, drops["s/005"].limit) == (10.0, 20.0)
    assert drops["s/009"].reason == "blur_sharpness is 50, over the limit of 40, quantile 0.75 of device B"


def test_a_measure_that_a_picture_lacks_is_not_judged() -> None:
    params = CurateParams(limits={"blur_motion_px": Limits(max_quantile=0.5), "blur_sharpness": Limits(max=1.0)})
    assert sorted(rules.apply(rows(blur_motion_px=[None, 7.0, 30.0]), params)) == ["s/002"]
    assert not rules.apply(rows(blur_motion_px=[None, None]), params)


@pytest.mark.parametrize("band", [{"min": 1, "min_quantile": 0.1}, {"min_quantile": 0.6, "max_quantile": 0.5}])
def test_a_band_has_one_limit_per_side_in_order(band: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="min"):
        Limits.model_validate(band)


def flipped(*bits: int) -> bytes:
    value = 0
    for bit in bits:
        value |= 1 << bit
    return value.to_bytes(32, "big")


def test_of_a_burst_the_first_are_kept_and_another_sequence_is_no_part_of_it() -> None:
    hashes = [flipped(), flipped(1), flipped(1, 2), flipped(*range(9)), flipped()]
    table = rows(blur_phash=hashes, sequence=["s"] * 4 + ["t"])
    drops = rules.apply(table, CurateParams(near_bits=2))
    assert {key: (d.value, d.limit) for key, d in drops.items()} == {"s/001": (1.0, 2.0), "s/002": (2.0, 2.0)}
    assert drops["s/002"].reason == "looks like s/000, which is kept: 2 of 256 bits differ, at most 2 in a burst"
    assert sorted(rules.apply(table, CurateParams(near_bits=2, keep_per_burst=2))) == ["s/002"]
    assert not rules.apply(table, CurateParams())


def test_a_later_sample_never_changes_what_became_of_an_earlier_one() -> None:
    hashes = [flipped(*range(n)) for n in (0, 2, 4, 6, 8)]
    params = CurateParams(near_bits=3)
    whole = rules.apply(rows(blur_phash=hashes, sequence=["s"] * 5), params)
    part = rules.apply(rows(blur_phash=hashes[:3], sequence=["s"] * 3), params)
    assert part == {key: drop for key, drop in whole.items() if key <= "s/002"}


def test_a_device_may_have_its_own_size_and_bursts() -> None:
    params = CurateParams(
        min_side=128, device_rules={"Galaxy S9": DeviceRules(min_side=180, near_bits=2, keep_per_burst=2)}
    )
    table = rows(device=["Pixel 8", "Galaxy S9"], width=[150, 150])
    assert rules.apply(table, params)["s/001"].reason.endswith("under the limit of 180 px for device Galaxy S9")
    hashes = [flipped(), flipped(1), flipped(2)] * 2
    devices = ["Pixel 8"] * 3 + ["Galaxy S9"] * 3
    burst = rows(blur_phash=hashes, sequence=["s"] * 6, device=devices)
    drops = rules.apply(burst, params)
    assert sorted(drops) == ["s/005"]
    assert drops["s/005"].reason.endswith("at most 2 in a burst for device Galaxy S9")
    assert "blur_phash" in rules.columns(params, "blur")
    other = CurateParams(device_rules={"Galaxy S8": DeviceRules()})
    with pytest.raises(ParamsError, match=r"device_rules names 'Galaxy S8'.*Did you mean 'Galaxy S9'"):
        rules.check(other, [*ALLOWED_NUMBERS], ["Galaxy S9"], "sources.x.curate")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_quantiles_of_few_or_equal_samples_never_drop_all(count: int) -> None:
    params = CurateParams(limits={"blur_sharpness": Limits(min_quantile=0.4, max_quantile=0.6)})
    assert not rules.apply(rows(blur_sharpness=[0.25] * count), params)
    assert len(rules.apply(rows(blur_sharpness=[0.1 * i for i in range(count)]), params)) < count
    assert rules.notes(rows(blur_sharpness=[0.25] * count), params)[0].endswith("a quantile of so few says little.")
    assert rules.notes(rows(blur_sharpness=[0.25] * 20), params) == []


def test_a_decision_by_hand_moves_no_quantile() -> None:
    params = CurateParams(min_side=1, limits={"blur_sharpness": Limits(min_quantile=0.3)})
    table = rows(blur_sharpness=[float(i) for i in range(10)])
    alone = rules.apply(table, params)
    decided = rules.apply(table, params, {f"s/00{i}": Decision(False, "") for i in (7, 8, 9)})
    assert {k: d for k, d in decided.items() if d.rule == "limits"} == alone


def test_a_limit_that_judges_no_sample_of_a_device_is_told() -> None:
    params = CurateParams(limits={"blur_motion_px": Limits(min=3.0), "iso": Limits(max=800)})
    table = rows(blur_motion_px=[None, None], iso=[100.0, 0.0], has_iso=[True, False], device=["Pixel 8", ""])
    assert not rules.apply(table, params)
    assert rules.notes(table, params) == [
        "No sample of device unknown has blur_motion_px: its limit judges none of them.",
        "No sample of device unknown has iso: its limit judges none of them.",
        "No sample of device Pixel 8 has blur_motion_px: its limit judges none of them.",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_limit_is_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Limits(min=value)
