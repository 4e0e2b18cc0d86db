"""Raw captures in, versioned deblurring corpora and trained networks out ("Deblurring by Realistic Blurring")."""

import os

__version__ = "0.1.0"

# MKL, torch's matrix product on CPUs, sums in an order that depends on where in memory a matrix happens to lie, so that
# the same training run twice may end in other bits. This forbids it. MKL reads it at its first product, hence here.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")
