//! The files of a run can be read by the programs that people use for analysis.

use std::path::Path;
use std::process::Command;

use tests::toy;

/// `XAI_PYTHON=/path/to/python cargo test --release -p tests --test all reading:: -- --ignored`
#[test]
#[ignore = "needs a Python with duckdb, pandas, pyarrow and polars; XAI_PYTHON names it"]
fn duckdb_pandas_pyarrow_and_polars_read_the_results() {
    let out = tempfile::tempdir().unwrap();
    // A change of the delays leaves the scores of a cell that is no winner of the last run.
    for delays in ["0,1,2", "1,2,3"] {
        let run = toy(env!("CARGO_BIN_EXE_toy"), out.path(), delays, &[]).output();
        assert!(run.unwrap().status.success());
    }
    let python = std::env::var("XAI_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("read_results.py"))
        .arg(out.path().join("toy_command"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout.matches("3 means agree").count(), 4, "{stdout}");
}
