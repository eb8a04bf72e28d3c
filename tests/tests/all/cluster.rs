//! Parts of a frozen plan, as the tasks of a cluster run them, on `src/bin/toy.rs`. `tests/slurm` has a real Slurm.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tests::{finished, results, text, toy};

const TOY: &str = env!("CARGO_BIN_EXE_toy");

fn run(out: &Path, delays: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    text(toy(TOY, out, delays, arguments).output().unwrap())
}

fn folder(out: &tempfile::TempDir) -> PathBuf {
    out.path().join("toy_command")
}

/// Whether a condition holds within a while.
fn soon(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn shards_side_by_side_give_the_bytes_of_a_plain_run() {
    let delays = "2,3,4,5,6,7,8,9,10,11,12";
    let undisturbed = tempfile::tempdir().unwrap();
    assert_eq!(run(undisturbed.path(), delays, &[]).0, Some(0));

    let out = tempfile::tempdir().unwrap();
    let notes = out.path().join("notes");
    let (code, stdout, stderr) = run(out.path(), delays, &["--freeze"]);
    assert_eq!(code, Some(0), "{stderr}");
    let program = stdout.trim().rsplit(' ').next().unwrap();
    assert!(Path::new(program).starts_with(folder(&out)), "{stdout}");
    for phase in ["stages", "fit", "predict", "test"] {
        let shards: Vec<_> = (1..=3)
            .map(|number| {
                let shard = format!("{number}/3");
                let arguments = ["--phase", phase, "--shard", &shard];
                // The program is the one that was frozen.
                let mut command = toy(program, out.path(), delays, &arguments);
                command.env("TOY_NOTES", &notes).env("TOY_STAGE", "20");
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        for shard in shards {
            let (code, _, stderr) = text(shard.wait_with_output().unwrap());
            assert_eq!(code, Some(0), "{phase}: {stderr}");
        }
        if phase == "stages" {
            assert_eq!(finished(&folder(&out)), 0, "stages only");
        }
    }
    let (code, stdout, stderr) = run(out.path(), delays, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.contains("22 of 22 cells fitted, 11 tested"),
        "{stdout}"
    );
    let notes = fs::read_to_string(notes).unwrap();
    let count = |line: &str| notes.lines().filter(|note| *note == line).count();
    assert_eq!(
        (count("stage"), count("fit"), count("test")),
        (6, 22, 11),
        "each stage, cell and test once"
    );
    assert!(results(&folder(&out)) == results(&folder(&undisturbed)));
}

#[test]
fn a_shard_never_makes_a_plan() {
    let out = tempfile::tempdir().unwrap();
    let shard = ["--shard", "1/2"];
    let (code, _, stderr) = run(out.path(), "0,1", &shard);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("plan.json") && stderr.contains("--freeze"),
        "{stderr}"
    );
    assert_eq!(run(out.path(), "0,1", &["--freeze"]).0, Some(0));
    for (delays, arguments) in [
        ("0,2", &["--shard", "2/2"][..]),
        ("0,1,2", &shard),
        ("0,1", &["--shard", "1/2", "--scale", "smoke"]),
    ] {
        let (code, _, stderr) = run(out.path(), delays, arguments);
        assert_eq!(code, Some(1), "{delays} {arguments:?}");
        assert!(
            stderr.contains("is another plan than that of this command"),
            "{stderr}"
        );
    }
    // A later phase does not begin before the earlier one has ended.
    assert_eq!(run(out.path(), "0,1", &shard).0, Some(0));
    let (code, _, stderr) = run(out.path(), "0,1", &["--shard", "1/1", "--phase", "predict"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("2 of 4 cells are missing"), "{stderr}");
    for wrong in ["0/2", "3/2", "one"] {
        assert_eq!(
            run(out.path(), "0,1", &["--shard", wrong]).0,
            Some(2),
            "{wrong}"
        );
    }
    let (code, _, stderr) = run(out.path(), "0,1", &["--shard", "1/2", "--fresh"]);
    assert_eq!(code, Some(1), "{stderr}");
}

#[test]
fn a_list_names_the_cells_of_each_shard() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), "0,1,2", &["--freeze"]).0, Some(0));
    let list = out.path().join("list");
    fs::write(&list, "0..1,5\n2\n").unwrap();
    let path = list.to_str().unwrap();
    let (code, _, stderr) = run(out.path(), "0,1,2", &["--shard", "1/2", "--list", path]);
    assert_eq!(code, Some(0), "{stderr}");
    let fitted: Vec<_> = stderr
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    let mut expected = [
        "fit delay=0 rate=0.5",
        "fit delay=0 rate=0.25",
        "fit delay=2 rate=0.25",
    ]
    .to_vec();
    let mut fitted = fitted;
    expected.sort_unstable();
    fitted.sort_unstable();
    assert_eq!(fitted, expected);
    for wrong in ["0..9", "0..99999999999999999"] {
        fs::write(&list, format!("{wrong}\n2\n")).unwrap();
        let (code, _, stderr) = run(out.path(), "0,1,2", &["--shard", "1/2", "--list", path]);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.contains("line 1 is no list of cells of this plan"),
            "{stderr}"
        );
    }
}

#[test]
fn a_failed_cell_does_not_stop_the_shard_and_status_names_it() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), "13,1,2", &["--freeze"]).0, Some(0));
    let (code, _, stderr) = run(out.path(), "13,1,2", &["--shard", "1/1"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("2 failed"), "{stderr}");
    let (_, stdout, _) = run(out.path(), "13,1,2", &["--status"]);
    assert!(
        stdout.contains("fit       4 of 6 done, 0 running, 2 failed, 0 waiting"),
        "{stdout}"
    );
    assert!(
        stdout.contains("failed    fit delay=13 rate=0.5: thirteen (details in "),
        "{stdout}"
    );

    let failures = out.path().join("failures");
    let again = |delays: &str, arguments: &[&str]| {
        fs::write(&failures, "2").unwrap();
        let mut command = toy(TOY, out.path(), delays, arguments);
        text(command.env("TOY_FAILURES", &failures).output().unwrap())
    };
    assert_eq!(run(out.path(), "3,4", &["--freeze"]).0, Some(0));
    let (code, _, stderr) = again("3,4", &["--shard", "1/1", "--retry", "2"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("; retrying").count(), 2, "{stderr}");
}

#[test]
fn term_and_usr1_stop_a_run_as_an_interrupt_does() {
    for signal in ["-TERM", "-USR1"] {
        let out = tempfile::tempdir().unwrap();
        let mut command = toy(TOY, out.path(), "0,10000", &[]);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(soon(|| finished(&folder(&out)) == 2));
        let kill = || {
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
        };
        // Schedulers may send it more than once. That does not stop it at once.
        kill().unwrap();
        kill().unwrap();
        let (code, _, stderr) = text(child.wait_with_output().unwrap());
        assert_eq!(code, Some(130), "{signal}: {stderr}");
        assert!(
            stderr.contains("stopped; finished cells are kept"),
            "{stderr}"
        );
    }
}

#[test]
fn a_task_uses_the_cores_that_slurm_gave_it() {
    let out = tempfile::tempdir().unwrap();
    let mut command = toy(TOY, out.path(), "300,301", &[]);
    command.env("SLURM_CPUS_PER_TASK", "1");
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = Vec::new();
    while child.try_wait().unwrap().is_none() {
        let (_, stdout, _) = run(out.path(), "300,301", &["--status", "--json"]);
        let event: Json = serde_json::from_str(&stdout).unwrap();
        seen.push(event["status"]["running"].as_array().unwrap().len());
    }
    // By default there would be one per core of the machine.
    assert!(
        seen.contains(&1) && seen.iter().all(|&running| running <= 1),
        "{seen:?}"
    );
}

/// A frozen plan whose first cell is claimed by a process on a machine that has gone.
fn claimed_by_a_lost_machine(out: &tempfile::TempDir) {
    assert_eq!(run(out.path(), "0,1", &["--freeze"]).0, Some(0));
    let plan = fs::read(folder(out).join("plan.json")).unwrap();
    let plan: Json = serde_json::from_slice(&plan).unwrap();
    let key = plan["cells"][0]["key"].as_str().unwrap();
    let holder = serde_json::json!({ "claim": "lost-0123abcd-77-1.0", "host": "lost", "job": "12_3",
        "restarts": 0, "cluster": "far", "since": 0 });
    let claim = folder(out).join(".claims").join(key);
    fs::write(claim, format!("{holder}\n0000000000\n")).unwrap();
}

/// Runs all cells, and returns how long it took. The heartbeat is 100 ms.
fn takes(out: &tempfile::TempDir, environment: &[(&str, &str)]) -> Duration {
    let start = Instant::now();
    let mut command = toy(TOY, out.path(), "0,1", &[]);
    command
        .env("XAI_CLAIM_BEAT_MS", "100")
        .envs(environment.iter().copied());
    let (code, _, stderr) = text(command.output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        fs::read_dir(folder(out).join(".claims")).unwrap().count(),
        0
    );
    start.elapsed()
}

/// Nothing else than the missing heartbeat tells that the owner is dead.
#[test]
fn the_claim_of_a_lost_machine_is_taken_over() {
    let out = tempfile::tempdir().unwrap();
    claimed_by_a_lost_machine(&out);
    let (_, stdout, _) = run(out.path(), "0,1", &["--status"]);
    assert!(
        stdout.contains("running   fit delay=0 rate=0.5 (on lost, job 12_3)"),
        "{stdout}"
    );
    let took = takes(&out, &[]);
    assert!(
        took > Duration::from_millis(12 * 100),
        "{took:?}: it waited for a heartbeat"
    );
}

/// The task was requeued: the owner was this very task. A waiting time would be paid for.
#[test]
fn the_claim_of_an_earlier_life_is_taken_over_at_once() {
    let out = tempfile::tempdir().unwrap();
    claimed_by_a_lost_machine(&out);
    let slow = [
        ("XAI_CLAIM_BEAT_MS", "1000000"),
        ("SLURM_CLUSTER_NAME", "far"),
        ("SLURM_ARRAY_JOB_ID", "12"),
        ("SLURM_ARRAY_TASK_ID", "3"),
        ("SLURM_RESTART_COUNT", "1"),
    ];
    let took = takes(&out, &slow);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// `squeue` answers as Slurm 22.05 does for a job that it no longer knows.
#[test]
fn the_claim_of_a_job_that_has_ended_is_taken_over_early() {
    use std::os::unix::fs::PermissionsExt;
    let out = tempfile::tempdir().unwrap();
    claimed_by_a_lost_machine(&out);
    let programs = out.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let squeue = programs.join("squeue");
    let script = "#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/asked\"\n\
                  echo 'slurm_load_jobs error: Invalid job id specified' >&2\nexit 1\n";
    fs::write(&squeue, script).unwrap();
    fs::set_permissions(&squeue, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    // A beat of two seconds: without Slurm's answer it would take 24.
    let environment = [
        ("PATH", path.as_str()),
        ("SLURM_CLUSTER_NAME", "far"),
        ("XAI_CLAIM_BEAT_MS", "2000"),
    ];
    let took = takes(&out, &environment);
    assert!(took < Duration::from_secs(20), "{took:?}");
    let asked = fs::read_to_string(programs.join("asked")).unwrap();
    assert_eq!(asked, "--noheader --format=%T --jobs 12_3\n", "once");
}

/// As on a disk on which nothing excludes: claims are deleted all the time. Work is done twice, nothing fails, and
/// the results are the same.
#[test]
fn without_claims_work_is_done_twice_and_nothing_is_lost() {
    let delays = "2,3,4,5,6,7,8,9,10,11,12";
    let undisturbed = tempfile::tempdir().unwrap();
    assert_eq!(run(undisturbed.path(), delays, &[]).0, Some(0));
    let out = tempfile::tempdir().unwrap();
    let notes = out.path().join("notes");
    let mut processes: Vec<_> = (0..3)
        .map(|_| {
            let mut command = toy(TOY, out.path(), delays, &["--jobs", "2"]);
            command.env("TOY_NOTES", &notes).env("TOY_STAGE", "30");
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let claims = folder(&out).join(".claims");
    let stages = out.path().join(".stages");
    while processes
        .iter_mut()
        .any(|process| process.try_wait().unwrap().is_none())
    {
        for place in [&claims, &stages] {
            for entry in fs::read_dir(place).into_iter().flatten().flatten() {
                let path = entry.path();
                if place == &claims || path.extension().is_some_and(|ending| ending == "claim") {
                    let _ = fs::remove_file(path);
                }
            }
        }
    }
    for process in processes {
        let (code, _, stderr) = text(process.wait_with_output().unwrap());
        assert_eq!(code, Some(0), "{stderr}");
        assert!(!stderr.contains("failed"), "{stderr}");
    }
    let notes = fs::read_to_string(notes).unwrap();
    let fits = notes.lines().filter(|note| *note == "fit").count();
    assert!(fits > 22, "nothing was done twice, so nothing was tested");
    assert!(results(&folder(&out)) == results(&folder(&undisturbed)));
}

#[test]
fn scripts_for_slurm_are_readable_and_whole() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), "0,1", &["--where", "rate=0.5"]).0, Some(0));
    let arguments = [
        "--submit",
        "partition=gpu,time=4:00:00",
        "--dry-run",
        "--at-once",
        "3",
        "--retry",
        "2",
        "--report",
    ];
    let (code, stdout, stderr) = run(out.path(), "0,1", &arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("fit       2 cells in 1 task"),
        "what is done is not submitted: {stdout}"
    );
    let slurm = folder(&out).join("slurm/1");
    let script = |name: &str| fs::read_to_string(slurm.join(name)).unwrap();
    let fit = script("fit.sh");
    for line in [
        "#SBATCH --array=1-1%3",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=4:00:00",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --requeue",
    ] {
        assert!(fit.lines().any(|found| found == line), "{line}:\n{fit}");
    }
    assert!(
        fit.contains(" --retry 2 --out ") && !fit.contains("--submit "),
        "{fit}"
    );
    assert!(script("tables.sh").trim_end().ends_with("--report"));
    assert_eq!(script("fit.list"), "1,3\n");
    // Its stages are ready if another cell of the same start is fitted.
    assert!(!slurm.join("stages.sh").exists());
    for name in ["fit.sh", "predict.sh", "test.sh", "tables.sh", "submit.sh"] {
        let checked = Command::new("bash")
            .arg("-n")
            .arg(slurm.join(name))
            .output()
            .unwrap();
        assert!(checked.status.success(), "{name}: {checked:?}");
    }
    for (wrong, expected) in [
        ("gpu", "not of the form KEY=VALUE"),
        ("array=1-3", "`array` is set by --submit"),
    ] {
        let (code, _, stderr) = run(out.path(), "0,1", &["--submit", wrong, "--dry-run"]);
        assert_eq!(code, Some(1));
        assert!(stderr.contains(expected), "{stderr}");
    }
    let mut command = toy(TOY, out.path(), "0,1", &["--submit"]);
    let (code, _, stderr) = text(command.env("PATH", "/nowhere").output().unwrap());
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("`sbatch` cannot be started") && stderr.contains("--dry-run"),
        "{stderr}"
    );
}

/// A `squeue` that knows one job, in a folder for `PATH`.
fn squeue(folder: &Path, says: &str) -> std::ffi::OsString {
    program(folder, "squeue", &format!("echo '{says}'"))
}

/// What `squeue` says of a job array.
const TASKS_WAIT: &str = "1 PENDING\n2 PENDING\n3 PENDING\n4 PENDING";

/// A script that stands for a program of Slurm, in a folder for `PATH`.
fn program(folder: &Path, name: &str, script: &str) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = [folder.to_owned()]
        .into_iter()
        .chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap()
}

/// Neither computes anything, so that neither may end what a run has begun or finished.
#[test]
fn a_dry_run_and_a_frozen_plan_keep_what_is_there() {
    let (out, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(run(out.path(), "0,1", &[]).0, Some(0));
    let plan = || fs::read_to_string(folder(&out).join("plan.json")).unwrap();
    let finished = plan();
    assert!(finished.contains("\"finished\": true"), "{finished}");
    let lays_out = [&["--submit", "--dry-run"][..], &["--freeze"]];
    for arguments in lays_out {
        assert_eq!(run(out.path(), "0,1", arguments).0, Some(0));
        assert_eq!(plan(), finished, "{arguments:?}");
    }
    // A job of this plan waits, and a command lays another plan out.
    let submission = folder(&out).join("slurm/1");
    let job = r#"[{ "phase": "tables", "job": 4711, "list": null }]"#;
    fs::write(submission.join("jobs.json"), job).unwrap();
    for arguments in lays_out {
        let with = |says: &str| {
            let mut command = toy(TOY, out.path(), "0,1,2", arguments);
            command.env("PATH", squeue(programs.path(), says));
            text(command.output().unwrap())
        };
        let (code, _, stderr) = with("N/A PENDING");
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(
            stderr.contains("job 4711 of another plan, or with"),
            "{stderr}"
        );
        assert_eq!(plan(), finished, "{arguments:?}");
        assert_eq!(run(out.path(), "0,1", arguments).0, Some(0));
        let (code, _, stderr) = with("N/A COMPLETED");
        assert_eq!(code, Some(0), "{stderr}");
        assert!(plan().contains("\"finished\": false"), "{}", plan());
        fs::write(folder(&out).join("plan.json"), &finished).unwrap();
    }
}

/// The jobs that wait would compute the old scores.
#[test]
fn jobs_that_score_otherwise_refuse_a_submission() {
    let (out, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    program(programs.path(), "sbatch", "echo 4711");
    let path = squeue(programs.path(), TASKS_WAIT);
    let submit = |arguments: &[&str]| {
        let mut command = toy(TOY, out.path(), "0,1", arguments);
        text(command.env("PATH", &path).output().unwrap())
    };
    let (code, stdout, stderr) = submit(&["--submit"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("tables    job 4711"), "{stdout}");
    let (_, stdout, _) = submit(&["--submit"]);
    assert!(stdout.contains("waits or runs already"), "{stdout}");
    let record = folder(&out).join("slurm/1/jobs.json");
    let mut jobs: Json = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    for job in jobs.as_array_mut().unwrap() {
        job["scored"] = "other settings".into();
    }
    fs::write(&record, jobs.to_string()).unwrap();
    for arguments in [&["--submit"][..], &["--submit", "--dry-run"], &["--freeze"]] {
        let (code, _, stderr) = submit(arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(
            stderr.contains("with other settings of the scores, waits"),
            "{stderr}"
        );
    }
}

/// Whoever submits may be killed at any moment, and the jobs must be known all the same.
#[test]
fn each_job_is_recorded_at_once() {
    let (out, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let record = folder(&out).join("slurm/1/jobs.json");
    let submit = |sbatch: &str| {
        program(
            programs.path(),
            "scancel",
            "echo $@ > $(dirname $0)/cancelled",
        );
        let path = program(programs.path(), "sbatch", sbatch);
        let mut command = toy(TOY, out.path(), "0,1", &["--submit"]);
        text(command.env("PATH", path).output().unwrap())
    };
    let at = record.display();
    // Only the first job is unknown when it is submitted.
    let (code, _, stderr) = submit(&format!("ls {at} >> $(dirname $0)/known; echo 4711"));
    assert_eq!(code, Some(0), "{stderr}");
    let known = fs::read_to_string(programs.path().join("known")).unwrap();
    assert_eq!(known.lines().count(), 4, "{known}");
    // A job that cannot be recorded is cancelled.
    fs::remove_dir_all(folder(&out).join("slurm")).unwrap();
    let (code, _, stderr) = submit(&format!("mkdir {at}; echo 4711"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("jobs.json"), "{stderr}");
    let cancelled = fs::read_to_string(programs.path().join("cancelled")).unwrap();
    assert_eq!(cancelled, "4711\n");
}

#[test]
fn of_two_submissions_at_once_one_submits() {
    let (out, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    squeue(programs.path(), TASKS_WAIT);
    let sbatch = "sleep 0.3; echo >> $(dirname $0)/submitted; echo 4711";
    let path = program(programs.path(), "sbatch", sbatch);
    let mut submissions = [0; 2].map(|_| {
        let mut command = toy(TOY, out.path(), "0,1", &["--submit"]);
        command.env("PATH", &path).env("XAI_CLAIM_BEAT_MS", "100");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Some(command.spawn().unwrap())
    });
    let answers = submissions
        .each_mut()
        .map(|one| text(one.take().unwrap().wait_with_output().unwrap()));
    let idle = |(code, stdout, stderr): &(_, String, String)| {
        assert_eq!(*code, Some(0), "{stderr}");
        stdout.contains("waits or runs already")
    };
    assert_eq!(
        answers.iter().filter(|one| idle(one)).count(),
        1,
        "{answers:?}"
    );
    let submitted = fs::read_to_string(programs.path().join("submitted")).unwrap();
    assert_eq!(
        submitted.lines().count(),
        5,
        "one per phase, and the tables"
    );
}

/// Tasks score the winners again, so that until they have ended some winners have other scores than the run had.
#[test]
fn a_plan_whose_winners_are_scored_otherwise_is_not_finished() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), "0,1", &[]).0, Some(0));
    let plan = folder(&out).join("plan.json");
    let finished = || {
        fs::read_to_string(&plan)
            .unwrap()
            .contains("\"finished\": true")
    };
    assert_eq!(run(out.path(), "0,1", &["--freeze"]).0, Some(0));
    assert!(finished());
    // As if the run had explained at most two images.
    for cell in fs::read_dir(folder(&out).join("cells")).unwrap() {
        let path = cell.unwrap().path().join("manifest.json");
        let mut manifest: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        if manifest["scored"].is_object() {
            manifest["scored"]["explained"] = 2.into();
            fs::write(&path, manifest.to_string()).unwrap();
        }
    }
    assert_eq!(run(out.path(), "0,1", &["--freeze"]).0, Some(0));
    assert!(!finished());
}

/// A plain run would replace the plan of tasks that wait, which would then fail.
#[test]
fn a_run_of_another_plan_waits_for_the_jobs() {
    let (out, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    program(programs.path(), "sbatch", "echo 4711");
    let with = |says: &str, delays: &str, arguments: &[&str]| {
        let mut command = toy(TOY, out.path(), delays, arguments);
        command.env("PATH", squeue(programs.path(), says));
        text(command.output().unwrap())
    };
    let waits = "1 PENDING";
    let (code, _, stderr) = with(waits, "0,1", &["--submit"]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = with(waits, "0,1,2", &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("job 4711 of another plan"), "{stderr}");
    // Those of the same plan share the work with the tasks.
    let (code, _, stderr) = with(waits, "0,1", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = with("1 COMPLETED", "0,1,2", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    // Where Slurm cannot be asked.
    let mut command = toy(TOY, out.path(), "0,1,2,3", &[]);
    let (code, _, stderr) = text(command.env("PATH", "/nowhere").output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
}

/// A new winner may change the images on which all agree, and then all are tested again.
#[test]
fn the_tasks_of_the_tests_have_room_for_all_winners() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(run(out.path(), "0,1", &[]).0, Some(0));
    let (code, stdout, stderr) = run(out.path(), "0,1,2", &["--submit", "--dry-run"]);
    assert_eq!(code, Some(0), "{stderr}");
    for line in [
        "predict   3 winners in 1 task",
        "test      3 winners in 1 task",
    ] {
        assert!(stdout.contains(line), "{stdout}");
    }
    let test = fs::read_to_string(folder(&out).join("slurm/1/test.sh")).unwrap();
    assert!(test.contains("-lt 8 ]"), "{test}");
}

#[test]
fn rows_of_whole_numbers_are_ranges() {
    let out = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(out.path(), "0,1", &["--plan", "--set", "delay=0..999,2000"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("2002 cells instead of 4"), "{stdout}");
    assert!(stdout.contains("axis  delay  0..999, 2000"), "{stdout}");
    assert!(stdout.contains("partial/delay=0..999,2000\n"), "{stdout}");
    let (code, stdout, stderr) = run(
        out.path(),
        "0,1,2,3,4",
        &["--plan", "--where", "delay=1..2"],
    );
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("partial/delay=1,2\n"), "{stdout}");
    let (code, _, stderr) = run(out.path(), "0,1", &["--plan", "--where", "delay=1..3"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("`delay` cannot be `2`"), "{stderr}");
}
