"""What every parameter model shares: frozen, no unknown keys, and the value types."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
NAME = r"^[A-Za-z0-9_-]+$"
Name = Annotated[str, Field(pattern=NAME)]


class Model(BaseModel):
    """Frozen, and a key that no field names is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
