"""Raw captures in, versioned deblurring corpora and trained networks out ("Deblurring by Realistic Blurring")."""

__version__ = "0.1.0"
