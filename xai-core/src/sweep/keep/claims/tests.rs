use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::claim::{Attempt, Claim, Held, Pulse};
use super::holder::{Holder, create};
use super::watch::{LOOKS, beat};
use crate::process::Owner;

/// The claim of a process on a machine of which nothing is known here.
fn foreign(number: u32) -> Holder {
    Holder {
        claim: format!("far-0000-{number}-1.0"),
        host: "far".to_owned(),
        job: None,
        ..Holder::new()
    }
}

fn made(path: &Path) -> Option<Claim> {
    match Claim::attempt(path).unwrap() {
        Attempt::Made(claim) => Some(claim),
        Attempt::Held { .. } => None,
    }
}

/// Attempts until it succeeds. A beat takes 5 ms here.
fn await_claim(path: &Path) -> Claim {
    let start = Instant::now();
    loop {
        if let Some(claim) = made(path) {
            return claim;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "never");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims/cell");
    let claim = made(&path).unwrap();
    assert!(made(&path).is_none());
    // Its owner is this process, and changes the number.
    let start = Instant::now();
    let first = fs::read_to_string(&path).unwrap();
    while fs::read_to_string(&path).unwrap() == first {
        assert!(start.elapsed() < Duration::from_secs(60), "no beat");
    }
    assert!(matches!(
        Claim::attempt(&path).unwrap(),
        Attempt::Held { alive: true }
    ));
    drop(claim);
    assert!(files(&folder.path().join("claims")).is_empty());
    drop(made(&path).unwrap());
}

/// Takes over the claim of a machine that has gone, whatever its clock said.
#[test]
fn a_claim_without_a_heartbeat_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell");
    for since in [0, u64::MAX / 2] {
        let dead = Holder {
            since,
            ..foreign(7)
        };
        create(&path, &dead).unwrap();
        let start = Instant::now();
        let claim = await_claim(&path);
        assert!(start.elapsed() >= beat() * LOOKS, "too early");
        assert!(made(&path).is_none());
        drop(claim);
        assert!(
            files(folder.path()).is_empty(),
            "{:?}",
            files(folder.path())
        );
    }
    // Its owner was killed as it wrote the file.
    File::create(&path).unwrap();
    drop(await_claim(&path));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_claim_with_a_heartbeat_is_respected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell");
    let far = foreign(8);
    let file = create(&path, &far).unwrap();
    let held = Held {
        own: path.clone(),
        before: Vec::new(),
        holder: far,
        pulse: Mutex::new(Pulse {
            file,
            count: 0,
            last: Instant::now(),
        }),
    };
    let start = Instant::now();
    while start.elapsed() < beat() * LOOKS * 3 {
        held.beat();
        assert!(made(&path).is_none());
        std::thread::sleep(beat());
    }
}

#[test]
#[cfg(unix)]
fn a_process_that_ended_here_is_known_to_be_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell");
    let mut child = Command::new("true").spawn().unwrap();
    let this = Owner::unique();
    let pid = format!("-{}-", std::process::id());
    let dead = Holder {
        claim: this.replace(&pid, &format!("-{}-", child.id())),
        ..Holder::new()
    };
    child.wait().unwrap();
    create(&path, &dead).unwrap();
    assert!(made(&path).is_some(), "at the first attempt");
}

/// Many threads, each of which waits on its own, find the claims of dead owners again and again.
#[test]
fn of_several_takers_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cell");
    let (owners, rounds) = (Mutex::new(0), Mutex::new(0));
    for number in 0..20 {
        create(&path, &foreign(number)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _claim = await_claim(&path);
                    let mut count = owners.lock().unwrap();
                    *count += 1;
                    assert_eq!(*count, 1, "two owners");
                    drop(count);
                    std::thread::sleep(Duration::from_micros(200));
                    *owners.lock().unwrap() -= 1;
                    *rounds.lock().unwrap() += 1;
                });
            }
        });
        assert!(
            files(folder.path()).is_empty(),
            "{:?}",
            files(folder.path())
        );
    }
    assert_eq!(*rounds.lock().unwrap(), 20 * 8);
}
