"""The page is self-contained, complete, honest about what it lacks, and equal for equal inputs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from dbgan import __version__
from dbgan.report.pictures import Fit
from tests.conftest import PROJECT
from tests.report.conftest import PSNR, VARIANTS, Project

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Elements(HTMLParser):
    """All elements with their attributes; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def warnings_of(page: str) -> str:
    found = re.search(r'<section class="warnings".*?</section>', page, re.S)
    return found.group() if found else ""


def missing_of(page: str) -> str:
    return page.split('<section id="missing">')[1].split("</section>")[0]


def test_every_number_of_the_table_is_on_the_page(project: Project) -> None:
    table = project.build().split('<section id="results">')[1].split("</section>")[0]
    for offset, variant in enumerate(VARIANTS):
        for number in (f"{PSNR[variant]:.2f}", f"{0.8123 + offset / 1000:.4f}", f"{0.8456 + offset / 1000:.4f}"):
            assert f"><span>{number}</span>" in table, f"{variant} {number}"
        assert f"{PSNR[variant] - 25.02:+.2f}" in table
    for number in ("25.02", "0.7011", "0.7512"):
        assert f"><span>{number}</span>" in table


def test_every_mean_has_its_interval_and_every_pair_its_difference(project: Project) -> None:
    table = project.build().split('<section id="results">')[1].split("</section>")[0]
    for variant in VARIANTS:
        assert f'<span class="ends">{PSNR[variant] - 1:.2f} to {PSNR[variant] + 1.5:.2f}</span>' in table
    pair = table.split('<th scope="row">plus &minus; control</th>')[1].split("</tr>")[0]
    assert all(words in pair for words in ("<td>+0.270</td>", "<td>+0.120 to +0.410</td>", "<td>100 % of 2</td>"))
    # zero is inside the interval of control - l1, so it is shown as unsure
    assert '<tr class="unsure"><th scope="row">control &minus; l1</th>' in table
    groups = table.split('<details class="groups">')[1]
    assert "by blur strength of the input" in groups
    assert '<td class="loss"><span>-0.50</span>' in groups
    assert '<th scope="row">000</th>' not in groups, "one sequence alone says what the results say"


def test_the_papers_numbers_stand_apart_and_are_labelled(project: Project) -> None:
    page = project.build()
    aside = page.split('<aside class="paper"')[1].split("</aside>")[0]
    for number in ("30.43", "0.9372", "31.10", "0.9424"):
        assert number in aside
        assert number not in page.replace(aside, "")
    assert "paper" in aside
    assert "Not ours" in aside
    others = aside.split('<details class="rows">')[1].split("</details>")[0]
    assert "Neither ours nor the paper" in others
    assert '<th scope="row">Restormer (2022)</th><td>32.92</td><td><span title="3-D">0.961</span></td>' in others
    assert '<th scope="row">AdaRevD (2024)</th><td>34.60</td><td></td>' in others


def test_nothing_is_fetched_from_anywhere(project: Project) -> None:
    page = project.build()
    for tag, attributes in Elements(page).found:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name) or ""
            plain_link = tag == "a" and name == "href"
            assert plain_link or not value or value.startswith("data:"), f"{tag} {name}={value[:60]}"
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "fetch(" not in page
    assert "XMLHttpRequest" not in page


def test_the_page_is_well_formed_and_every_picture_has_words(project: Project) -> None:
    elements = Elements(project.build()).found
    pictures = [attributes for tag, attributes in elements if tag == "img"]
    # two scenes of seven pictures, whole and detail; one capture of six; audit, contact sheets, samples; strip and walk
    assert len(pictures) == 2 * 7 * 2 + 6 * 2 + 6 + 3 + 6 + 1 + 5
    assert all((attributes.get("alt") or "").strip() for attributes in pictures)
    identifiers = [attributes["id"] for _, attributes in elements if "id" in attributes]
    targets = {(attributes.get("href") or "")[1:] for tag, attributes in elements if tag == "a"} - {""}
    assert len(identifiers) == len(set(identifiers))
    assert {target for target in targets if not target.startswith("ttps:")} <= set(identifiers)


def test_equal_inputs_give_equal_bytes_and_the_file_is_left_alone(project: Project) -> None:
    first = project.build()
    page = project.root / "reports/index.html"
    written = page.stat().st_mtime_ns
    assert project.build() == first
    assert page.stat().st_mtime_ns == written
    page.unlink()
    assert project.build() == first


def test_a_whole_project_lacks_nothing(project: Project) -> None:
    assert "Nothing: every file" in missing_of(project.build())


def test_the_leak_gate_is_told_with_its_known_exceptions(project: Project) -> None:
    page = project.build()
    assert "at most 24 of 256 bits): no leaks, 1 known exception." in page
    assert "clips of one recording: a and b; known: GOPRO" in page
    (project.root / "reports/leaks/leaks.json").unlink()
    page = project.build()
    assert "The splits were not compared with each other" in page
    assert "dvc repro leaks" in missing_of(page)


def test_missing_files_are_named_with_the_stage_that_makes_them(project: Project) -> None:
    shutil.rmtree(project.root / "reports/evaluate/minus")
    (project.root / "reports/audit/demo/variants.png").unlink()
    (project.root / "models/bgan/demo/curves.csv").unlink()
    (project.root / "datasets/train/phones/corpus.json").write_text("{broken")
    page = project.build()
    missing = missing_of(page)
    for file, stage in (
        ("reports/evaluate/minus/metrics.json does not exist", "evaluate@minus"),
        ("reports/audit/demo/variants.png does not exist", "audit@demo"),
        ("models/bgan/demo/curves.csv does not exist", "train_bgan@demo"),
        ("datasets/train/phones/corpus.json is damaged", "ingest@phones"),
    ):
        line = next(line for line in missing.splitlines() if file in line)
        assert f"dvc repro {stage}" in line
    assert "<td><span>missing</span></td>" in page.split('<tr class="row-minus">')[1].split("</tr>")[0]


def test_an_empty_project_gives_a_page_that_says_so(project: Project) -> None:
    for name in ("reports", "models", "datasets"):
        shutil.rmtree(project.root / name)
    page = project.build()
    assert "Nothing has been evaluated yet" in page
    assert "reports/compare/differences.csv does not exist. Next: dvc repro compare" in page
    assert "reports/evaluate/plus/metrics.json does not exist" in page
    Elements(page)


def test_warnings_of_all_stages_are_collected(project: Project) -> None:
    warnings = warnings_of(project.build())
    assert "minus is 1.05 dB under the blurry input (23.97 against 25.02 dB)" in warnings
    assert "base is" not in warnings
    assert "z hardly changes the picture" in warnings
    assert "One sequence only: no validation split." in warnings
    assert "random VGG19 weights" in warnings
    assert "almost the identity" not in warnings


def test_a_bgan_that_hardly_blurs_is_an_alarm_even_if_the_audit_is_silent(project: Project) -> None:
    audit = project.root / "reports/audit/demo/audit.json"
    audit.write_text(json.dumps({"psnr": {"synthetic": {"mean": 41.5}}, "verdict": [], "warnings": []}))
    assert "41.5 dB from its input: almost the identity" in warnings_of(project.build())


def test_the_headline_states_the_best_variant_and_its_gain(project: Project) -> None:
    headline = project.build().split("<h1>")[1].split("</h1>")[0]
    assert headline == "plus restores city to 27.31 dB, 2.29 dB above its blurry input."


def test_text_of_the_files_is_escaped(project: Project) -> None:
    audit = project.root / "reports/audit/demo/audit.json"
    audit.write_text(json.dumps({"verdict": ["<script>alert(1)</script>"], "warnings": ["<img src=//x>"]}))
    page = project.build()
    assert "<script>alert" not in page
    assert "<img src=//x>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_provenance_says_blur_folder_perceptual_weights_and_mix_but_no_raw_folder(project: Project) -> None:
    page = project.build()
    facts = page.split('<section id="provenance">')[1].split('<dl class="facts">')[1].split("</dl>")[0]
    assert "blur (frames averaged as stored)" in facts
    assert "random, width 64, seed 0" in facts
    assert "50% of the crops from demo" in facts
    assert "<dt>Restored and scored: l1, minus, base, control, plus</dt>" in facts
    assert "torch 2.11.0; cpu, avx2, 2 threads, fp32, tiles of 512 px; opencv 5.0.0" in facts
    assert "private-name" not in page


def test_the_pipeline_is_drawn_where_the_project_has_one(project: Project) -> None:
    assert "stage-box" not in project.build().split("</style>")[1]
    shutil.copy(PROJECT / "dvc.yaml", project.root / "dvc.yaml")
    page = project.build()
    Elements(page)
    assert page.count('<g class="stage-box') == 12, "all stages but sample: the tiny project has none"
    assert "report reads audit, compare" in page
    assert project.build() == page
    shutil.rmtree(project.root / "models/dbgan/minus")
    assert "1 of 2 left files" in project.build()


def test_data_and_weights_are_named_by_their_digests(project: Project) -> None:
    page = project.build()
    data = page.split('id="corpus-train-phones"')[1].split("</article>")[0]
    assert hashlib.sha256(b"phones").hexdigest() in data
    model = page.split('id="model-bgan-demo"')[1].split("</article>")[0]
    assert hashlib.sha256(b"weights").hexdigest() in model
    assert "not at hand" in page.split('id="model-dbgan-plus"')[1].split("</article>")[0]
    assert f"dbgan {__version__}" in page


def test_every_model_has_a_section_that_says_what_computed_it(project: Project) -> None:
    page = project.build()
    assert page.count('<article class="model"') == 6
    model = page.split('id="model-bgan-demo"')[1].split("</article>")[0]
    for words in ("678", "fp32", "torch 2.11.0; cpu, avx2, 2 threads", "z hardly changes the picture", "seed 0"):
        assert words in model, words
    (project.root / "models/dbgan/minus/summary.json").unlink()
    assert "It has left no summary.json." in project.build().split('id="model-dbgan-minus"')[1].split("</article>")[0]


def test_every_corpus_has_a_section_with_what_curation_dropped(project: Project) -> None:
    page = project.build()
    assert page.count('<article class="corpus"') == 4
    corpus = page.split('id="corpus-test-city"')[1].split("</article>")[0]
    for question, answer in (
        ("Samples", "1,234 in 3 shards"),
        ("Kept", "1200 of 1234"),
        ("Splits", "train 1200"),
        ("Dropped, by rule", "min_side 34"),
        ("Sizes", "1280x720 px: 1,200, 640x480 px: 20, 1x1 px: 9, 2x2 px: 3 and 2 others"),
    ):
        assert f"<dt>{question}</dt><dd>{answer}</dd>" in corpus


def test_an_audits_own_page_is_linked_where_there_is_one(project: Project) -> None:
    assert "audit/demo/index.html" not in project.build()
    (project.root / "reports/audit/demo/index.html").write_text("an audit")
    assert '<a href="audit/demo/index.html">' in project.build()


def test_a_page_over_the_limit_is_built_with_smaller_pictures_and_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dbgan.report import page, pictures

    full = project.build()
    assert "pictures are reduced" not in full
    monkeypatch.setattr(page, "LIMIT_BYTES", len(full) - 1)
    smaller = project.build()
    assert len(smaller) < len(full)
    assert "pictures are reduced to at most 1280 px and coded at quality 86" in smaller
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(pictures, "LADDER", (*pictures.LADDER[:1], Fit(50, 320, 1, sheets=False)))
    monkeypatch.setattr(page, "LIMIT_BYTES", 1)
    least = project.build()
    assert "1 of 2 scenes are shown." in least
    assert "Contact sheets and restorers" in least
    assert "of 1 captures" not in least
    assert "with the smallest pictures, over 0 MB" in capsys.readouterr().out
