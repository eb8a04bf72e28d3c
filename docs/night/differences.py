"""The numbers of the page "ImageNet or MR slices?" that no program of this repository prints.

    python docs/night/differences.py        (needs NumPy, pandas and SciPy)

- `precision.csv` has the precision of each image, from `scores.parquet` of the six networks of the figure. For each depth
  and method: the mean difference, MR slices less ImageNet, and its 95 % interval by a bootstrap of the images.
- `correlation/table.csv` and `other_rates.csv` have the means of eight networks: the rank correlation of accuracy and
  precision.
- `seeds/networks.csv` and `seeds/precision.csv` have the accuracies of the six networks with three seeds, from their manifests,
  and the precision of each image, from their `scores.parquet`. For each method: the mean precision of the networks of each
  corpus with the lowest and the highest network, their difference with its 95 % interval (Welch's t, one number per network),
  and the rank correlation of test accuracy and mean precision.
- `equal` has the same files of `fig4_same_accuracy`, three seeds, and `rates` those of `correlation` at several rates. For each
  method: the difference between two groups of three networks, as above.
"""
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

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
            print(f"{networks:16}{method:22}{stats.spearmanr(rows.test_accuracy, rows.precision_mean)[0]:6.2f}")


def seeds():
    networks = pd.read_csv(HERE / "seeds" / "networks.csv")
    print(networks.to_string(index=False))
    images = pd.read_csv(HERE / "seeds" / "precision.csv")
    for method, rows in images.groupby("method", sort=False):
        means = rows.groupby(["corpus", "seed"]).precision.mean().reset_index()
        means = means.merge(networks, on=["corpus", "seed"])
        own, other = (means.precision[means.corpus == corpus] for corpus in ["mri", "imagenet"])
        rank = stats.spearmanr(means.test_accuracy, means.precision)[0]
        print(f"three seeds  {method:22}ImageNet, MR slices  {difference(own, other)}  rank correlation {rank:.2f}")


def difference(own, other):
    """Both means over networks with the lowest and the highest, and their difference with its interval."""
    low, high = stats.ttest_ind(own, other, equal_var=False).confidence_interval()
    text = [f"{part.mean():.2f} ({part.min():.2f} to {part.max():.2f})" for part in [other, own]]
    return f"{text[0]}  {text[1]}  difference {own.mean() - other.mean():5.2f} ({low:.2f} to {high:.2f})"


def groups(folder, pairs):
    """Differences between two groups of networks, each given by its corpus and its rates."""
    networks = pd.read_csv(HERE / folder / "networks.csv")
    print(networks.to_string(index=False))
    images = pd.read_csv(HERE / folder / "precision.csv")
    for pair in pairs:
        for method, rows in images.groupby("method", sort=False):
            means = rows.groupby(["corpus", "rate", "seed"]).precision.mean().reset_index()
            other, own = (means.precision[(means.corpus == corpus) & means.rate.isin(rates)] for corpus, rates in pair)
            print(f"{folder}  {pair[0]}, {pair[1]}  {method:22}{difference(own, other)}")


if __name__ == "__main__":
    differences()
    correlations()
    seeds()
    groups("equal", [(("imagenet", [3e-6, 1e-5]), ("mri", [1e-4, 3e-4]))])
    groups("rates", [(("imagenet", [1e-5]), ("mri", [3e-4])), (("imagenet", [1e-5]), ("imagenet", [3e-4]))])
