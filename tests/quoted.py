"""Figures in the text of notebooks that no cell prints and no record holds: where they are from.

``DERIVED``: by notebook, the figure and the sum that gives it; Python checks the sum.
``SOURCES``: by notebook, the figure and the publication, or the recorded file, that has it.
``OTHER_FITS``: by notebook, what stands beside the name of a rung and is of another fit, and of
which; the text beside the figure says so too.
"""

DERIVED = {
    "00": {"0.0951": "0.9514 - 0.8563", "0.0821": "0.9403 - 0.8582"},
    "01": {},
    "02": {},
    "03": {"0.219": "1 / 4.56"},
    "04": {"0.380": "0.4 * 0.95", "0.255": "0.3 * 0.85", "0.655": "0.380 + 0.020 + 0.255",
           "0.04345": "0.01 * (5 - 0.655)", "0.0412775": "0.04345 * 0.95",
           "0.004345": "0.04345 * 0.10", "0.0369325": "0.04345 * 0.85", "0.01738": "0.04345 * 0.4",
           "0.00869": "0.04345 * 0.2", "0.013035": "0.04345 * 0.3",
           "0.8646": "0.85 + 0.04345 * 0.3369"},
    "05": {"0.0007": "0.9130 - 0.9123"},
    "06": {"1.175": "1 + 0.1 * (2 - 0.25)", "0.175": "1.175 - 1", "0.019": "0.9507 - 0.9315",
           "0.026": "1.0214 - 0.9956"},
    "07": {"2.1408": "(0.2 / 0.14) ** 2 + 0.1", "0.0008": "0.9446 - 0.9438",
           "0.0003": "0.3541 - 0.3538", "0.0005": "0.9451 - 0.9446"},
    "08": {"0.014": "0.9278 - 0.9139", "0.0115": "0.9242 - 0.9127"},
    "09": {},
    "10": {},
    "11": {
        "0.0109": "0.8763 - 0.8654",
        "0.0060": "0.8763 - 0.8703",
        "0.0043": "0.8763 - 0.8720",
        "1.0625": "0.5 + 0.5625",
        "0.047": "0.14 / 3"},
    "12": {"0.0277": "0.9555 - 0.9278"},
    "13": {"0.125": "0.1 * 1.25"},
    "14": {"0.0152": "0.9213 - 0.9061"},
    "15": {
        "0.1411": "1.1913 - 1.0502",
        "0.0735": "0.8973 - 0.8238",
        "0.0015": "0.05 ** 2 / (2 * 0.85)",
        "0.0244": "0.9799 - 0.9555"},
    "16": {"0.037": "0.5 / 183 ** 0.5"},
    "17": {},
    "18": {"0.0006": "0.8853 - 0.8847", "0.0003": "0.8567 * (1 - (1 - 1000 / 1.4e6) ** 0.5)"},
    "90": {},
    "91": {},
}

SOURCES = {
    "00": {},
    "01": {"0.9514": "Cinematch, CS246 slides, error of various methods"},
    "02": {},
    "03": {},
    "04": {},
    "05": {"0.9514": "Cinematch, CS246 slides, error of various methods"},
    "06": {},
    "07": {},
    "08": {},
    "09": {"0.9009": "Koren and Bell, handbook, table 5.2, SVD with 200 factors"},
    "10": {},
    "11": {
        "0.9555": "Koren and Bell, Advances in Collaborative Filtering, table 5.1, with the scale"},
    "12": {
        "0.9714": "Koren and Bell, table 5.1, splines",
        "0.9603": "Koren and Bell, table 5.1, splines"},
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
    "09": {"1.0365": "NSVD fitted without 150 newcomers, who come without ratings",
           "0.9427": "SVD++ fitted without 150 newcomers, from their first twenty ratings"},
    "10": {
        "0.9404": "the baseline without the 100 guests",
        "0.9348": "biased factors without the guests",
        "0.9236": "SVD++ on the second half of the guests",
        "0.8960": "biased factors on the second half of the guests",
        "0.9204": "NSVD on the second half of the guests"},
    "11": {"0.9555": "published, before the frequencies"},
    "12": {},
    "13": {"0.8993": "timeSVD++ with 8 factors"},
    "14": {},
    "15": {
        "0.9150": "timeSVD++ with the steps of the full model",
        "0.9145": "SVD++ with the steps of the full model"},
    "16": {"0.9022": "a blend with the conditional machine", "0.9070": "a blend with the machine"},
    "17": {"0.8995": "a blend of seven members with weights from train",
           "0.8957": "a blend of two, the temporal baseline and ALS",
           "0.9121": "a blend of two, ALS and user neighbours"},
    "18": {"0.9021": "SVD++ with 64 factors"},
    "90": {},
    "91": {},
}
