"""One thin module per stage of dvc.yaml: read params, call dbgan, write outs. Not installed."""
