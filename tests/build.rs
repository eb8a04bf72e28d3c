//! Finds the experiments: every file of `experiments/examples` with `#[experiment]` becomes a module of
//! `tests/experiments.rs`, so that the tests of `snapshot = smoke` run here.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let tests = env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    let folder = Path::new(&tests).join("../experiments/examples");
    let folder = folder.canonicalize().expect("the folder of experiments");
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(&folder).expect("the folder of experiments");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut modules = String::new();
    for file in files {
        let experiment = file.extension().is_some_and(|extension| extension == "rs")
            && fs::read_to_string(&file).is_ok_and(|text| is_experiment(&text));
        if let (true, Some(name)) = (experiment, file.file_stem()) {
            let name = name.to_string_lossy();
            writeln!(
                modules,
                "#[allow(dead_code)]\n#[path = {file:?}]\nmod {name};"
            )
            .expect("text");
        }
    }
    let out = env::var("OUT_DIR").expect("set by cargo");
    fs::write(Path::new(&out).join("experiments.rs"), modules).expect("OUT_DIR can be written");
}

/// Whether the attribute is somewhere in the code, comments aside.
fn is_experiment(text: &str) -> bool {
    text.lines()
        .any(|line| !line.trim_start().starts_with("//") && line.contains("#[experiment"))
}
