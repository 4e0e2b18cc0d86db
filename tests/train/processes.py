"""Processes of tests, forked from one that has imported torch and done nothing else: the imports take seconds."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from typing import Any


def context() -> ForkServerContext:
    """Where fresh processes come from. They have the environment of the first of them, not of this process."""
    made = multiprocessing.get_context("forkserver")
    # the last is imported by the first step of any optimizer
    made.set_forkserver_preload(["dbgan.train.bgan", "dbgan.train.dbgan", "torch._dynamo"])
    return made


def exit_code(function: Callable[..., Any], *arguments: Any) -> int | None:
    """How a process ended that called `function` with this process's `DBGAN_STATE`."""
    process = context().Process(target=_call, args=(os.environ["DBGAN_STATE"], function, *arguments))
    process.start()
    process.join()
    return process.exitcode


def _call(state: str, function: Callable[..., Any], *arguments: Any) -> None:
    os.environ["DBGAN_STATE"] = state
    function(*arguments)
