"""A large page: many test sources with tables, and pictures over the limit (a fifth of the real one, for speed)."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

from dbgan.image.codec import encode
from dbgan.report import page as pages
from tests.report.conftest import VARIANTS, Project
from tests.report.test_page import Elements

SOURCES = [f"town-{number:02d}" for number in range(40)]
SCENES = 2
LIMIT_BYTES = pages.LIMIT_BYTES // 5


def grow(project: Project) -> None:
    """Scores on 40 sources, differences and groups of each, and noisy pictures, which no codec makes small."""
    random = np.random.default_rng(0)
    base = random.integers(0, 256, (360, 640, 3), dtype=np.uint8)
    encoded = {name: encode(np.roll(base, n), "png") for n, name in enumerate(("blurry", *VARIANTS, "sharp"))}
    lines = ["source,metric,variant,against,images,difference,low,high,better,drawn"]
    for source, (against, variant) in itertools.product(SOURCES, itertools.combinations(VARIANTS, 2)):
        lines.append(f"{source},psnr_rgb,{variant},{against},1111,0.1,0.05,0.15,0.7,sequences")
    (project.root / "reports/compare/differences.csv").write_text("\n".join(lines))
    for variant in VARIANTS:
        folder = project.root / "reports/evaluate" / variant
        scores = {f"{source}.{name}": 27.5 for source in SOURCES for name in ("psnr_rgb", "input.psnr_rgb")}
        (folder / "metrics.json").write_text(json.dumps({**scores, **{f"{source}.images": 1111 for source in SOURCES}}))
        groups = ["source,by,group,images,blur_px,psnr_rgb,gain,gain_low,gain_high"]
        for source, number in itertools.product(SOURCES, range(11)):
            groups.append(f"{source},sequence,GOPR{number:04d}_11_00,100,3,26,0.5,0.4,0.6")
        (folder / "groups.csv").write_text("\n".join(groups))
        listed = []
        for number, source in enumerate(SOURCES[:SCENES]):
            files = {}
            for role, name in (("blur", "blurry"), ("restored", variant), ("sharp", "sharp")):
                files[role] = f"pictures/{number:02d}-{role}.png"
                (folder / files[role]).write_bytes(encoded[name])
            listed.append({"source": source, "key": "a/1", "files": files, "psnr_rgb": 27.5, "input_psnr_rgb": 27.5})
        (folder / "pictures.json").write_text(json.dumps(listed))


def test_a_large_page_stays_under_its_limit_and_says_what_that_cost(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LIMIT_BYTES", LIMIT_BYTES)
    grow(project)
    page = project.build()
    assert 0.2 * LIMIT_BYTES < len(page.encode()) <= LIMIT_BYTES
    Elements(page)
    for source in SOURCES:
        assert f"<caption>Ours: {source}, means over 1111 test images</caption>" in page
    assert page.count("<summary>Paired differences on town-") == 36, "the first four are open"
    assert "108 more sentences on further test sources" in page
    text = re.sub(r'src="data:[^"]*"', "", page)
    assert len(text) < 1_500_000, "tables alone are a small part of it"
    assert page.count('<article class="scene') == SCENES, "pictures shrink before any is left out"
    reduced = re.search(r"pictures are reduced to at most (\d+) px and coded at quality (\d+)", page)
    assert reduced is not None
    # a patch of each picture is whole still: 0.3 of 360 px
    detail = page.split('<img class="detail"')[1]
    assert 'width="108" height="108"' in detail.split(">")[0]
