//! Tests of the whole system; each file in `tests/` is one subject. Fixtures and the scripts that made them are in `fixtures/`.

mod fixture;
mod points;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use points::Points;
pub use xai_core; // for programs that are built against this library alone

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

/// Everything that a run is for, by path: scores, predictions, models, table and figure.
pub fn results(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files: Vec<PathBuf> = ["table.csv", "figure.svg", "figure.png"]
        .map(PathBuf::from)
        .into();
    for cell in fs::read_dir(folder.join("cells")).unwrap() {
        let cell = PathBuf::from("cells").join(cell.unwrap().file_name());
        for file in fs::read_dir(folder.join(&cell)).unwrap() {
            files.push(cell.join(file.unwrap().file_name()));
        }
    }
    // Manifests have the seconds of their computation.
    files.retain(|file| !file.ends_with("manifest.json"));
    files
        .into_iter()
        .map(|file| {
            let bytes = fs::read(folder.join(&file)).unwrap();
            (file, bytes)
        })
        .collect()
}
