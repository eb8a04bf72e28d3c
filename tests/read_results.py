"""Reads the results of a run with DuckDB, pandas, pyarrow and Polars, and holds them against its table.csv.

    python read_results.py runs/fig4_best [FOLDER FOR MLFLOW]

Every library must find the same mean precision of each combination of levels and method. Needs duckdb, pandas,
pyarrow and polars from PyPI, and mlflow-skinny for an export to MLflow. `cargo test --release -p tests --test all reading:: -- --ignored` runs it.
"""

import csv
import json
import os
import pathlib
import sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds

run = pathlib.Path(sys.argv[1])
plan = json.loads((run / "plan.json").read_text())
axes = [factor["name"] for factor in plan["factors"] if factor["role"] == "axis"]
winners = {cell["key"]: cell["values"] for cell in plan["cells"] if cell["winner"]}
files = [run / "cells" / key / "scores.parquet" for key in winners]
with open(run / "table.csv", newline="") as file:
    table = list(csv.DictReader(file))
# Of one metric the columns have its name; of several this reads the first.
several = "metric" in table[0]
metric = table[0]["metric"] if several else next(name for name in table[0] if name.endswith("_mean")).removesuffix("_mean")


def by_levels(rows):
    """{(levels.., method): mean} with all levels as text."""
    return {tuple(map(str, row[:-1])): row[-1] for row in rows}


def expected():
    rows = [row for row in table if not row["baseline"] and (not several or row["metric"] == metric)]
    mean = "mean" if several else f"{metric}_mean"
    return by_levels([*(row[axis] for axis in axes), row["method"], float(row[mean])] for row in rows)


def with_duckdb():
    levels = ", ".join(f'cell."values"."{axis}" as "{axis}"' for axis in axes)
    return by_levels(duckdb.sql(f"""
        select {levels}, method, avg(value)
        from read_parquet('{run}/cells/*/scores.parquet', filename = true)
        join (select unnest(cells) as cell from '{run}/plan.json') on contains(filename, cell.key) and cell.winner
        where metric = '{metric}'
        group by all""").fetchall())


def with_pandas():
    scores = pd.concat(pd.read_parquet(file).assign(**winners[file.parent.name]) for file in files)
    scores = scores[scores.metric == metric]
    return by_levels((*index, mean) for index, mean in scores.groupby([*axes, "method"]).value.mean().items())


def with_pyarrow():
    rows = []
    for file in files:
        levels = [winners[file.parent.name][axis] for axis in axes]
        table = ds.dataset(file).to_table(filter=ds.field("metric") == metric).to_pylist()
        rows += [(*levels, row["method"], row["value"]) for row in table]
    groups = {}
    for row in rows:
        groups.setdefault(row[:-1], []).append(row[-1])
    return by_levels((*key, sum(values) / len(values)) for key, values in groups.items())


def with_polars():
    parts = [
        pl.read_parquet(file).with_columns(pl.lit(winners[file.parent.name][axis]).alias(axis) for axis in axes)
        for file in files
    ]
    scores = pl.concat(parts).filter(pl.col("metric") == metric)
    return by_levels(scores.group_by([*axes, "method"]).agg(pl.col("value").mean()).rows())


def check_predictions():
    """A probability of each class, of which the largest is the predicted one's; they sum to 1."""
    classes = len(plan["benchmark"]["classes"])
    names = [f"probability_{number}" for number in range(classes)]
    for file in files:
        said = pd.read_parquet(file.with_name("predictions.parquet"))
        assert list(said.columns) == ["image", "class", "predicted", *names], said.columns
        of_classes = said[names].to_numpy()
        assert (of_classes.argmax(1) == said.predicted).all() and abs(of_classes.sum(1) - 1).max() < 1e-6


check_predictions()
want = expected()
assert want, "table.csv has no rows"
for read in [with_duckdb, with_pandas, with_pyarrow, with_polars]:
    got = read()
    assert got.keys() == want.keys(), (read.__name__, got.keys() ^ want.keys())
    for key, mean in want.items():
        # The table has six decimals.
        assert abs(got[key] - mean) <= 1e-6, (read.__name__, key, got[key], mean)
    print(f"{read.__name__}: {len(got)} means agree with table.csv")


def to_mlflow(folder):
    """Each winner as a run of MLflow, with its parameters, its accuracy and its mean scores."""
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder, so that no database is needed
    import mlflow

    mlflow.set_tracking_uri(pathlib.Path(folder).absolute().as_uri())
    mlflow.set_experiment(plan["experiment"])
    for file in files:
        with mlflow.start_run(run_name=file.parent.name):
            mlflow.log_params(winners[file.parent.name])
            mlflow.log_metric("test_accuracy", json.loads(file.with_name("manifest.json").read_text())["test_accuracy"])
            for (name, method), mean in pd.read_parquet(file).groupby(["metric", "method"]).value.mean().items():
                mlflow.log_metric(f"{name}/{method}", mean)


if len(sys.argv) > 2:
    to_mlflow(sys.argv[2])
    import mlflow

    runs = mlflow.search_runs(experiment_names=[plan["experiment"]])
    assert sorted(runs["tags.mlflow.runName"]) == sorted(winners)
    assert any(column.startswith(f"metrics.{metric}/") for column in runs.columns)
    print(f"to_mlflow: {len(runs)} runs")
