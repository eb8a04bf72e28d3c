//! Misuses of the macros. Each gives one clear error at the token that is wrong.
//!
//! `TRYBUILD=overwrite cargo test --release -p tests --test ui` writes the messages again. Read them before you commit.

#[test]
fn misuses() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
