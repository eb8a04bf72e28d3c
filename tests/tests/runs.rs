//! An experiment as a user runs it: the program, its files, and a second run. The tables are tested in
//! `tests/experiments.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of an example, which cargo puts beside the tests' own folder.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a running test");
    let target = tests
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps");
    let program = target.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built; run the tests by `cargo test --release --workspace`",
        program.display()
    );
    program
}

fn run(name: &str, out: &Path) -> String {
    let output = Command::new(example(name))
        .args(["--scale", "smoke", "--out"])
        .arg(out)
        .output()
        .expect("the example starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("the output is text")
}

#[test]
fn an_experiment_is_a_program() {
    let out = tempfile::tempdir().unwrap();
    run("first_experiment", out.path());
    let folder = out.path().join("first_experiment");
    for file in ["figure.svg", "figure.png", "plan.json"] {
        assert!(folder.join(file).metadata().unwrap().len() > 1000, "{file}");
    }
    let table = || std::fs::read_to_string(folder.join("table.csv")).unwrap();
    let before = table();
    let again = run("first_experiment", out.path());
    assert!(again.contains("4 of 4 cells fitted, 2 tested"), "{again}");
    assert_eq!(table(), before);
}
