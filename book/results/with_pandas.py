import json
import pathlib

import pandas as pd

run = pathlib.Path("runs/first_experiment")
plan = json.loads((run / "plan.json").read_text())
scores = pd.concat(
    pd.read_parquet(run / "cells" / cell["key"] / "scores.parquet").assign(**cell["values"])
    for cell in plan["cells"]
    if cell["winner"]
)
scores = scores[scores.metric == "precision"]
print(scores.groupby(["depth", "method"]).value.mean().round(3).to_csv(), end="")
