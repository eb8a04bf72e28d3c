//! Misuses of the macros: each is one clear error at the token that is wrong.
//!
//! `TRYBUILD=overwrite cargo test --release -p tests --test ui` writes the messages anew; read them.

#[test]
fn misuses() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
