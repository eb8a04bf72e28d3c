"""Fails if a dependency has no licence that this project may be distributed with.

    cargo metadata --locked --format-version 1 | python3 .ci/licences.py
"""
import json
import re
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "NCSA", "Unicode-3.0", "Unlicense", "Zlib",
}


def allowed(expression):
    """Whether one alternative of a licence expression contains only allowed licences. `MIT/Apache-2.0` is an old `OR`."""
    def one(text):
        return all(part.strip("() ") in ALLOWED for part in text.split(" AND "))

    # `(A OR B) AND C` is the only nesting in use: each bracket is reduced first.
    inside = re.compile(r"\(([^()]*)\)")
    while found := inside.search(expression):
        name = "MIT" if allowed(found[1]) else "none"
        expression = expression[: found.start()] + name + expression[found.end():]
    return any(one(text) for text in re.split(r" OR | ?/ ?", expression))


packages = json.load(sys.stdin)["packages"]
bad = [(p["name"], p["version"], p["license"]) for p in packages if not allowed(p["license"] or "none")]
for name, version, licence in bad:
    print(f"error: {name} {version} has the licence `{licence}`, which is not in {__file__}")
print(f"{len(packages)} packages")
sys.exit(bool(bad))
