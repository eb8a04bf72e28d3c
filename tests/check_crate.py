"""Reads the metadata that --crate has written with the library rocrate, and holds them against the run.

    python check_crate.py runs/first_experiment

Needs rocrate from PyPI.
"""

import json
import pathlib
import sys

from rocrate.rocrate import ROCrate

run = pathlib.Path(sys.argv[1])
plan = json.loads((run / "plan.json").read_text())
crate = ROCrate(run)
workflow = crate.mainEntity
assert workflow.id == "plan.json" and set(workflow.type) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
assert workflow["programmingLanguage"]["name"] == "xai-core"
assert [one["name"] for one in workflow["input"]] == [factor["name"] for factor in plan["factors"]]
profiles = {one.id for one in crate.root_dataset["conformsTo"]}
assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles, profiles

[action] = crate.root_dataset["mentions"]
assert action.type == "CreateAction" and action["instrument"] == workflow and action["endTime"]
given = {one["name"]: one["value"] for one in action["object"]}
assert given["scale"] == plan["scale"]
results = {one.id for one in action["result"]}
listed = {entity.id for entity in crate.data_entities}
assert results | {"plan.json"} == listed, results ^ listed
# All files that a reader needs are there, and none that is not.
for cell in plan["cells"]:
    assert f"cells/{cell['key']}/manifest.json" in listed
assert "table.csv" in listed
for entity in crate.data_entities:
    assert int(entity["contentSize"]) == (run / entity.id).stat().st_size, entity.id
# The library writes what it has read, so nothing refers to an entity that is not there.
everything = {entity.id for entity in crate.get_entities()}
for entity in crate.get_entities():
    for value in entity.properties().values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "@id" in one:
                assert one["@id"] in everything or "://" in one["@id"], (entity.id, one)
print(f"rocrate: {len(listed)} files, {len(plan['factors'])} parameters")
