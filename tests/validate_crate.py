"""Validates the metadata that --crate has written by the RO-Crate validator of CRS4, without a network.

    python validate_crate.py runs/first_experiment

The validator reads the two JSON-LD contexts that the metadata names from the web. Here, the context of RO-Crate 1.3 that the
package rocrate contains stands in for 1.1 (with 1.1's names of two types), and an empty one for that of Workflow Run Crate, whose
own terms --crate does not use. So the profiles' required checks are real, and of the recommended ones those on the form of a
context (the types of endTime and actionStatus) are not.

Needs roc-validator and rocrate from PyPI (0.13.0 and 0.16.0 were used).
"""

import json
import pathlib
import sys

import rocrate
from rocrate_validator import services
from rocrate_validator.utils import http

context = json.loads((pathlib.Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text())
for term in ("ComputationalWorkflow", "FormalParameter"):
    context["@context"][term] = f"https://bioschemas.org/{term}"


class Answer:
    def __init__(self, url):
        self.url, self.status_code, self.ok = url, 200, True
        self.headers = {"Content-Type": "application/ld+json"}
        self.text = json.dumps(context if "ro/crate" in url else {"@context": {}})
        self.content = self.text.encode()

    def json(self):
        return json.loads(self.text)

    def raise_for_status(self):
        pass


def request(requester, method):
    if method in ("get", "head"):
        return lambda url, *_, **__: Answer(url)
    raise AttributeError(method)


http.HttpRequester.__getattr__ = request
wrong = 0
for profile in ("ro-crate-1.1", "process-run-crate-0.5", "workflow-ro-crate-1.0", "workflow-run-crate-0.5"):
    settings = services.ValidationSettings(rocrate_uri=sys.argv[1], profile_identifier=profile)
    issues = services.validate(settings).get_issues()
    print(f"{profile}: {len(issues)} of the required checks fail")
    for issue in issues:
        print(f"  {issue.check.identifier} {issue.message} ({issue.violatingEntity})")
    wrong += len(issues)
sys.exit(wrong > 0)
