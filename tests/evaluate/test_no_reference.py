"""The optional metrics: absent, they say what to install; present, they rank blur as their papers say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dbgan.errors import MissingPackageError, ParamsError
from dbgan.evaluate.no_reference import no_reference
from dbgan.image.codec import decode

INSTALLED = importlib.util.find_spec("pyiqa") is not None


@pytest.mark.skipif(INSTALLED, reason="pyiqa is installed here")
def test_without_the_package_it_says_what_to_install() -> None:
    with pytest.raises(MissingPackageError, match=r"the metric piqe needs the package 'pyiqa'(.|\n)*pip install pyiqa"):
        no_reference("piqe")


def test_other_names_are_refused() -> None:
    with pytest.raises(ParamsError, match="expected one of piqe, niqe"):
        no_reference("qalign")


def test_it_is_no_dependency_of_the_core() -> None:
    """Its licence is non-commercial: nothing but its own module may import it."""
    package = Path(__file__).resolve().parents[2] / "dbgan"
    naming = [p.name for p in package.rglob("*.py") if "import pyiqa" in p.read_text(encoding="utf-8")]
    assert naming == ["no_reference.py"]


@pytest.mark.skipif(not INSTALLED, reason="needs the extra iqa")
def test_piqe_finds_a_blocky_real_frame_worse(shared_data: Path) -> None:
    sharp = decode(sorted((shared_data / "gopro" / "test").glob("*/sharp/*.png"))[0].read_bytes())[:384, :512]
    coded = cv2.imdecode(cv2.imencode(".jpg", sharp, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)
    metric = no_reference("piqe")
    pictures = torch.from_numpy(np.stack([sharp, coded]).transpose(0, 3, 1, 2).copy())
    values = metric(pictures)
    assert (values.shape, values.dtype) == ((2,), torch.float64)
    assert values[1] > values[0]
    assert not metric.higher_is_better
    assert torch.equal(metric(pictures.float() / 255), values)
