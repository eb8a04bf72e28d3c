//! Experiments at smoke scale, run as a person runs them; insta holds their tables.
//!
//! `cargo test --workspace` builds the examples that this test runs. A table is rounded to what a
//! person would compare; the numbers below it are the same bits on one thread and on two.

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

fn run(name: &str, out: &Path, threads: &str) -> String {
    let output = Command::new(example(name))
        .args(["--scale", "smoke", "--out"])
        .arg(out)
        .env("RAYON_NUM_THREADS", threads)
        .output()
        .expect("the example starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("the output is text")
}

/// The table with numbers cut to two decimals.
fn rounded(table: &str) -> String {
    let cell = |cell: &str| match cell.parse::<f64>() {
        Ok(number) if cell.contains('.') && number >= 0.01 => format!("{number:.2}"),
        _ => cell.to_owned(),
    };
    let line = |line: &str| line.split(',').map(cell).collect::<Vec<_>>().join(",");
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn fig4_best_at_smoke_scale() {
    let (two, one) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run("fig4_best", two.path(), "2");
    let folder = two.path().join("fig4_best");
    let table = std::fs::read_to_string(folder.join("table.csv")).unwrap();
    insta::assert_snapshot!(rounded(&table));
    for file in ["figure.svg", "figure.png", "plan.json"] {
        assert!(folder.join(file).metadata().unwrap().len() > 1000, "{file}");
    }

    let again = run("fig4_best", two.path(), "2");
    assert!(
        again.contains("10 of 10 cells fitted, 10 tested"),
        "{again}"
    );

    run("fig4_best", one.path(), "1");
    let on_one_thread = std::fs::read_to_string(one.path().join("fig4_best/table.csv")).unwrap();
    assert_eq!(table, on_one_thread);
}
