"""The dataset card: its front matter parses, its types are those of the data, its numbers those of the corpus."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbgan.corpus import Corpus, card
from dbgan.corpus.layout import REJECT_REASONS
from tests.corpus.tiny import HEADER

COUNTS: dict[str, Any] = {
    "samples": 1234,
    "shards": 40,
    "bytes": 5_000_000,
    "sequences": 12,
    "devices": {"ACME <One> | Pro": 1000, "": 234},
    "sizes": {f"{n}x8": n for n in range(1, 13)},
    "kept": {"blur_kept": 1000, "sharp_kept": 1234},
    "warnings": {"rotated": 5},
    "rejects": 3,
    "reject_reasons": {"truncated": 2, "pair_missing": 1},
}
TYPES = {str: "string", float: "float64", bool: "bool", int: "int32"}


def front(text: str) -> dict[str, Any]:
    """The YAML between the first two lines of dashes."""
    return yaml.safe_load(text.split("---\n")[1])


def test_the_card_of_a_corpus_loads_its_tars_and_names_every_member(corpus: Path) -> None:
    matter = front((corpus / "README.md").read_text())
    assert matter["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": "*.tar"}]}]
    features = {feature["name"]: feature for feature in matter["dataset_info"]["features"]}
    assert list(features) == ["__key__", "__url__", "blur.png", "sharp.png", "json"]
    assert features["blur.png"]["dtype"] == features["sharp.png"]["dtype"] == "image"


def test_types_of_the_json_struct_are_those_of_the_members(corpus: Path) -> None:
    matter = front((corpus / "README.md").read_text())
    struct = {f["name"]: f["dtype"] for f in matter["dataset_info"]["features"][-1]["struct"]}
    member = json.loads(Corpus.open(corpus).encoded("a/001", "json"))
    assert struct == {name: TYPES[type(value)] for name, value in member.items()}


def test_the_struct_of_synthesized_pairs_has_the_lineage() -> None:
    text = card.render(replace(HEADER, synthesized=True), COUNTS)
    struct = {f["name"]: f for f in front(text)["dataset_info"]["features"][-1]["struct"]}
    assert struct["noise"] == {"name": "noise", "sequence": "float64"}
    assert struct["variant"]["dtype"] == "int32"
    assert "synthetic" in front(text)["tags"]


@pytest.mark.parametrize("name", ["020", "yes", "a: b", "ünï"])
def test_names_that_yaml_would_take_for_something_else_stay_text(name: str) -> None:
    assert front(card.render(replace(HEADER, name=name), COUNTS))["pretty_name"] == name


def test_numbers_and_reasons_are_told(corpus: Path) -> None:
    text = card.render(HEADER, COUNTS)
    assert "| samples | 1,234 |" in text
    assert "| pair_missing | has no partner | 1 |" in text
    assert "12x8 (12), 11x8 (11)" in text
    assert "and 2 more" in text
    assert "2 inputs were refused" in (corpus / "README.md").read_text()


def test_every_reject_reason_has_its_sentence() -> None:
    for reason in REJECT_REASONS:
        text = card.render(HEADER, {**COUNTS, "reject_reasons": {reason: 7}})
        assert f"| {reason} | " in text


def test_a_device_name_ends_no_table_cell_and_starts_no_markup() -> None:
    assert "ACME &lt;One> \\| Pro (1,000)" in card.render(HEADER, COUNTS)


def test_parameters_privacy_and_notes_are_stated() -> None:
    text = card.render(replace(HEADER, quality=False, notes=("recordings occur in both splits",)), COUNTS)
    assert "```yaml\nlayout: paired\n```" in text
    assert "No location, serial number or owner's name of the metadata is kept." in text
    assert "- recordings occur in both splits" in text
    assert "their manifest columns are null" in text


@pytest.mark.parametrize(("samples", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**7, "n>10M")])
def test_size_categories_are_those_of_the_hub(samples: int, size: str) -> None:
    assert card.front_matter(HEADER, {**COUNTS, "samples": samples})["size_categories"] == [size]
