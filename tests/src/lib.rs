//! Tests of the whole system; each file in `tests/` is one subject. Fixtures and the scripts that made them are in `fixtures/`.

mod fixture;
mod points;

use std::path::Path;
use std::process::{Command, Output};

pub use points::Points;

pub use fixture::{
    CAPTUM_NETWORKS, Fixture, chosen, cpu, device, download, error, fixture, largest, upload,
};

/// The command of the toy experiment: `program` is `env!("CARGO_BIN_EXE_toy")`, which only tests know.
pub fn toy(program: &str, out: &Path, delays: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--out")
        .arg(out)
        .env("TOY_DELAYS", delays)
        .env("COLUMNS", "100");
    command
}

/// (exit code, stdout, stderr)
pub fn text(output: Output) -> (Option<i32>, String, String) {
    let utf8 = |bytes| String::from_utf8(bytes).expect("the output is text");
    (
        output.status.code(),
        utf8(output.stdout),
        utf8(output.stderr),
    )
}
