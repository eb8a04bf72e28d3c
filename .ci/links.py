"""Checks the links of the book: python3 .ci/links.py book/book

A link inside the book must lead to a file, and its anchor to an element of the page there. An address outside is only
checked for its form, because CI does not depend on other machines.
"""

import html.parser
import pathlib
import sys
import urllib.parse

book = pathlib.Path(sys.argv[1]).resolve()


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


pages = {path: Page(path) for path in book.rglob("*.html")}
problems, count = [], 0
for path, page in pages.items():
    # 404.html is shown for any address, so its links start at the root of a server.
    if path.name == "404.html":
        continue
    for link in page.links:
        count += 1
        parts = urllib.parse.urlsplit(link)
        problem = None
        if parts.scheme in ("http", "https"):
            if " " in link or "." not in parts.netloc:
                problem = "is not an address"
        elif parts.scheme not in ("", "mailto", "data"):
            problem = f"has the unusual scheme {parts.scheme}"
        elif parts.scheme == "":
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            if not target.is_relative_to(book):
                problem = "leads out of the book"
            elif not target.exists():
                problem = "leads to no file"
            elif parts.fragment and target in pages:
                if urllib.parse.unquote(parts.fragment) not in pages[target].ids:
                    problem = "leads to no element of that page"
        if problem:
            problems.append(f"{path.relative_to(book)}: {link} {problem}")
print(f"{count} links in {len(pages)} pages")
if not pages or problems:
    sys.exit("\n".join(["error: dead links", *sorted(set(problems))]))
