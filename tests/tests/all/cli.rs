//! The command line that all experiments share, tested with `src/bin/toy.rs`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tests::text;

fn toy(out: &Path, delays: &str, arguments: &[&str]) -> Command {
    tests::toy(env!("CARGO_BIN_EXE_toy"), out, delays, arguments)
}

/// Runs it: (exit code, stdout, stderr).
fn run(out: &Path, delays: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    text(toy(out, delays, arguments).output().unwrap())
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

/// Without a terminal, a line from time to time says how far each cell is and how long it will take.
#[test]
fn a_pipe_gets_a_line_from_time_to_time() {
    let out = tempfile::tempdir().unwrap();
    let mut toy = toy(out.path(), "0", &["--scale", "smoke", "--jobs", "1"]);
    toy.env("TOY_EVERY", "1000")
        .env("XAI_PROGRESS_SECONDS", "0.25");
    let start = Instant::now();
    let (code, _, stderr) = text(toy.output().unwrap());
    let quarters = start.elapsed().as_millis() / 250;
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| line.contains(" s  fit"))
        .collect();
    let (few, many) = (4, quarters as usize);
    assert!((few..=many).contains(&lines.len()), "{stderr}");
    let of_cell =
        |line: &&str| line.contains("; waiting: ") && line.contains(" of 10, about 1 s left");
    assert!(
        lines.iter().filter(|line| of_cell(line)).count() >= few,
        "{stderr}"
    );
    assert!(
        lines.iter().any(|line| line.contains(": 1 of 2, about ")),
        "{stderr}"
    );

    // By default, ten seconds pass first.
    let out = tempfile::tempdir().unwrap();
    let (_, _, stderr) = run(out.path(), "100", &["--scale", "smoke"]);
    assert!(!stderr.contains("waiting"), "{stderr}");
}

/// The exit code of a program whose output nobody reads.
fn unread(mut program: Command) -> Option<i32> {
    let program = program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap().code()
}

/// A run goes on after its terminal was closed, and after the program that read from it has ended.
#[test]
fn a_run_that_nobody_reads_goes_on() {
    let out = tempfile::tempdir().unwrap();
    for arguments in [
        &["--plan"][..],
        &["--plan", "--json"],
        &[],
        &["--why", "delay=0"],
        &["--why", "delay=0", "--json"],
        &["--status"],
        &["--status", "--json"],
        &["--json"],
    ] {
        let mut toy = toy(out.path(), "0,1", arguments);
        toy.env("XAI_PROGRESS_SECONDS", "0.01");
        assert_eq!(unread(toy), Some(0), "{arguments:?}");
    }
    assert!(out.path().join("toy_command/table.csv").exists());

    // A failure keeps its own exit code.
    assert_eq!(unread(toy(out.path(), "13", &[])), Some(1));
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

fn best(once: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(once).take(5).min().unwrap()
}

/// The help within 50 ms, and within 0.5 s the one cell that is missing: the best of some tries, as other tests run
/// beside this one.
#[test]
fn it_starts_at_once() {
    let out = tempfile::tempdir().unwrap();
    let help = best(|| {
        let start = Instant::now();
        assert_eq!(run(out.path(), "0", &["--help"]).0, Some(0));
        start.elapsed()
    });
    assert!(help < Duration::from_millis(50), "{help:?} to the help");

    assert_eq!(run(out.path(), "0,1", &["--scale", "smoke"]).0, Some(0));
    let cells = out.path().join("toy_command/cells");
    let first_cell = best(|| {
        let cell = fs::read_dir(&cells).unwrap().next().unwrap().unwrap();
        fs::remove_dir_all(cell.path()).unwrap();
        let start = Instant::now();
        let mut again = toy(out.path(), "0,1", &["--scale", "smoke", "--json"]);
        let mut again = (again.stdout(Stdio::piped()).stderr(Stdio::null()))
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(again.stdout.take().unwrap()).lines();
        let fitted = lines.find(|line| line.as_ref().unwrap().contains(r#""phase":"fit""#));
        assert!(fitted.is_some(), "a cell was missing");
        let took = start.elapsed();
        lines.for_each(drop);
        assert!(again.wait().unwrap().success());
        took
    });
    let limit = Duration::from_millis(500);
    assert!(first_cell < limit, "{first_cell:?} to the first cell");
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
    let (_, stdout, _) = text(toy(out.path(), "0,10000", &["--status"]).output().unwrap());
    assert!(
        stdout.contains("2 of 4 done, 0 running, 0 failed, 2 waiting"),
        "{stdout}"
    );
}

#[test]
fn a_mistyped_name_or_value_suggests_the_near_one() {
    let out = tempfile::tempdir().unwrap();
    let message = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(out.path(), "100,250", arguments);
        assert!(code != Some(0) && stdout.is_empty(), "{stdout}");
        stderr.lines().next().unwrap_or_default().to_owned()
    };
    for (arguments, expected) in [
        (
            &["--where", "dely=100"][..],
            "error: no parameter is called `dely`; did you mean `delay`?",
        ),
        (
            &["--where", "delay=251"],
            "error: `delay` cannot be `251`; the values are 100, 250, and --set takes others",
        ),
        (
            &["--where", "delay=fast"],
            "error: `delay` cannot be `fast`; it takes numbers like 100, 250",
        ),
        (
            &["--set", "rate=quick"],
            "error: `rate` cannot be `quick`; it takes numbers like 0.5, 0.25",
        ),
        (
            &["--set", "delay=-1"],
            "error: `delay` cannot be `-1`; it takes numbers like 100, 250",
        ),
        (
            &["--set", "delay=5..3"],
            "error: `delay` cannot be `5..3`; a range begins with its lowest number, as in 3..5",
        ),
        (
            &["--set", "delay=1", "rate=1", "--set", "delay=2,1,0"],
            "error: `delay` is given more than once by --set or --seeds; give all its values at once: --set delay=1,2,0",
        ),
        (
            &["--seeds", "3"],
            "error: --seeds needs an experiment with one #[seed], and `toy_command` has 0; use --set NAME=VALUE,..",
        ),
        (
            &["--why", "delay=100", "rate=0.3"],
            "error: `rate` cannot be `0.3`; the values are 0.5, 0.25, and --set takes others",
        ),
        (
            &["--why", "0123"],
            "error: no cell of this plan is called `0123`; --plan lists the cells with the beginnings of their keys",
        ),
    ] {
        assert_eq!(message(arguments), expected);
    }
    let (code, _, stderr) = run(out.path(), "0", &["--where", "delay"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("`delay` is not of the form NAME=VALUE"),
        "{stderr}"
    );
    for minutes in ["0", "-1", "NaN", "inf", "1e-320", "short"] {
        let minutes = format!("--task-minutes={minutes}");
        let (code, _, stderr) = run(out.path(), "0", &["--submit", "--dry-run", &minutes]);
        assert_eq!(code, Some(2), "{minutes}");
        assert!(stderr.contains("a number of minutes above 0"), "{stderr}");
    }
}

/// A restricted run compares other images and so has scores of its own; it shares the models and
/// leaves table, figure and scores of the whole alone.
#[test]
fn a_restricted_run_has_a_folder_of_its_own() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("toy_command");
    assert_eq!(run(out.path(), "0,1,2", &[]).0, Some(0));
    let whole = |name: &str| fs::read(folder.join(name)).unwrap();
    let before = ["table.csv", "figure.svg", "plan.json"].map(whole);

    let (code, stdout, stderr) = run(out.path(), "0,1,2", &["--where", "delay=1,2", "rate=0.25"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        stderr.lines().count(),
        2 + 2,
        "nothing is fitted:\n{stderr}"
    );
    assert!(
        stdout.starts_with("toy_command at scale desk: 2 cells instead of 6\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("  only      delay=1,2+rate=0.25: selected and compared among themselves"),
        "{stdout}"
    );
    let part = folder.join("partial/delay=1,2+rate=0.25");
    let table = fs::read_to_string(part.join("table.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2, "{table}");
    assert!(
        table.lines().skip(1).all(|row| row.contains("0.25")),
        "{table}"
    );
    assert_eq!(before, ["table.csv", "figure.svg", "plan.json"].map(whole));

    // Neither run has lost anything to the other.
    for arguments in [&[][..], &["--where", "delay=2,1", "--where", "rate=0.25"]] {
        let (code, stdout, stderr) = run(out.path(), "0,1,2", arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    }
    // A restriction that leaves everything is none; values that the experiment has not are a variant.
    let (_, stdout, _) = run(out.path(), "0,1,2", &["--plan", "--where", "delay=0,1,2"]);
    assert!(stdout.contains("scale desk: 6 cells\n"), "{stdout}");
    let (_, stdout, _) = run(out.path(), "0,1,2", &["--plan", "--set", "rate=0.125"]);
    assert!(stdout.contains("3 cells instead of 6"), "{stdout}");
    assert!(stdout.contains("partial/rate=0.125"), "{stdout}");
}

#[test]
fn the_plan_lists_cells_and_estimates_the_rest() {
    let out = tempfile::tempdir().unwrap();
    let (_, stdout, _) = run(out.path(), "20,40", &["--plan"]);
    assert!(
        stdout.contains("  estimate  none until a cell of this scale has finished"),
        "{stdout}"
    );
    run(out.path(), "20", &["--jobs", "1"]);
    let (_, stdout, _) = run(out.path(), "20,40", &["--plan", "--jobs", "1"]);
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().next(),
        Some("tested"),
        "{stdout}"
    );
    assert!(lines[0].ends_with("delay=20 rate=0.5"), "{stdout}");
    assert_eq!(
        lines[1].split_whitespace().next(),
        Some("fitted"),
        "{stdout}"
    );
    assert!(lines[2].trim().starts_with("to do") && lines[3].trim().starts_with("to do"));
    assert!(stdout.contains("(from 2 finished cells)"), "{stdout}");

    let (_, stdout, _) = run(out.path(), "20,40", &["--plan", "--jobs", "1", "--json"]);
    let event: Json = serde_json::from_str(&stdout).unwrap();
    // Two cells like those of 20 ms, and one test of 20 ms; machines under load are slower.
    let seconds = event["estimate"]["seconds"].as_f64().unwrap();
    assert!((0.06..2.0).contains(&seconds), "{seconds}");
    let manifest = |cell: &Json| -> Json {
        let key = cell["key"].as_str().unwrap();
        let path = out
            .path()
            .join(format!("toy_command/cells/{key}/manifest.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let tested = manifest(&event["cells"][0]);
    let bytes = |name: &str| tested["files"][name]["bytes"].as_f64().unwrap();
    // The models are `0.5` and `0.25`, 3.5 bytes on average.
    let expected =
        7.0 + bytes("predictions.parquet") + bytes("scores.parquet") + bytes("maps.safetensors");
    assert_eq!(event["estimate"]["bytes"].as_f64().unwrap(), expected);
}

/// `--plan`, `--why` and `--status` only say something. Beside an option that does something, one of both would not happen.
#[test]
fn an_estimate_of_any_length_is_printed() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), "0", &[]).0, Some(0));
    for cell in fs::read_dir(out.path().join("toy_command/cells")).unwrap() {
        let path = cell.unwrap().path().join("manifest.json");
        let mut manifest: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest["seconds"]["fit"] = 1e30.into();
        fs::write(&path, manifest.to_string()).unwrap();
    }
    let (code, stdout, stderr) = run(out.path(), "0,1", &["--plan"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("estimate  about "), "{stdout}");
}

#[test]
fn a_number_of_more_than_64_bits_is_one_error() {
    let out = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(
        out.path(),
        "0",
        &["--set", "delay=99999999999999999999999999"],
    );
    assert_eq!(code, Some(1));
    assert!(stderr.contains("`delay` cannot be `9999"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_plan_is_not_run() {
    let out = tempfile::tempdir().unwrap();
    let [submit, shard, freeze] = [&["--submit"][..], &["--shard", "1/2"], &["--freeze"]];
    let [plan, why, status] = [&["--plan"][..], &["--why", "delay=0"], &["--status"]];
    for (only, others) in [
        (plan, &[submit, shard, freeze, status][..]),
        (why, &[submit, shard, freeze, status]),
        (status, &[submit, shard, freeze]),
        (&["--fresh"], &[freeze]),
    ] {
        for more in others {
            let (code, stdout, stderr) = run(out.path(), "0", &[*more, only].concat());
            assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
            assert!(stderr.contains("cannot be used with"), "{stderr}");
        }
    }
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

/// The folder of tables may be the run's own, which is claimed already.
#[test]
fn a_report_goes_to_the_runs_own_folder_as_well() {
    let out = tempfile::tempdir().unwrap();
    let own = out.path().join("toy_command");
    let arguments = ["--report", "--report-to", own.to_str().unwrap()];
    let (code, _, stderr) = run(out.path(), "0", &arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(own.join("report.html").exists());
    assert!(!own.join(".claims/reports").exists());
}

/// Each run holds its own folder while it claims the other one.
#[test]
fn two_runs_that_report_into_each_others_folders_end() {
    let outs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let own = outs.each_ref().map(|out| out.path().join("toy_command"));
    let finished = outs.each_ref().map(|out| {
        assert_eq!(run(out.path(), "0,1", &[]).0, Some(0));
        fs::read(out.path().join("toy_command/plan.json")).unwrap()
    });
    let mut runs = [(0, 1), (1, 0)].map(|(one, other)| {
        let to = own[other].to_str().unwrap();
        let mut command = toy(outs[one].path(), "0,1", &["--report", "--report-to", to]);
        command.env("TOY_ANALYSIS", "1500");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    });
    let start = Instant::now();
    let codes = runs.each_mut().map(|run| {
        loop {
            match run.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if start.elapsed() > Duration::from_secs(60) => {
                    run.kill().unwrap();
                    break None;
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    });
    assert_eq!(codes, [Some(0); 2], "they wait for each other");
    for (own, before) in own.iter().zip(&finished) {
        assert!(own.join("report.html").exists());
        let [now, before] = [fs::read(own.join("plan.json")).unwrap(), before.clone()]
            .map(|plan| serde_json::from_slice::<Json>(&plan).unwrap());
        assert_eq!(now["cells"], before["cells"]);
        assert_eq!(now["finished"], true);
    }
}

#[test]
fn json_is_all_that_stdout_has() {
    let out = tempfile::tempdir().unwrap();
    let events = |delays: &str, arguments: &[&str]| -> Vec<Json> {
        let (_, stdout, _) = run(out.path(), delays, arguments);
        let lines = stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let run = events("0,1", &["--json", "--quiet"]);
    assert_eq!(run[0]["event"], "plan");
    assert_eq!(run[0]["cells"][3]["status"], "to do");
    let of_phase = |phase: &str| run.iter().filter(|event| event["phase"] == phase).count();
    assert_eq!(
        (of_phase("fit"), of_phase("predict"), of_phase("test")),
        (4, 2, 2)
    );
    let result = run.last().unwrap();
    assert_eq!(result["event"], "result");
    // (0 + 0.5 + 1) / 3
    assert_eq!(result["cells"][1]["scores"]["halves"]["precision"], 0.5);
    let file = result["files"][0].as_str().unwrap();
    assert!(fs::metadata(file).is_ok(), "{file}");

    let failed = events("13", &["--json"]);
    assert_eq!(failed[1]["status"], "failed");
    assert_eq!(failed[1]["error"], "thirteen");
    assert_eq!(failed.last().unwrap()["event"], "error");
}

#[test]
fn a_failing_cell_is_tried_again_logged_and_may_stop_the_others() {
    let out = tempfile::tempdir().unwrap();
    let failures = out.path().join("failures");
    let with_failures = |count: &str, arguments: &[&str]| {
        fs::write(&failures, count).unwrap();
        let mut command = toy(out.path(), "0,1", arguments);
        text(command.env("TOY_FAILURES", &failures).output().unwrap())
    };
    let (code, _, stderr) = with_failures("3", &["--fail-fast", "--jobs", "1"]);
    assert_eq!(code, Some(1));
    assert_eq!(stderr.matches("failed: fit").count(), 1, "{stderr}");
    let log = stderr.split("(details in ").nth(1).unwrap();
    let log = fs::read_to_string(log.split(')').next().unwrap()).unwrap();
    assert!(log.contains("fit delay=0 rate=0.5 on flex"), "{log}");
    assert!(log.contains("failed: a failure that passes"), "{log}");

    let (code, _, stderr) = with_failures("3", &["--retry", "1", "--jobs", "1"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("; retrying").count(), 3, "{stderr}");

    let (code, _, stderr) = with_failures("9", &["--retry", "1", "--jobs", "1", "--fresh"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: 4 failed"), "{stderr}");
}

#[test]
fn why_names_what_has_changed() {
    let out = tempfile::tempdir().unwrap();
    let why = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(out.path(), "0,1", arguments);
        assert_eq!(code, Some(0), "{stderr}");
        stdout
    };
    let cell = ["--why", "delay=1", "rate=0.25"];
    assert!(why(&cell).contains("no cell of this experiment has finished here before"));
    run(out.path(), "0,1", &["--scale", "smoke"]);
    let text = why(&cell);
    for expected in [
        "scale is \"desk\", was \"smoke\"",
        "test  waits for the selection",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(
        !text.contains("values."),
        "the same cell is the nearest:\n{text}"
    );
    let smoke = |rate| why(&["--scale", "smoke", "--why", "delay=1", rate]);
    assert_eq!(smoke("rate=0.5").matches("is done").count(), 2);
    assert!(
        smoke("rate=0.25").contains("test  is not needed: the validation selected another cell")
    );
    let new = why(&[
        "--scale",
        "smoke",
        "--set",
        "rate=0.125",
        "--why",
        "delay=1",
    ]);
    assert!(new.contains("values.rate is 0.125, was "), "{new}");
}

/// Cells are divided between devices; which of them computes a cell does not matter.
#[test]
fn several_devices_share_the_cells() {
    let (two, one) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (code, _, stderr) = run(
        two.path(),
        "1,2,3",
        &["--device", "flex,flex", "--jobs", "2"],
    );
    assert_eq!(code, Some(0), "{stderr}");
    run(one.path(), "1,2,3", &["--jobs", "1"]);
    let table = |out: &Path| fs::read(out.join("toy_command/table.csv")).unwrap();
    assert_eq!(table(two.path()), table(one.path()));
    // Without a GPU, or without the feature `cuda`, this ends before any cell.
    let none = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(none.path(), "1", &["--device", "cuda:1000"]);
    assert_eq!(code, Some(1));
    let known = ["built without CUDA", "no NVIDIA GPU can be used"];
    assert!(known.iter().any(|text| stderr.contains(text)), "{stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
    assert!(!none.path().join("toy_command/plan.json").exists());
    for (device, problem) in [
        ("flex,cuda", "mixes kinds of devices"),
        ("cuda:1,1", "names cuda:1 twice"),
        ("cuda:0,x", "no device is called `x`"),
    ] {
        let (code, _, stderr) = run(two.path(), "1", &["--device", device]);
        assert_eq!(code, Some(2));
        assert!(stderr.contains(problem), "{stderr}");
    }
}

/// Each device has its own data, made once, however many jobs it has.
#[test]
fn data_is_made_once_a_device() {
    for (device, jobs, made) in [("flex", "1", 1), ("flex", "3", 1), ("flex,flex", "4", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes");
        let mut command = toy(
            folder.path(),
            "20,30,40,50",
            &["--device", device, "--jobs", jobs],
        );
        let (code, _, stderr) = text(command.env("TOY_NOTES", &notes).output().unwrap());
        assert_eq!(code, Some(0), "{stderr}");
        let notes = fs::read_to_string(notes).unwrap();
        let count = |what: &str| notes.lines().filter(|line| *line == what).count();
        assert_eq!((count("device"), count("fit")), (made, 8), "{device}");
    }
}

/// A device on which everything panics is left out, and the others finish all cells.
#[test]
fn a_broken_device_fails_no_cell() {
    let folder = tempfile::tempdir().unwrap();
    let two = ["--device", "flex,flex", "--jobs", "2"];
    let mut command = toy(folder.path(), "200,210,220,230,240", &two);
    command.env("TOY_BROKEN", "1").env("RUST_BACKTRACE", "0");
    let (code, _, stderr) = text(command.output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    let left_out =
        "flex of flex,flex is no longer used: 2 cells in a row panicked on it and not elsewhere";
    assert_eq!(stderr.matches(left_out).count(), 1, "{stderr}");
    assert!(
        stderr.contains("panicked: this device is broken"),
        "{stderr}"
    );
}

/// Cells of an earlier version have other keys: one sentence says that they are computed again.
#[test]
fn cells_of_an_earlier_version_are_not_computed_again_without_a_word() {
    let out = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(out.path(), "0", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("earlier version"), "{stderr}");
    let cells = out.path().join("toy_command/cells");
    for cell in std::fs::read_dir(&cells).unwrap() {
        let cell = cell.unwrap().path();
        let path = cell.join("manifest.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let old = text.replace("\"file\":", "\"another\":");
        assert_ne!(old, text);
        std::fs::write(&path, old).unwrap();
        std::fs::rename(&cell, cell.with_extension("old")).unwrap();
    }
    let (code, _, stderr) = run(out.path(), "0", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        stderr.matches("2 cells of an earlier version").count(),
        1,
        "{stderr}"
    );
}

/// A finished run that may only be read is shown, and drawn elsewhere.
#[cfg(unix)]
#[test]
fn a_finished_run_in_a_read_only_folder_is_shown() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let (out, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let permit = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (code, first, _) = text(toy(out.path(), "0,1", &[]).output().unwrap());
    assert_eq!(code, Some(0));
    fn all(folder: &Path) -> Vec<std::path::PathBuf> {
        let mut paths = vec![folder.to_owned()];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                paths.extend(all(&path))
            } else {
                paths.push(path)
            }
        }
        paths
    }
    for path in all(out.path()) {
        permit(&path, if path.is_dir() { 0o555 } else { 0o444 });
    }
    permit(elsewhere.path(), 0o777);
    let run = |options: &[&str]| {
        let mut command = toy(out.path(), "0,1", options);
        // Nothing is read-only for root.
        if std::fs::write(out.path().join("try"), []).is_ok() {
            std::fs::remove_file(out.path().join("try")).unwrap();
            command.uid(65534);
        }
        text(command.output().unwrap())
    };
    let (code, stdout, stderr) = run(&[]);
    assert_eq!(code, Some(0), "{stderr}");
    let table = |text: &str| {
        let (_, table) = text
            .split_once("mean precision")
            .unwrap_or_else(|| panic!("{text}"));
        table.split("results in").next().map(str::to_owned)
    };
    assert_eq!(table(&stdout), table(&first));
    assert!(
        stderr.contains("nothing is drawn in ") && stderr.contains("--report-to"),
        "{stderr}"
    );
    let (code, _, stderr) = run(&["--report"]); // what was asked for cannot be done
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("nothing is drawn in "), "{stderr}");
    let reports = elsewhere.path().join("reports");
    let (code, _, stderr) = run(&["--report", "--report-to", reports.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(reports.join("table.csv").exists() && reports.join("report.html").exists());
    for path in all(out.path()) {
        permit(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
}

/// An argument that is no UTF-8, such as a folder's name in Latin-1.
#[cfg(target_os = "linux")]
#[test]
fn arguments_that_are_no_text_are_taken() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join(OsStr::from_bytes(b"M\xfcller"));
    let (code, _, stderr) = text(toy(&out, "0,1", &[]).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(out.join("toy_command/plan.json").exists());
}
