//! Tests of the whole system; each file in `tests/` is one subject. Fixtures and the scripts that made them are in `fixtures/`.
