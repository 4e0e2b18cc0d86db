"""Scores of pictures that have no sharp reference, by IQA-PyTorch: for real captures, and only where it is installed.

**Licence.** IQA-PyTorch (`pyiqa`) is PolyForm Noncommercial 1.0.0, parts of it NTU S-Lab 1.0 (non-commercial too), and
the weights it downloads have licences of their own. It is therefore no dependency: `pip install 'dbgan[iqa]'` is a
decision of whoever runs this. Nothing of it is part of this package, and no stage needs it.

Read such numbers with care: they were made for JPEG, noise and Gaussian blur; sharpened noise can win by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dbgan.errors import DbganError, ParamsError, require

SMALL: dict[str, bool] = {"piqe": False, "niqe": False, "brisque": False, "ilniqe": False, "nrqm": True, "pi": False}
"""Metrics without a large network -> whether more is better. `piqe` needs no file; the others download some MB once."""


@dataclass(frozen=True, slots=True)
class NoReference:
    """One metric. `higher_is_better` says how to read it."""

    name: str
    higher_is_better: bool
    _metric: Any

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float in [0, 1], to (N,) float64."""
        unit = pictures.float() / 255.0 if not pictures.is_floating_point() else pictures.float()
        values = [self._metric(picture[None]).reshape(-1)[0] for picture in unit]
        stacked = unit.new_tensor([float(value) for value in values])
        return stacked.double()


def no_reference(name: str, device: str = "cpu") -> NoReference:
    """A metric of `SMALL`, ready to use.

    Args:
        name: its name.
        device: where it computes.

    Raises:
        ParamsError: another name.
        MissingPackageError: pyiqa is not installed.
        DbganError: its files cannot be fetched (no network, say).
    """
    if name not in SMALL:
        raise ParamsError(f"no-reference metric: expected one of {', '.join(SMALL)}, found {name!r}")
    require("pyiqa", f"the metric {name}", distribution="pyiqa")
    import pyiqa

    try:
        metric = pyiqa.create_metric(name, device=device)
    except Exception as error:  # downloads fail in the ways of four libraries
        raise DbganError(
            f"the metric {name} cannot be made ({type(error).__name__}: {' '.join(str(error).split())[:200]}).\n"
            "Next: run it once with a network, or use piqe, which needs no file."
        ) from None
    return NoReference(name, SMALL[name], metric)
