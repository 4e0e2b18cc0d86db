"""Pages from templates: those of the report and of audits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2


def rendered(package: str, template: str, content: Mapping[str, Any]) -> bytes:
    """A page's bytes.

    Args:
        package: which holds the folder `templates`. template: a file in it.
        content: every name that it uses; a missing one is an error, and all text is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(content).encode()
