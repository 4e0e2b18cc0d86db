"""Pictures: bytes to uint8 RGB and back (codec), allow-listed EXIF (metadata), measures of one picture (quality)."""
