"""`python -m dbgan` is `dbgan`."""

from dbgan.cli import app

app(prog_name="dbgan")
