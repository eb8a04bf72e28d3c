//! Creates a crate outside of this workspace, as described in `book/src/own-crate.md`, and runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `new`, the program that writes a crate.
fn new(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = tests::example("new");
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Runs Cargo in the new crate, with the profile of this workspace. So it shares the dependencies that are built
/// already. Only `xai-core` is compiled again, because Cargo tells the same folder in two workspaces apart.
fn cargo(folder: &Path, update: &str, command: &str, arguments: &[&str]) -> Output {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut workspace: toml::Table = fs::read_to_string(workspace).unwrap().parse().unwrap();
    let packages = workspace["profile"]["release"]["package"]
        .as_table_mut()
        .unwrap();
    packages.insert("my_study".into(), toml::toml! { opt-level = 0 }.into());
    let profile = toml::Table::from_iter([("profile".to_owned(), workspace["profile"].clone())]);
    let file = folder.join("../profile.toml");
    fs::write(&file, profile.to_string()).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([command, "--release", "--offline", "--config"])
        .arg(file)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", tests::built().parent().unwrap())
        .env("INSTA_UPDATE", update)
        .env_remove("XAI_DEVICE");
    cargo.output().unwrap()
}

fn succeeded(output: Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout
}

/// As [`cargo`] does, with the libraries of the tests: `run`, or `test` with its own main program. Cargo only checks the
/// crate's dependencies.
fn compiler(folder: &Path, update: &str, command: &str, arguments: &[&str]) -> Output {
    // Packages for other platforms may never have been downloaded.
    let host = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output();
    let mut cargo = Command::new(env!("CARGO"));
    let checked = cargo
        .args(["metadata", "--offline", "--format-version", "1"])
        .args(["--filter-platform", succeeded(host.unwrap()).trim()])
        .current_dir(folder)
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&succeeded(checked)).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let mut own = packages.filter(|package| package["name"] == "my_study");
    let package = own.next().unwrap();
    let program = folder.join(command);
    let compiled = Command::new("rustc")
        .args(["--edition", package["edition"].as_str().unwrap()])
        .args(["--crate-name", "my_study", "src/main.rs", "-o"])
        .arg(&program)
        .args((command == "test").then_some("--test"))
        .args(tests::Libraries::built().arguments(&["xai_core"]))
        .current_dir(folder)
        .env("CARGO_MANIFEST_DIR", folder)
        .env("CARGO_PKG_NAME", "my_study")
        .env("CARGO_PKG_VERSION", package["version"].as_str().unwrap())
        .output()
        .unwrap();
    succeeded(compiled);
    Command::new(program)
        .args(arguments.iter().filter(|argument| **argument != "--"))
        .current_dir(folder)
        .env("INSTA_UPDATE", update)
        .env("INSTA_WORKSPACE_ROOT", folder)
        .env_remove("XAI_DEVICE")
        .output()
        .unwrap()
}

#[test]
fn a_new_crate_runs_and_its_snapshot_test_works() {
    runs_and_its_snapshot_test_works(compiler);
}

/// The same as a user does it. `.ci/run` includes this test.
#[test]
#[ignore = "compiles xai-core a second time, which takes minutes"]
fn cargo_builds_a_new_crate() {
    runs_and_its_snapshot_test_works(cargo);
}

fn runs_and_its_snapshot_test_works(cargo: fn(&Path, &str, &str, &[&str]) -> Output) {
    let folder = tempfile::tempdir().unwrap();
    let said = succeeded(new(folder.path(), &["my_study"]));
    assert!(said.contains("cd my_study"), "{said}");
    let crate_ = folder.path().join("my_study");

    let run = ["--", "--scale", "smoke", "--out", "runs"];
    succeeded(cargo(&crate_, "no", "run", &run));
    let table = fs::read_to_string(crate_.join("runs/my_study/table.csv")).unwrap();
    let rows = table.lines().count();
    assert_eq!(rows, 1 + 2 * 3, "two depths, three methods:\n{table}");

    // A snapshot of another table fails, and the new one is written beside it.
    let snapshot = crate_.join("src/snapshots/my_study_smoke.snap");
    fs::create_dir(snapshot.parent().unwrap()).unwrap();
    fs::write(&snapshot, "---\nsource: src/main.rs\n---\nmethod,mean\n").unwrap();
    let failed = cargo(&crate_, "new", "test", &[]);
    let text = String::from_utf8_lossy(&failed.stdout);
    assert!(
        !failed.status.success() && text.contains("1 failed"),
        "{text}"
    );
    let stored = fs::read_to_string(snapshot.with_extension("snap.new")).unwrap();
    let header = table.lines().next().unwrap();
    let from_header = stored.lines().skip_while(|line| *line != header);
    assert!(from_header.clone().count() == rows, "{stored}");
    for (of_run, of_test) in table.lines().zip(from_header) {
        for (of_run, of_test) in of_run.split(',').zip(of_test.split(',')) {
            let same = match (of_run.parse::<f64>(), of_test.parse::<f64>()) {
                (Ok(of_run), Ok(rounded)) => (of_run - rounded).abs() < 0.0051,
                _ => of_run == of_test,
            };
            assert!(same, "{of_run} is not {of_test}:\n{table}{stored}");
        }
    }
}

#[test]
fn a_new_file_is_the_experiment_alone() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(new(folder.path(), &["second-study", "--file"]));
    let file = fs::read_to_string(folder.path().join("second-study.rs")).unwrap();
    assert!(file.contains("struct SecondStudy {"), "{file}");
    assert!(file.contains("xai_core::run::<SecondStudy>()"), "{file}");
    let left = ["ANCHOR", "FirstExperiment", "tutorial"];
    assert!(left.iter().all(|word| !file.contains(word)), "{file}");
    let before = file;
    let again = new(folder.path(), &["second-study", "--file"]);
    assert!(!again.status.success());
    let after = fs::read_to_string(folder.path().join("second-study.rs")).unwrap();
    assert_eq!(after, before);
}

#[test]
fn names_that_cannot_be_used_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    for (name, why) in [
        ("taken", "exists already"),
        ("My_Study", "a name consists of a-z"),
        ("2nd", "a name consists of a-z"),
        ("xai_core", "reserved"),
        ("build", "reserved"),
        ("deps", "reserved"),
        ("examples", "reserved"),
        ("incremental", "reserved"),
        ("network", "the experiment itself uses the name `Network`"),
        ("..", "not a name"),
    ] {
        let output = new(folder.path(), &[name]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr.contains(why) && stderr.contains(name), "{stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
