"""Figures of the reproduced experiments, one file per chapter, drawn from the JSON that `minidl reproduce` writes."""
