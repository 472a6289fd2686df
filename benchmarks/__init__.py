"""Races of the kernels against other libraries and against the limit of the machine.

Not part of the package that is installed: it may import rslib, and rslib never imports it.
`notebooks/91_speed.ipynb` runs it and shows what it found.
"""
