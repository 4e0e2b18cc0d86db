"""Side-by-side measurements on the machine at hand. Nothing here is asserted in tests; nothing is installed."""
