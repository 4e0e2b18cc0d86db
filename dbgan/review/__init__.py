"""`dbgan review`: a local page on which people look at a source's pictures, keep or drop them, and try limits."""
