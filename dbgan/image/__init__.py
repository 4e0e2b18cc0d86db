"""Pictures: bytes to uint8 RGB and back (codec), allow-listed EXIF (metadata), measures of one picture (quality)."""

import warnings

# Pillow warns on stderr of every odd tag in a file. What matters of it is a reject or a warning of the corpus.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
