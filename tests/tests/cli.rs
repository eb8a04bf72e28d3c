//! The command line that every experiment has, on `src/bin/toy.rs`.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn toy(out: &Path, delays: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toy"));
    command
        .args(arguments)
        .arg("--out")
        .arg(out)
        .env("TOY_DELAYS", delays)
        .env("COLUMNS", "100");
    command
}

/// (exit code, stdout, stderr)
fn text(output: Output) -> (Option<i32>, String, String) {
    let utf8 = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        utf8(output.stdout),
        utf8(output.stderr),
    )
}

#[test]
fn a_run_prints_plan_table_and_paths() {
    let out = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = text(
        toy(out.path(), "0,1", &["--scale", "smoke"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, Some(0), "{stderr}");
    let stdout = stdout.replace(&out.path().display().to_string(), "OUT");
    insta::assert_snapshot!(stdout);
    assert_eq!(
        stderr.lines().count(),
        4 + 2 + 2,
        "a line a cell and phase:\n{stderr}"
    );

    let (code, stdout, stderr) = text(
        toy(out.path(), "0,1", &["--scale", "smoke"])
            .output()
            .unwrap(),
    );
    assert!(code == Some(0) && stderr.is_empty(), "{stderr}");
    assert!(
        stdout.contains("finished  4 of 4 cells fitted, 2 tested"),
        "{stdout}"
    );

    let (code, stdout, stderr) = text(
        toy(out.path(), "0,1", &["--scale", "smoke", "--quiet"])
            .output()
            .unwrap(),
    );
    assert!(
        code == Some(0) && stdout.is_empty() && stderr.is_empty(),
        "{stdout}{stderr}"
    );
}

#[test]
fn help_shows_the_experiments_own_parameters() {
    let out = tempfile::tempdir().unwrap();
    let (code, stdout, _) = text(toy(out.path(), "0,1", &["--help"]).output().unwrap());
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(stdout);
    let (code, _, stderr) = text(toy(out.path(), "0", &["--device", "tpu"]).output().unwrap());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("no device is called `tpu`"), "{stderr}");
}

#[test]
fn a_failure_is_an_exit_code() {
    let out = tempfile::tempdir().unwrap();
    let (code, _, stderr) = text(toy(out.path(), "0,13", &[]).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("failed: fit delay=13 rate=0.5: thirteen"),
        "{stderr}"
    );
    assert!(stderr.contains("2 failed"), "{stderr}");
    let (code, _, stderr) = text(toy(out.path(), "4,4", &[]).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("`delay` has the value 4 twice"), "{stderr}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_keeps_what_is_finished() {
    let out = tempfile::tempdir().unwrap();
    let mut command = toy(out.path(), "0,10000", &[]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let cells = out.path().join("toy_command/cells");
    let finished = || {
        std::fs::read_dir(&cells)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|cell| cell.path().join("manifest.json").exists())
            .count()
    };
    for _ in 0..200 {
        if finished() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let (code, _, stderr) = text(child.wait_with_output().unwrap());
    assert_eq!(code, Some(130), "{stderr}");
    assert!(
        stderr.contains("stopped; finished cells are kept"),
        "{stderr}"
    );
    let (code, stdout, _) = text(toy(out.path(), "0,10000", &["--plan"]).output().unwrap());
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("finished  2 of 4 cells fitted, 0 tested"),
        "{stdout}"
    );
}
