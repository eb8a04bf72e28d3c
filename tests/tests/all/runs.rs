//! An experiment as a user runs it: the program, its files, and a second run. The tables are tested in
//! `tests/experiments.rs`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// The most memory that the run may occupy, in MiB. It needs 210 to 230, most of it in the calibration of batch norm.
const MOST_MEMORY: usize = 270;

/// Runs the tutorial's experiment in the background, where nobody looks at a terminal. It says what it is doing, and
/// stays within its memory.
fn run_in_the_background(out: &Path) {
    let stderr_at = out.join("stderr");
    let child = tests::example("first_experiment")
        .args(["--scale", "smoke", "--jobs", "2", "--out"])
        .arg(out)
        .env("XAI_PROGRESS_SECONDS", "0.3")
        .stdout(Stdio::null())
        .stderr(File::create(&stderr_at).unwrap())
        .spawn()
        .unwrap();
    let (succeeded, peak) = end_and_peak(child);
    let stderr = std::fs::read_to_string(&stderr_at).unwrap();
    assert!(succeeded, "{stderr}");
    let tells = |line: &str| {
        line.contains("; pre-training on shapes: epoch ") && line.contains(" of 6, about ")
    };
    assert!(stderr.lines().any(tells), "{stderr}");
    if cfg!(target_os = "linux") {
        let peak = peak >> 20;
        assert!((100..MOST_MEMORY).contains(&peak), "{peak} MiB");
    }
}

/// Waits for a process. Returns whether it succeeded, and its peak memory in bytes, which only Linux tells.
///
/// The peak is read while it runs. What `wait4` returns afterwards includes the memory of this process.
fn end_and_peak(mut child: Child) -> (bool, usize) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        peak = kib.map_or(peak, |kib| kib.parse::<usize>().unwrap() << 10);
        if let Some(status) = child.try_wait().unwrap() {
            return (status.success(), peak);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run(name: &str, out: &Path) -> String {
    run_with(name, out, &[])
}

fn run_with(name: &str, out: &Path, options: &[&str]) -> String {
    let output = tests::example(name)
        .args(["--scale", "smoke", "--out"])
        .arg(out)
        .args(options)
        .output()
        .expect("the example starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("the output is text")
}

#[test]
fn an_experiment_is_a_program() {
    let out = tempfile::tempdir().unwrap();
    run_in_the_background(out.path());
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

/// A part of the study, which as a whole takes a minute: every method has a row with its published and its corrected
/// precision, and the pairs are those of the same cell.
#[test]
fn the_corrected_xai_tris_pairs_both_protocols() {
    let out = tempfile::tempdir().unwrap();
    let cell = [
        "--where",
        "scenario=linear",
        "background=white",
        "model=linear",
    ];
    run_with("xai_tris_corrected", out.path(), &cell);
    let tables = find(out.path(), "corrected.csv");
    let table = std::fs::read_to_string(tables.first().expect("one table")).unwrap();
    let header = "metric,scenario,background,model,method,published,corrected,difference,low,high";
    assert_eq!(table.lines().next(), Some(header));
    let row = |method: &str| {
        let start = format!("precision_without_zeros,linear,white,linear,{method},");
        let row = table.lines().find_map(|line| line.strip_prefix(&start));
        let row = row.unwrap_or_else(|| panic!("no {method} in\n{table}"));
        let numbers: Vec<f64> = row.split(',').flat_map(str::parse).collect();
        assert!(
            (numbers[2] - (numbers[1] - numbers[0])).abs() < 1e-6,
            "{row}"
        );
        numbers
    };
    // X3: with the softmax in the way, LRP of a linear model is poor; without it, it is weights times pixels.
    let [lrp, gradient] = ["lrp", "integrated_gradients"].map(row);
    assert!(lrp[2] > 0.2, "{lrp:?}");
    assert!((lrp[1] - gradient[1]).abs() < 0.02, "{lrp:?} {gradient:?}");
}

/// Photographs that no cell has as its background are not passed over in silence.
#[test]
fn photographs_that_no_cell_uses_are_said() {
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("a.png"), "not read by a plan").unwrap();
    for name in ["xai_tris", "tetromino_position"] {
        let plan = |options: &[&str]| {
            let output = tests::example(name)
                .args(["--scale", "smoke", "--plan", "--out", "runs"])
                .args(options)
                .current_dir(&out)
                .output()
                .unwrap();
            let (code, _, said) = tests::text(output);
            assert_eq!(code, Some(0), "{said}");
            said
        };
        let wanted = "--photographs are not used: no cell";
        let said = plan(&["--photographs", "."]);
        assert!(said.contains(wanted), "{name}: {said}");
        let said = plan(&[]);
        assert!(!said.contains(wanted), "{name}: {said}");
    }
}

/// The files of a name anywhere in a folder.
fn find(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let here = files.into_iter().filter(|path| path.ends_with(name));
    let below = folders.iter().flat_map(|folder| find(folder, name));
    here.chain(below).collect()
}
