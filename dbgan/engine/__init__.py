"""Run one function per shard plan, in this process or on Ray: kill it anywhere, run it again, get the same bytes."""

from dbgan.engine.build import BuildReport as BuildReport
from dbgan.engine.build import build_corpus as build_corpus
from dbgan.engine.worker import ATTEMPTS as ATTEMPTS
from dbgan.engine.worker import Build as Build
from dbgan.engine.worker import Builder as Builder
