//! No stale number: an experiment's file is edited, built and run, and what the edit determines is computed again.
//!
//! `xai-macros/src/code/tests.rs` has many more edits, of a text that is not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// The experiment's file, its program and its runs, in a folder of their own.
struct Study {
    folder: tempfile::TempDir,
    text: String,
    /// Options of the compiler.
    options: Vec<&'static str>,
    /// The variable `STEPS` while it compiles.
    steps: &'static str,
}

impl Study {
    fn new() -> Self {
        let file = tests::fixture("stale/study.rs");
        let text = fs::read_to_string(file).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            text,
            options: Vec::new(),
            steps: "3",
        }
    }

    fn edit(&mut self, before: &str, after: &str) {
        assert_eq!(self.text.matches(before).count(), 1, "{before}");
        self.text = self.text.replace(before, after);
    }

    /// Builds the file against the library of the tests, which is built already.
    fn build(&self) -> PathBuf {
        let (file, program) = ("study.rs", self.folder.path().join("study"));
        fs::write(self.folder.path().join(file), &self.text).unwrap();
        let output = Command::new("rustc")
            .args(["--edition=2024", "-Copt-level=0", "-Cdebuginfo=0"])
            .args(tests::Libraries::built().arguments(&["tests"]))
            .args([file, "-o"])
            .arg(&program)
            .args(&self.options)
            .env("STEPS", self.steps)
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{problem}");
        program
    }

    /// Builds and runs, and gives the numbers of fits and tests.
    fn run(&self) -> (usize, usize) {
        let output = Command::new(self.build())
            .args(["--scale", "smoke", "--json", "--out", "runs"])
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{problem}");
        let events = String::from_utf8(output.stdout).unwrap();
        let events: Vec<Json> = (events.lines())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let count = |phase: &str| {
            let cells = events.iter().filter(|event| event["event"] == "cell");
            cells.filter(|cell| cell["phase"] == phase).count()
        };
        (count("fit"), count("test"))
    }

    fn why(&self) -> String {
        self.says(&["--why", "rate=0.25"])
    }

    /// What the program that was built last prints.
    fn says(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.folder.path().join("study"))
            .args(["--scale", "smoke", "--out", "runs"])
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn an_edit_computes_what_it_determines_and_nothing_else() {
    let mut study = Study::new();
    assert_eq!(study.run(), (2, 2));

    // Comments, layout, doc text and imports that change nothing do not count.
    study.edit("fn train(", "/// Sums.\nfn train(");
    study.edit(
        "after(rate, step)",
        "after(\n    rate, // the rate\n    step,\n)",
    );
    study.edit(
        "use std::path::Path;",
        "#[allow(unused_imports)]\nuse std::{fmt::Debug, path::Path};",
    );
    assert_eq!(study.run(), (0, 0), "comments, layout, docs, imports");

    // Editing a constant that only `analysis` reads recomputes nothing.
    study.edit("\"Means\"", "\"Means of the scores\"");
    assert_eq!(study.run(), (0, 0), "the analysis alone");
    let table = fs::read_to_string(study.folder.path().join("runs/study/means.csv"));
    assert!(table.is_ok_and(|table| table.contains("0.25,0.375")));

    // Adding a level to an axis recomputes nothing that is there.
    study.edit("[0.25, 0.5]", "[0.25, 0.5, 0.75]");
    assert_eq!(study.run(), (1, 1), "a new level");

    // Editing `test`, or what it alone reaches, keeps models.
    study.edit("WEIGHT: f64 = 0.5", "WEIGHT: f64 = 0.25");
    study.build();
    let why = study.why();
    assert!(why.contains("fit   is done"), "{why}");
    let reason = "test  must be computed: `WEIGHT` has changed, in the experiment's file\n";
    assert!(why.contains(reason), "{why}");
    let plan = study.says(&["--plan"]);
    let first = plan.split_whitespace().next();
    assert_eq!(first, Some("predicted"), "{plan}");
    assert!(plan.contains("3 of 3 cells fitted, 0 tested"), "{plan}");
    assert!(plan.contains("estimate"), "{plan}");
    assert_eq!(study.run(), (0, 3), "the test");
    let plan = study.says(&["--plan"]);
    assert!(plan.contains("3 of 3 cells fitted, 3 tested"), "{plan}");

    // Editing what `fit` reaches fits again.
    study.edit("f64::from(step)", "f64::from(step + 1)");
    study.build();
    let why = study.why();
    let reason = "\n          `after` has changed, in the experiment's file\n";
    assert!(why.contains(reason), "{why}");
    assert_eq!(why.matches("changed").count(), 1, "{why}");
    assert_eq!(study.run(), (3, 3), "the fit");
}

/// Two builds of the same file can be different programs.
#[test]
fn what_a_build_decides_is_part_of_the_key() {
    let mut study = Study::new();
    study.edit(
        "fn train(",
        "#[cfg(feature = \"long\")]\nuse std::f64::consts::PI as START;\n\
         #[cfg(not(feature = \"long\"))]\nuse std::f64::consts::E as START;\n\
         const NAME: &str = env!(\"STEPS\");\n\n\
         fn train(",
    );
    study.edit(
        "(0..STEPS).map(|step| after(rate, step)).sum()",
        "START + rate * NAME.len() as f64",
    );
    assert_eq!(study.run(), (2, 2));
    assert_eq!(study.run(), (0, 0), "the same build");
    study.options = vec!["--cfg", "feature=\"long\""];
    assert_eq!(study.run(), (2, 2), "a feature");
    study.steps = "10";
    study.build();
    let why = study.why();
    let reason = "`env!(\"STEPS\")` has changed, in the experiment's file\n";
    assert!(why.contains(reason), "{why}");
    assert_eq!(study.run(), (2, 2), "a variable");
    (study.options, study.steps) = (Vec::new(), "3");
    assert_eq!(study.run(), (0, 0), "the first build");
}

/// The code outside of the file is recorded. Where it has changed, one line says so, and `--fresh-code` computes what it
/// had computed again.
#[test]
fn results_of_other_code_are_kept_and_named() {
    let out = tempfile::tempdir().unwrap();
    let notes = out.path().join("notes");
    let run = |arguments: &[&str]| {
        let _ = fs::remove_file(&notes);
        let mut command = tests::toy(env!("CARGO_BIN_EXE_toy"), out.path(), "0,4", arguments);
        let output = command.env("TOY_NOTES", &notes).output().unwrap();
        let (code, stdout, stderr) = tests::text(output);
        assert_eq!(code, Some(0), "{stderr}");
        let lines = fs::read_to_string(&notes).unwrap_or_default();
        let count = |what: &str| lines.lines().filter(|line| *line == what).count();
        (["stage", "fit", "test"].map(count), stdout + &stderr)
    };
    // The record of a cell or of a stage, as if other code had computed it.
    let change = |path: &Path, of: &[&str]| {
        let text = fs::read_to_string(path).unwrap();
        let mut record: Json = serde_json::from_str(&text).unwrap();
        for of in of {
            let code = record.pointer_mut(of).unwrap();
            assert_eq!(code["xai-core"].as_str().map(str::len), Some(16), "{code}");
            code["xai-core"] = "another".into();
        }
        fs::write(path, record.to_string()).unwrap();
    };
    let said = "xai-core changed since";
    let (computed, text) = run(&[]);
    assert_eq!(computed, [2, 4, 2]);
    assert!(!text.contains(said), "{text}");

    let cells = fs::read_dir(out.path().join("toy_command/cells")).unwrap();
    let mut manifests: Vec<PathBuf> = cells
        .map(|cell| cell.unwrap().path().join("manifest.json"))
        .collect();
    let is = |path: &PathBuf, what: &str| fs::read_to_string(path).unwrap().contains(what);
    manifests.retain(|path| is(path, "delay=4"));
    let winner = manifests.iter().position(|path| is(path, "scores.parquet"));
    let winner = manifests.swap_remove(winner.unwrap());
    let loser = manifests.swap_remove(0);

    // Its scores alone, then its model too.
    change(&winner, &["/scored/by"]);
    let (computed, text) = run(&[]);
    assert_eq!(computed, [0, 0, 0]);
    let page = |arguments: &[&str]| {
        run(arguments);
        let page = out.path().join("toy_command/report.html");
        fs::read_to_string(page).unwrap().contains(said)
    };
    let line = "xai-core changed since 1 cell was computed, and the results are kept; --fresh-code computes these again";
    assert_eq!(text.matches(line).count(), 1, "{text}");
    assert!(page(&["--report"]), "the page says so too");
    let (_, text) = run(&["--why", "delay=4", "rate=0.5"]);
    assert!(text.contains("code  xai-core changed since then"), "{text}");
    let (computed, text) = run(&["--fresh-code"]);
    assert_eq!(computed, [0, 0, 1], "{text}");
    assert!(!text.contains(said), "{text}");
    assert!(!page(&["--report"]), "the page has nothing to say");

    change(&winner, &["/fitted_by", "/predicted_by", "/scored/by"]);
    change(&loser, &["/fitted_by"]);
    let (computed, text) = run(&[]);
    assert_eq!(computed, [0, 0, 0]);
    assert!(
        text.contains(&line.replace("1 cell was", "2 cells were")),
        "{text}"
    );
    let (computed, text) = run(&["--fresh-code"]);
    assert_eq!(computed, [0, 2, 1], "{text}");
    let (computed, text) = run(&["--fresh-code"]);
    assert_eq!(computed, [0, 0, 0], "{text}");
    assert!(!text.contains(said), "{text}");

    // A stage that other code has computed: a cell that uses it belongs to that code.
    for stage in fs::read_dir(out.path().join(".stages")).unwrap() {
        let record = stage.unwrap().path().join("stage.json");
        if record.exists() && is(&record, "\"stage\": \"toy\"") {
            change(&record, &["/code"]);
        }
    }
    fs::remove_dir_all(winner.parent().unwrap()).unwrap();
    let (computed, text) = run(&[]);
    assert_eq!(computed, [0, 1, 1]);
    assert_eq!(text.matches(line).count(), 1, "{text}");
    let (computed, text) = run(&["--fresh-code"]);
    assert_eq!(computed, [1, 1, 1], "{text}");
    assert!(!text.contains(said), "{text}");

    let plan = fs::read_to_string(out.path().join("toy_command/plan.json")).unwrap();
    let plan: Json = serde_json::from_str(&plan).unwrap();
    let names: Vec<_> = plan["outside_of_the_file"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(names, ["Cargo.lock", "experiments", "tests", "xai-core"]);
}
