//! A run survives being killed, other processes in the same folder, and a full disk. Tested with `src/bin/toy.rs` and,
//! where stated, with `fig4_best`.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::{finished, results, text, toy};
use xai_core::random::stream;

const TOY: &str = env!("CARGO_BIN_EXE_toy");

/// A seeded number from 0 to 1 for each of `count` moments.
fn moments(count: usize) -> Vec<f64> {
    use rand::Rng;
    let mut stream = stream(5, "moments");
    (0..count).map(|_| stream.random()).collect()
}

/// Starts a command and kills it after a while (`kill -9`); whether it was still running.
fn kill_after(mut command: Command, wait: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

#[test]
fn a_run_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let command = |out: &Path| {
        let mut command = toy(TOY, out, "2,7,12", &[]);
        command.env("TOY_STAGE", "20").env("TOY_BYTES", "200000");
        command
    };
    let undisturbed = tempfile::tempdir().unwrap();
    let start = Instant::now();
    assert!(
        command(undisturbed.path())
            .output()
            .unwrap()
            .status
            .success()
    );
    let takes = start.elapsed();
    let expected = results(&undisturbed.path().join("toy_command"));
    assert_eq!(
        expected.len(),
        3 + 6 + 3 * 3,
        "models, and the rest of the three winners"
    );

    let (mut killed, mut halfway) = (0, 0);
    for (done, moment) in moments(60).into_iter().enumerate() {
        // On a busy machine, all of the first twenty may fall before or after the fits.
        if done >= 20 && halfway > 0 {
            break;
        }
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("toy_command");
        killed += usize::from(kill_after(command(out.path()), takes.mul_f64(moment)));
        halfway += usize::from((1..6).contains(&finished(&folder)));
        let (code, _, stderr) = text(command(out.path()).output().unwrap());
        assert_eq!(code, Some(0), "after {moment} of a run: {stderr}");
        assert!(!stderr.contains("damaged"), "{stderr}");
        assert!(results(&folder) == expected, "after {moment} of a run");
    }
    // Otherwise nothing was tested.
    assert!(
        killed >= 10 && halfway >= 1,
        "{killed} killed, {halfway} halfway"
    );
}

/// The same with networks, for about a minute: `cargo test --release --workspace -- --ignored`.
#[test]
#[ignore = "takes about a minute"]
fn fig4_best_killed_twenty_times_ends_as_if_it_had_not_been() {
    let target = Path::new(TOY).parent().unwrap();
    let command = |out: &Path| {
        let mut command = Command::new(target.join("examples/fig4_best"));
        command.args(["--scale", "smoke", "--out"]).arg(out);
        command
    };
    let undisturbed = tempfile::tempdir().unwrap();
    let start = Instant::now();
    assert!(
        command(undisturbed.path())
            .output()
            .unwrap()
            .status
            .success()
    );
    let takes = start.elapsed();
    let out = tempfile::tempdir().unwrap();
    let killed = moments(20)
        .into_iter()
        // One run after the other in one folder, each killed within the first half of its way.
        .filter(|moment| kill_after(command(out.path()), takes.mul_f64(moment / 2.0)))
        .count();
    assert!(killed >= 10, "{killed} killed");
    let (code, _, stderr) = text(command(out.path()).output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    let folder = |out: &tempfile::TempDir| out.path().join("fig4_best");
    assert!(results(&folder(&out)) == results(&folder(&undisturbed)));
}

/// The analysis reads the files of the winners again.
#[test]
fn scores_that_change_while_a_run_analyses_them_are_an_error() {
    let out = tempfile::tempdir().unwrap();
    let notes = out.path().join("notes");
    let mut command = toy(TOY, out.path(), "0", &[]);
    command
        .env("TOY_NOTES", &notes)
        .env("TOY_ANALYSIS", "3000")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let run = command.spawn().unwrap();
    let analyses = || fs::read_to_string(&notes).is_ok_and(|text| text.contains("analysis"));
    while !analyses() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let folder = out.path().join("toy_command");
    for cell in fs::read_dir(folder.join("cells")).unwrap() {
        let scores = cell.unwrap().path().join("scores.parquet");
        if scores.exists() {
            fs::write(scores, "of another process").unwrap();
        }
    }
    let (code, _, stderr) = text(run.wait_with_output().unwrap());
    assert_eq!(code, Some(1), "{stderr}");
    let said = "toy_command: another process tests the same cells with other settings";
    assert!(stderr.contains(said), "{stderr}");
    assert!(!folder.join("table.csv").exists());
}

/// A stage of each kind, in which one bit of each file is another one.
#[test]
fn a_damaged_stage_is_computed_again() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("first_experiment");
    let run = || {
        let mut command = tests::example("first_experiment");
        // With so little memory, outputs of frozen layers go to files.
        command.args(["--scale", "smoke", "--memory", "1MiB"]);
        command.args(["--where", "depth=1conv", "rate=0.003"]);
        let output = command.arg("--out").arg(out.path()).output();
        let (code, _, stderr) = text(output.unwrap());
        assert_eq!(code, Some(0), "{stderr}");
        results(&folder.join("partial/depth=1conv+rate=0.003"))
    };
    let expected = run();
    let mut damaged = BTreeSet::new();
    for stage in fs::read_dir(out.path().join(".stages")).unwrap() {
        let stage = stage.unwrap().path();
        let Ok(record) = fs::read(stage.join("stage.json")) else {
            continue; // claims, and folders that are being filled
        };
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        for file in record["bytes"].as_object().unwrap().keys() {
            let path = stage.join(file);
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            damaged.insert(format!("{} {file}", record["stage"].as_str().unwrap()));
        }
    }
    let all = [
        "frozen train.f32",
        "frozen validation.f32",
        "images images.safetensors",
        "pretraining-shapes history.json",
        "pretraining-shapes network.safetensors",
        "references maps.safetensors",
        "references names.json",
        "training network.safetensors",
        "training training.json",
    ];
    assert_eq!(Vec::from_iter(&damaged), all);
    // All that is asked for again.
    fs::remove_dir_all(folder.join("cells")).unwrap();
    assert!(run() == expected);
}

#[test]
fn processes_in_one_folder_share_the_work() {
    let delays = "2,3,4,5,6,7,8,9,10,11,12,13"; // 13 fails: leave it out
    let delays = delays.trim_end_matches(",13");
    let undisturbed = tempfile::tempdir().unwrap();
    toy(TOY, undisturbed.path(), delays, &[]).output().unwrap();

    let out = tempfile::tempdir().unwrap();
    let notes = out.path().join("notes");
    let processes: Vec<_> = (0..3)
        .map(|_| {
            let mut command = toy(TOY, out.path(), delays, &[]);
            command.env("TOY_NOTES", &notes).env("TOY_STAGE", "50");
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let mut helped = 0;
    for process in processes {
        let (code, stdout, stderr) = text(process.wait_with_output().unwrap());
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains("toy_command: mean precision"), "{stdout}");
        helped += usize::from(stderr.contains("by another process"));
    }
    assert!(helped >= 2, "they did not meet");
    let notes = fs::read_to_string(notes).unwrap();
    let count = |line: &str| notes.lines().filter(|note| *note == line).count();
    assert_eq!(
        (count("stage"), count("fit"), count("test")),
        (6, 22, 11),
        "each stage, cell and test once"
    );
    let folder = |out: &tempfile::TempDir| out.path().join("toy_command");
    assert!(results(&folder(&out)) == results(&folder(&undisturbed)));
}

/// What a full disk leaves, and what the next run makes of it when there is room: (stderr of the
/// first run, finished cells, whether the second computed only the others).
fn full_disk(script: &str, out: &Path) {
    let notes = out.join("notes");
    let on_disk = out.join("disk");
    fs::create_dir(&on_disk).unwrap();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh", TOY])
            .arg(&on_disk)
            .arg(out.join("finished"))
            .env("TOY_DELAYS", "0,1,2,3,4")
            .env("TOY_BYTES", "30000")
            .env("TOY_NOTES", &notes);
        text(command.output().unwrap())
    };
    let (code, stdout, stderr) = shell(script);
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains("error"))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(
        errors[0].ends_with("finished work is kept: make room and run the same command again"),
        "{stderr}"
    );
    assert!(!stderr.contains("failed:"), "{stderr}");
    let kept = fs::read_to_string(out.join("finished")).unwrap();
    let kept: usize = kept.trim().parse().unwrap();
    let fits = fs::read_to_string(&notes).unwrap();
    let fits = fits.lines().filter(|note| *note == "fit").count();
    assert_eq!(fits, 10 + 1, "the one that found no room is fitted twice");
    assert!(kept < 10, "{kept} of 10 finished before the disk was full");
}

#[test]
fn a_full_disk_is_one_error_and_costs_nothing_that_is_finished() {
    let works = Command::new("unshare").args(["-rm", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: this machine allows no disk of one's own (unshare -rm); see the next test"
        );
        return;
    }
    let out = tempfile::tempdir().unwrap();
    // $1 is the program, $2 a folder, $3 a file for the number of finished cells.
    let script = r#"exec unshare -rm sh -c '
        mount -t tmpfs -o size=260k none "$2" &&
        ! "$1" --quiet --jobs 1 --out "$2" &&
        ls "$2"/toy_command/cells/*/manifest.json | wc -l > "$3" &&
        mount -o remount,size=4m "$2" &&
        "$1" --quiet --jobs 1 --out "$2"' sh "$1" "$2" "$3""#;
    full_disk(script, out.path());
    let kept = fs::read_to_string(out.path().join("finished")).unwrap();
    assert_ne!(kept.trim(), "0");
}

#[test]
fn a_limit_on_files_is_one_error_too() {
    let out = tempfile::tempdir().unwrap();
    // The limit is in blocks of 512 or 1024 bytes, less than a model.
    let script = r#"
        (trap '' XFSZ; ulimit -f 20; ! "$1" --quiet --jobs 1 --out "$2") &&
        (ls "$2"/toy_command/cells/*/manifest.json 2>/dev/null || true) | wc -l > "$3" &&
        "$1" --quiet --jobs 1 --out "$2""#;
    full_disk(script, out.path());
}
