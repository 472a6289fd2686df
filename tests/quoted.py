"""Figures in the text of notebooks that no cell prints and no record holds: where they are from.

``DERIVED``: by notebook, the figure and the sum that gives it; Python checks the sum.
``SOURCES``: by notebook, the figure and the publication, or the recorded file, that has it.
``OTHER_FITS``: by notebook, what stands beside the name of a rung and is of another fit, and of
which; the text beside the figure says so too.
"""

DERIVED = {
    "00": {},
    "01": {},
    "02": {},
    "03": {},
    "04": {},
    "05": {},
    "06": {},
    "07": {},
    "08": {},
    "09": {},
    "10": {},
    "11": {},
    "12": {},
    "13": {},
    "14": {},
    "15": {},
    "16": {},
    "17": {},
    "18": {},
    "90": {},
    "91": {},
}

SOURCES = {
    "00": {},
    "01": {},
    "02": {},
    "03": {},
    "04": {},
    "05": {},
    "06": {},
    "07": {},
    "08": {},
    "09": {},
    "10": {},
    "11": {},
    "12": {},
    "13": {},
    "14": {},
    "15": {},
    "16": {},
    "17": {},
    "18": {},
    "90": {},
    "91": {},
}

OTHER_FITS = {
    "00": {},
    "01": {},
    "02": {},
    "03": {},
    "04": {},
    "05": {},
    "06": {},
    "07": {},
    "08": {},
    "09": {},
    "10": {},
    "11": {},
    "12": {},
    "13": {},
    "14": {},
    "15": {},
    "16": {},
    "17": {},
    "18": {},
    "90": {},
    "91": {},
}
