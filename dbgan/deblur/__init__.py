"""Deblur photographs, folders, clips and corpora with a trained network: `dbgan deblur`."""

from dbgan.deblur.run import Report, Settings, deblur

__all__ = ["Report", "Settings", "deblur"]
