//! Two runs compared, and a run compared with published values, on the toy, whose scores are known: a cell's model is its
//! rate, and the score of image `i` (0, 1, 2) is the rate times `i`.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tests::{text, toy};

fn run(out: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = toy(env!("CARGO_BIN_EXE_toy"), out, "0,1", arguments);
    text(command.output().unwrap())
}

/// The rows of a CSV file, each entry by its column.
fn rows(path: &Path) -> Vec<Vec<(String, String)>> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines
        .map(|row| header.iter().cloned().zip(row).collect())
        .collect()
}

fn entry<'a>(row: &'a [(String, String)], column: &str) -> &'a str {
    &row.iter().find(|(name, _)| name == column).unwrap().1
}

fn number(row: &[(String, String)], column: &str) -> f64 {
    entry(row, column).parse().unwrap()
}

#[test]
fn two_runs_are_compared_image_by_image() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (code, _, problem) = run(other.path(), &["--set", "rate=0.25"]);
    assert_eq!(code, Some(0), "{problem}");
    let there = other.path().join("toy_command/partial/rate=0.25");
    let arguments = ["--report", "--against", there.to_str().unwrap()];
    let (code, said, problem) = run(one.path(), &arguments);
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.contains("This run against another run"), "{said}");
    let folder = one.path().join("toy_command");
    let table = rows(&folder.join("against.csv"));
    // Two delays, each with the precision of one method and the accuracy.
    assert_eq!(table.len(), 4);
    for row in &table {
        // Rates of 0.5 and 0.25 on the images 0, 1 and 2: the means are 0.5 and 0.25.
        let known = match entry(row, "metric") {
            "precision" => [0.5, 0.25, 0.25],
            _ => [1.0, 1.0, 0.0],
        };
        let found = ["here", "there", "difference"].map(|column| number(row, column));
        assert_eq!(found, known, "{row:?}");
        assert_eq!(
            (entry(row, "images"), entry(row, "comparison")),
            ("3", "paired")
        );
        // Three images are too few for an interval.
        let ends = ["ci95_low", "ci95_high"].map(|column| entry(row, column));
        assert_eq!(ends, ["", ""]);
    }
    let settings = rows(&folder.join("against_settings.csv"));
    let what: Vec<_> = settings.iter().map(|row| entry(row, "what")).collect();
    assert_eq!(what, ["settings.values.rate"], "{settings:?}");
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("What differs between the two runs"));
    let picture = fs::read_to_string(folder.join("against_precision.svg")).unwrap();
    assert!(picture.contains("Halves"), "{picture}");
}

/// A run replaces its own folder and would be compared with itself.
#[test]
fn the_runs_own_folder_is_refused() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), &[]).0, Some(0));
    let own = out.path().join("toy_command");
    let plan = || fs::read(own.join("plan.json")).unwrap();
    let before = plan();
    let indirect = own.join("cells/..");
    for folder in [&own, &indirect] {
        for more in [&["--fresh"][..], &["--submit"]] {
            let mut arguments = vec!["--against", folder.to_str().unwrap()];
            arguments.extend(more);
            let (code, said, problem) = run(out.path(), &arguments);
            assert_eq!((code, said.as_str()), (Some(1), ""), "{problem}");
            let told = "is the folder of this run itself, which replaces what is there";
            assert!(
                problem.contains(told) && problem.contains("copy it first"),
                "{problem}"
            );
        }
    }
    assert_eq!(plan(), before);
    assert!(!own.join("against.csv").exists());
    // A part of it is another run.
    let arguments = ["--where", "rate=0.25", "--against", own.to_str().unwrap()];
    let (code, _, problem) = run(out.path(), &arguments);
    assert_eq!(code, Some(0), "{problem}");
}

/// While a run is analysed, another process of the same folder does not replace its plan, which has no winners yet.
#[test]
fn a_plan_is_not_replaced_while_it_is_read() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    assert_eq!(run(other.path(), &[]).0, Some(0));
    let there = other.path().join("toy_command");
    let notes = other.path().join("notes");
    let arguments = ["--report", "--against", there.to_str().unwrap()];
    let program = env!("CARGO_BIN_EXE_toy");
    let mut first = toy(program, one.path(), "0,1", &arguments);
    first.env("TOY_NOTES", &notes).env("TOY_ANALYSIS", "3000");
    let piped = first.stdout(Stdio::piped()).stderr(Stdio::piped());
    let first = piped.spawn().unwrap();
    let analysed = || fs::read_to_string(&notes).is_ok_and(|text| text.contains("analysis"));
    while !analysed() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut second = toy(program, one.path(), "2,3", &[]);
    let (code, _, problem) = text(second.output().unwrap());
    assert_eq!(code, Some(0), "{problem}");
    let (code, said, problem) = text(first.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.contains("This run against another run"), "{said}");
    // The second run came after it.
    let plan = fs::read_to_string(one.path().join("toy_command/plan.json")).unwrap();
    assert!(plan.contains("delay=3") && !plan.contains("delay=1"));
}

/// Results of other images are two independent samples.
#[test]
fn runs_on_other_images_are_not_paired() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for out in [&one, &other] {
        assert_eq!(run(out.path(), &[]).0, Some(0));
    }
    let there = other.path().join("toy_command");
    for cell in fs::read_dir(there.join("cells")).unwrap() {
        let path = cell.unwrap().path().join("manifest.json");
        let mut manifest: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if manifest["test_set"].is_string() {
            manifest["test_set"] = "00000000000000000000000000000000".into();
            fs::write(&path, manifest.to_string()).unwrap();
        }
    }
    let (code, _, problem) = run(one.path(), &["--against", there.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{problem}");
    for row in rows(&one.path().join("toy_command/against.csv")) {
        assert_eq!(entry(&row, "comparison"), "other images");
        assert_eq!(number(&row, "difference"), 0.0);
    }
}

/// Scores of the same cell in another run of it are whole, and are not those of this run.
#[test]
fn scores_that_a_run_has_not_written_are_not_compared() {
    let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    assert_eq!(run(one.path(), &[]).0, Some(0));
    for arguments in [&[][..], &["--set", "rate=0.25"]] {
        assert_eq!(run(other.path(), arguments).0, Some(0));
    }
    let there = other.path().join("toy_command");
    let scores = |run: &Path| {
        let cells = fs::read_dir(run.join("cells")).unwrap();
        let mut paths = cells.map(|cell| cell.unwrap().path().join("scores.parquet"));
        paths.find(|path| path.exists()).unwrap()
    };
    fs::copy(scores(&there.join("partial/rate=0.25")), scores(&there)).unwrap();
    let (code, _, problem) = run(one.path(), &["--against", there.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{problem}");
    assert!(
        problem.contains("scores.parquet") && problem.contains("of an earlier fit of this cell"),
        "{problem}"
    );
}

#[test]
fn published_values_are_compared() {
    let out = tempfile::tempdir().unwrap();
    let (code, said, problem) = run(out.path(), &["--against", "published"]);
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.contains("This run against published values"), "{said}");
    let parts = fs::read_to_string(out.path().join("toy_command/analysis.json")).unwrap();
    assert!(
        !problem.contains("published values are of") && !parts.contains("This run is at scale")
    );
    for part in [
        "3 of 4 published values have a counterpart in this run",
        "Source: made up",
    ] {
        assert!(parts.contains(part), "{parts}");
    }
    let table = rows(&out.path().join("toy_command/against.csv"));
    let found: Vec<_> = table
        .iter()
        .map(|row| {
            let numbers = ["here", "published", "difference"].map(|column| number(row, column));
            (entry(row, "metric"), entry(row, "comparison"), numbers)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("precision", "mean", [0.5, 0.375, 0.125]),
            ("precision", "median", [0.5, 0.75, -0.25]),
            ("test_accuracy", "mean", [1.0, 0.75, 0.25]),
        ]
    );
}

/// A run of other sizes says so, on the terminal and in the caption.
#[test]
fn published_values_of_another_scale_are_named() {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["--against", "published", "--scale", "smoke"];
    let (code, _, problem) = run(out.path(), &arguments);
    assert_eq!(code, Some(0), "{problem}");
    let parts = fs::read_to_string(out.path().join("toy_command/analysis.json")).unwrap();
    let line = "This run is at scale smoke, and the published values are of the sizes at scale desk or paper";
    assert!(problem.contains(line), "{problem}");
    assert!(parts.contains(line), "{parts}");
}

#[test]
fn what_cannot_be_compared_is_said_before_anything_is_computed() {
    let out = tempfile::tempdir().unwrap();
    let (code, _, problem) = run(out.path(), &["--against", "/nowhere"]);
    assert_eq!(code, Some(1));
    let expected = "/nowhere/plan.json: is not there; --against takes the folder of a run";
    assert!(problem.contains(expected), "{problem}");
    assert!(!out.path().join("toy_command").exists());
}
