"""The numbers of the page "ImageNet or MR slices?" that no program of this repository prints.

    python docs/night/differences.py        (needs NumPy, pandas and SciPy)

- `precision.csv` has the precision of each image, from `scores.parquet` of the six networks of the figure. For each depth
  and method: the mean difference, MR slices less ImageNet, and its 95 % interval by a bootstrap of the images.
- `correlation/table.csv` and `other_rates.csv` have the means of eight networks: the rank correlation of accuracy and
  precision.
"""
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

HERE = Path(__file__).parent


def differences():
    draws = np.random.default_rng(0)
    table = pd.read_csv(HERE / "precision.csv")
    for depth, rows in table.groupby("depth"):
        for method, rows in rows.groupby("method", sort=False):
            by_corpus = rows.pivot(index="image", columns="corpus", values="precision")
            pairs = (by_corpus.mri - by_corpus.imagenet).to_numpy()
            means = draws.choice(pairs, (4000, len(pairs))).mean(1)
            low, high = np.percentile(means, [2.5, 97.5])
            print(f"{depth:6}{method:22}{len(pairs)} images  {pairs.mean():6.2f} ({low:.2f} to {high:.2f})")


def correlations():
    tables = [pd.read_csv(HERE / "correlation" / name) for name in ["table.csv", "other_rates.csv"]]
    for networks, table in [("six networks", tables[0]), ("eight networks", pd.concat(tables))]:
        table = table[table.corpus.notna()]
        for method, rows in table.groupby("method", sort=False):
            print(f"{networks:16}{method:22}{spearmanr(rows.test_accuracy, rows.precision_mean)[0]:6.2f}")


differences()
correlations()
