//! The run of a sweep, on an experiment without a network: what is computed, when, and what is stored.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use tests::Points;
use xai_core::device::Device;
use xai_core::key::Key;
use xai_core::prelude::*;
use xai_core::results_in;
use xai_core::sweep::declare::Experiment;
use xai_core::sweep::execute::{Outcome, sweep};
use xai_core::sweep::inspect::why;
use xai_core::sweep::keep as store;
use xai_core::sweep::keep::read_scores;
use xai_core::sweep::plan::{Choice, Plan, Restriction};
use xai_core::sweep::planned::SweepOptions;
use xai_core::sweep::read::Axis;

#[derive(Clone, Copy, Debug, PartialEq, Level)]
enum Corpus {
    #[level(title = "MR slices")]
    Mri,
    #[level("drawn shapes")]
    Shapes,
}

#[derive(Clone, Copy, Debug, PartialEq, Level)]
enum Depth {
    #[level("1conv")]
    One,
    All,
}

/// The rates depend on the depth: two for one, three for the other.
fn rates(depth: Depth) -> Vec<f64> {
    match depth {
        Depth::One => vec![0.1, 0.2],
        Depth::All => vec![0.1, 0.2, LAST_RATE.get()],
    }
}

/// A toy: every number in it is known beforehand.
#[experiment(
    select(max = |v| v.accuracy),
    skip("shapes are too shallow", |corpus, depth| corpus == Corpus::Shapes && depth == Depth::All)
)]
struct ToySweep {
    #[axis]
    corpus: Corpus,
    #[axis]
    depth: Depth,
    #[tune(|depth| rates(depth))]
    rate: f64,
    #[seed(|scale| scale.pick(0..2, 0..3, 0..4))]
    seed: u64,
}

// A sweep runs in the thread that asks for it, so that tests do not see each other's counts.
thread_local! {
    static FITS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static TESTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static BASELINES: Cell<u32> = const { Cell::new(0) };
    static STAGES: Cell<u32> = const { Cell::new(0) };
    static LAST_RATE: Cell<f64> = const { Cell::new(0.3) };
    static FAILING: Cell<Option<f64>> = const { Cell::new(None) };
    static PANICKING: Cell<bool> = const { Cell::new(false) };
    static MOST: Cell<usize> = const { Cell::new(3) };
}

type Six = Points<6, 2>;

const CLASSES: [u8; 6] = [0, 1, 0, 1, 0, 1];

/// Two numbers; classifies images 0 to 3 correctly, image 4 at the rate 0.2 only, image 5 with the seed 0 only.
#[derive(Debug, PartialEq)]
pub struct Numbers(f64, u64);

impl Model for Numbers {
    fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, format!("{} {}", self.0, self.1)).map_err(|error| Error::file(path, error))
    }

    fn load(path: &Path, _: &Device) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let (rate, seed) = text
            .split_once(' ')
            .ok_or_else(|| Error::file(path, "not two numbers"))?;
        Ok(Self(
            rate.parse().map_err(Error::invalid)?,
            seed.parse().map_err(Error::invalid)?,
        ))
    }

    fn predict(&self, _: &Examples) -> Result<Vec<Vec<f64>>> {
        let mut predicted = CLASSES.to_vec();
        predicted[4] ^= u8::from(self.0 != 0.2);
        predicted[5] ^= u8::from(self.1 != 0);
        let certain = |class| match class {
            0 => vec![1.0, 0.0],
            _ => vec![0.0, 1.0],
        };
        Ok(predicted.into_iter().map(certain).collect())
    }
}

/// A toy that nothing was trained for.
fn fitted<M>(model: M) -> Fitted<M> {
    Fitted {
        model,
        validation: Validation::default(),
        history: Vec::new(),
    }
}

impl ToySweep {
    fn title(&self) -> String {
        format!(
            "{} {} {} {}",
            self.corpus.name(),
            self.depth.name(),
            self.rate,
            self.seed
        )
    }
}

impl Run for ToySweep {
    type Benchmark = Six;
    type Model = Numbers;

    fn fit(&self, lab: &Lab<Six>) -> Result<Fitted<Numbers>> {
        assert!(
            lab.test().classified_correctly_by_all().is_err(),
            "before the barrier nobody knows the images"
        );
        lab.stage("pretrained", &self.corpus.name(), |folder| {
            STAGES.set(STAGES.get() + 1);
            fs::write(folder.join("weights"), self.corpus.name())
                .map_err(|error| Error::file(folder, error))
        })?;
        if FAILING.get() == Some(self.rate) {
            assert!(!PANICKING.get(), "the toy panics");
            return Err(Error::invalid("the toy fails"));
        }
        FITS.with_borrow_mut(|fits| fits.push(self.title()));
        // Seed 0 alone would choose the rate 0.1 at depth `1conv`; the mean over seeds chooses 0.2.
        let accuracy = match (self.depth, self.rate, self.seed) {
            (Depth::One, 0.1, 0) => 0.95,
            (Depth::One, 0.1, _) => 0.5,
            (_, rate, _) => 0.6 + rate,
        };
        let validation = Validation {
            accuracy,
            loss: f64::NAN,
            ..Validation::default()
        };
        Ok(Fitted {
            model: Numbers(self.rate, self.seed),
            validation,
            history: vec![Epoch {
                accuracy: 1.0,
                loss: 1.5,
                validation,
            }],
        })
    }

    fn test(&self, fitted: &Fitted<Numbers>, lab: &Lab<Six>) -> Result<Scores> {
        TESTS.with_borrow_mut(|tests| tests.push(self.title()));
        assert_eq!(fitted.model, Numbers(self.rate, self.seed));
        assert_eq!(fitted.history[0].loss, 1.5);
        scores(lab, "toy_method", |image| self.rate * f64::from(image))
    }

    fn references(lab: &Lab<Six>) -> Result<Vec<Reference>> {
        BASELINES.set(BASELINES.get() + 1);
        Ok(vec![Reference {
            name: "Toy filter".to_owned(),
            scores: scores(lab, "toy_filter", f64::from)?,
        }])
    }
}

fn scores(lab: &Lab<Six>, method: &str, value: impl Fn(u32) -> f64) -> Result<Scores> {
    let images = lab.test().classified_correctly_by_all()?.index;
    Ok(scores_of(&images, method, value))
}

/// One row per image.
fn scores_of(images: &[u32], method: &str, value: impl Fn(u32) -> f64) -> Scores {
    let score = |&image: &u32| Score {
        image,
        class: CLASSES[image as usize],
        method: method.to_owned(),
        metric: "precision".to_owned(),
        value: value(image),
    };
    images.iter().map(score).collect()
}

fn options(out: &Path) -> SweepOptions {
    SweepOptions {
        scale: Scale::Smoke,
        out: out.to_owned(),
        quiet: true,
        ..SweepOptions::default()
    }
}

/// Runs the toy and gives what it computed: (outcome, fits, tests).
fn run(out: &Path) -> (Outcome, Vec<String>, Vec<String>) {
    run_with(&options(out))
}

fn run_with(options: &SweepOptions) -> (Outcome, Vec<String>, Vec<String>) {
    FITS.take();
    TESTS.take();
    let outcome = sweep::<ToySweep>(options, &Points).unwrap();
    (outcome, FITS.take(), TESTS.take())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A cell's folder, by its manifest.
fn cell(out: &Path, title: &str) -> PathBuf {
    let cells = fs::read_dir(out.join("toy_sweep/cells"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| {
        fs::read_to_string(path.join("manifest.json"))
            .unwrap()
            .contains(title)
    };
    let found: Vec<_> = cells.filter(holds).collect();
    assert_eq!(found.len(), 1, "{title}");
    found[0].clone()
}

#[test]
fn the_plan_crosses_dependent_domains_and_says_what_it_skips() {
    let plan = Plan::new(&ToySweep::spec(), Scale::Smoke).unwrap();
    // mri: (2 + 3 rates) x 2 seeds; shapes: 2 x 2, its other 3 x 2 skipped.
    assert_eq!(plan.cells.len(), 14);
    insta::assert_snapshot!(plan.to_string(), @"
    toy_sweep at scale smoke: 14 cells
      axis  corpus  mri, drawn shapes
      axis  depth   1conv, all
      tune  rate    0.1, 0.2, 0.3
      seed  seed    0, 1
      skipped  6 cells at corpus=drawn shapes depth=all: shapes are too shallow
    ");
    assert_eq!(
        Plan::new(&ToySweep::spec(), Scale::Desk)
            .unwrap()
            .cells
            .len(),
        21
    );
    assert_eq!(
        ToySweep::spec().description,
        "A toy: every number in it is known beforehand."
    );
    let first = ToySweep::at(&plan.cells[0]);
    assert_eq!(
        (first.corpus, first.depth, first.rate, first.seed),
        (Corpus::Mri, Depth::One, 0.1, 0)
    );
}

#[test]
fn selection_averages_validation_over_seeds_and_only_winners_are_tested() {
    let out = folder();
    let (outcome, fits, tests) = run(out.path());
    assert_eq!(fits.len(), 14);
    assert_eq!(
        tests,
        [
            "mri 1conv 0.2 0",
            "mri 1conv 0.2 1",
            "mri all 0.3 0",
            "mri all 0.3 1",
            "drawn shapes 1conv 0.2 0",
            "drawn shapes 1conv 0.2 1"
        ]
    );
    assert_eq!(STAGES.get(), 2, "a pre-training a corpus");
    assert_eq!(BASELINES.get(), 1);

    let result = outcome.result.unwrap();
    assert_eq!(
        result.axes[0],
        Axis {
            name: "corpus".to_owned(),
            levels: vec!["mri".to_owned(), "drawn shapes".to_owned()],
            titles: vec!["MR slices".to_owned(), "drawn shapes".to_owned()],
        }
    );
    assert_eq!(result.cells.len(), 6);
    // Image 4 is lost to the rate 0.3 and image 5 to the seed 1: four images are agreed on by all.
    for cell in &result.cells {
        assert_eq!(
            cell.scores
                .iter()
                .map(|score| score.image)
                .collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
    }
    assert_eq!(result.cells[0].test_accuracy, 1.0);
    assert_eq!(result.cells[3].test_accuracy, 4.0 / 6.0);
    assert_eq!(result.cells[0].validation_accuracy, 0.8);
    assert_eq!(result.references[0].scores.len(), 4);

    let plan: serde_json::Value =
        serde_json::from_slice(&fs::read(out.path().join("toy_sweep/plan.json")).unwrap()).unwrap();
    assert_eq!(plan["cells"].as_array().unwrap().len(), 14);
    assert_eq!(plan["cells"][0]["values"]["corpus"], "mri");
}

#[test]
fn a_second_run_computes_nothing_and_gives_the_same() {
    let out = folder();
    let (first, ..) = run(out.path());
    let bytes =
        || fs::read(cell(out.path(), "depth=all rate=0.3 seed=1").join(store::SCORES)).unwrap();
    let before = bytes();
    let (second, fits, tests) = run(out.path());
    assert!(fits.is_empty() && tests.is_empty(), "{fits:?} {tests:?}");
    assert_eq!((STAGES.get(), BASELINES.get()), (2, 1));
    assert_eq!(
        format!("{:?}", first.result),
        format!("{:?}", second.result)
    );

    let (_, fits, tests) = run_with(&SweepOptions {
        fresh: true,
        ..options(out.path())
    });
    assert_eq!(
        (fits.len(), tests.len()),
        (14, 6),
        "--fresh computes all of it again"
    );
    assert_eq!(bytes(), before);
    assert_eq!(
        (STAGES.get(), BASELINES.get()),
        (4, 2),
        "and the stages, each once"
    );
}

#[test]
fn a_failing_cell_costs_itself_only_and_the_next_run_goes_on() {
    for panicking in [false, true] {
        let out = folder();
        FAILING.set(Some(0.3));
        PANICKING.set(panicking);
        let (outcome, fits, tests) = run(out.path());
        assert_eq!(fits.len(), 12);
        assert!(tests.is_empty(), "no selection among some of the cells");
        assert!(outcome.result.is_none());
        let failed: Vec<_> = outcome
            .failures
            .iter()
            .map(|(cell, error)| format!("{cell}: {error}"))
            .collect();
        assert_eq!(failed.len(), 2);
        assert!(
            failed[0].starts_with("fit corpus=mri depth=all rate=0.3 seed=0: "),
            "{}",
            failed[0]
        );
        assert!(
            failed[0].ends_with(if panicking {
                "the toy panics"
            } else {
                "the toy fails"
            }),
            "{}",
            failed[0]
        );

        FAILING.set(None);
        let (outcome, fits, tests) = run(out.path());
        assert_eq!(fits, ["mri all 0.3 0", "mri all 0.3 1"]);
        assert_eq!(tests.len(), 6);
        assert!(outcome.result.is_some());
    }
}

#[test]
fn a_changed_value_computes_its_own_cells_only() {
    let out = folder();
    run(out.path());
    LAST_RATE.set(0.15); // worse than 0.2: it loses, and image 4 is no longer lost
    let (outcome, fits, tests) = run(out.path());
    assert_eq!(fits, ["mri all 0.15 0", "mri all 0.15 1"]);
    // Every winner now agrees on image 4 too, so that all of them are scored anew, on the same images.
    assert_eq!(tests.len(), 6);
    for cell in outcome.result.unwrap().cells {
        assert_eq!(cell.scores.len(), 5);
    }
}

#[test]
fn damaged_files_are_computed_again() {
    let out = folder();
    let (whole, ..) = run(out.path());
    let winner = cell(out.path(), "depth=all rate=0.3 seed=0");
    let cut = |name: &str| {
        let bytes = fs::read(winner.join(name)).unwrap();
        fs::write(winner.join(name), &bytes[..bytes.len() / 2]).unwrap();
    };
    let title = "mri all 0.3 0";
    for (name, refitted) in [
        (store::SCORES, false),
        (store::PREDICTIONS, false),
        (store::MODEL, true),
        ("manifest.json", true),
    ] {
        cut(name);
        let (outcome, fits, tests) = run(out.path());
        assert_eq!(fits, if refitted { vec![title] } else { vec![] }, "{name}");
        assert_eq!(
            tests,
            if name == store::PREDICTIONS {
                vec![]
            } else {
                vec![title]
            },
            "{name}"
        );
        assert_eq!(
            format!("{:?}", outcome.result),
            format!("{:?}", whole.result),
            "{name}"
        );
    }
    fs::remove_file(winner.join(store::SCORES)).unwrap();
    assert_eq!(run(out.path()).2, [title]);
    assert!(read_scores(&winner.join(store::SCORES)).is_ok());
}

#[test]
fn only_the_plan() {
    let out = folder();
    let (outcome, fits, _) = run_with(&SweepOptions {
        plan_only: true,
        ..options(out.path())
    });
    assert!(outcome.result.is_none() && fits.is_empty());
    assert!(
        !out.path().join("toy_sweep").exists(),
        "a plan leaves nothing behind"
    );
}

#[test]
fn scales_do_not_share_cells() {
    let out = folder();
    run(out.path());
    let (_, fits, _) = run_with(&SweepOptions {
        scale: Scale::Desk,
        ..options(out.path())
    });
    assert_eq!(fits.len(), 21);
}

/// The six images. A part of the cells explains fewer.
#[derive(Clone)]
struct Part(bool);

impl Benchmark for Part {
    const NAME: &'static str = "part";
    type Args = NoArgs;

    fn open(_: &NoArgs, _: Scale) -> Result<Self> {
        Ok(Self(false))
    }

    fn identity(&self) -> serde_json::Value {
        self.0.into()
    }

    fn classes(&self) -> Vec<String> {
        let second = if self.0 { "small" } else { "large" };
        ["even", second].map(str::to_owned).to_vec()
    }

    fn split(&self, which: Split, context: &Context) -> Result<Dataset> {
        Points::<6, 2>.split(which, context)
    }

    fn explained(&self) -> usize {
        if self.0 { MOST.get() } else { 6 }
    }
}

#[experiment]
struct ToyParts {
    #[axis([false, true])]
    part: bool,
}

impl Run for ToyParts {
    type Benchmark = Part;
    type Model = Numbers;

    fn benchmark(&self, _: &Part) -> Result<Part> {
        Ok(Part(self.part))
    }

    fn fit(&self, _: &Lab<Part>) -> Result<Fitted<Numbers>> {
        Ok(fitted(Numbers(0.2, 0)))
    }

    fn test(&self, _: &Fitted<Numbers>, lab: &Lab<Part>) -> Result<Scores> {
        let images = lab.test().all()?.index;
        TESTS.with_borrow_mut(|tests| tests.push(format!("{} {}", self.part, images.len())));
        Ok(scores_of(&images, "toy_method", |_| 0.5))
    }
}

#[test]
fn a_cell_whose_own_benchmark_explains_other_images_is_tested_again() {
    let out = folder();
    let tests = || {
        sweep::<ToyParts>(&options(out.path()), &Part(false)).unwrap();
        TESTS.take()
    };
    TESTS.take();
    assert_eq!(tests(), ["false 6", "true 3"]);
    assert!(tests().is_empty());
    MOST.set(2);
    assert_eq!(tests(), ["true 2"]);
    assert!(tests().is_empty());
}

/// The benchmark of the run itself may be that of no cell.
#[test]
fn a_run_has_the_classes_and_the_identity_of_its_cells() {
    let out = folder();
    let run = |only: &[&str]| {
        let restriction = Restriction {
            only: only.iter().map(|one| one.parse().unwrap()).collect(),
            ..Restriction::default()
        };
        let options = SweepOptions {
            restriction,
            ..options(out.path())
        };
        let outcome = sweep::<ToyParts>(&options, &Part(false)).unwrap();
        let plan = fs::read(outcome.folder.join("plan.json")).unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
        let of = &plan["benchmark"];
        let classes = outcome.result.unwrap().classes;
        assert_eq!(of["classes"], serde_json::json!(classes));
        (classes.join(" "), of["identity"].to_string())
    };
    let own = |classes: &str, identity: &str| (classes.to_owned(), identity.to_owned());
    assert_eq!(run(&["part=true"]), own("even small", "true"));
    assert_eq!(run(&["part=false"]), own("even large", "false"));
    assert_eq!(run(&[]), own("even class 1", "[false,true]"));
}

/// The six images. How many of them are explained is no part of a key.
#[derive(Clone)]
struct Explained(usize);

impl Benchmark for Explained {
    const NAME: &'static str = "explained";
    type Args = NoArgs;

    fn open(_: &NoArgs, _: Scale) -> Result<Self> {
        Ok(Self(6))
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn classes(&self) -> Vec<String> {
        Points::<6, 2>.classes()
    }

    fn split(&self, which: Split, context: &Context) -> Result<Dataset> {
        Points::<6, 2>.split(which, context)
    }

    fn explained(&self) -> usize {
        self.0
    }
}

thread_local! {
    /// The folder in which another sweep explains two images, between the tests and the result of the first one.
    static MEANWHILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
    /// The folder whose scores change whenever a cell is tested.
    static DAMAGED: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

#[experiment]
struct ToyShared {
    #[axis([1, 2])]
    number: u64,
}

impl Run for ToyShared {
    type Benchmark = Explained;
    type Model = Numbers;

    fn fit(&self, _: &Lab<Explained>) -> Result<Fitted<Numbers>> {
        Ok(fitted(Numbers(0.2, 0)))
    }

    fn test(&self, _: &Fitted<Numbers>, lab: &Lab<Explained>) -> Result<Scores> {
        let images = lab.test().all()?.index;
        TESTS.with_borrow_mut(|tests| tests.push(format!("{} {}", self.number, images.len())));
        if let Some(out) = DAMAGED.with_borrow(Clone::clone) {
            for cell in fs::read_dir(out.join("toy_shared/cells")).unwrap() {
                let scores = cell.unwrap().path().join(store::SCORES);
                if scores.exists() {
                    fs::write(scores, "of others").unwrap();
                }
            }
        }
        Ok(scores_of(&images, "toy_method", |_| 0.5))
    }

    fn references(_: &Lab<Explained>) -> Result<Vec<Reference>> {
        if let Some(out) = MEANWHILE.take() {
            sweep::<Self>(&options(&out), &Explained(2))?;
        }
        Ok(Vec::new())
    }
}

#[test]
fn scores_of_a_process_with_other_settings_are_not_mixed_in() {
    let out = folder();
    MEANWHILE.set(Some(out.path().to_owned()));
    TESTS.take();
    let outcome = sweep::<ToyShared>(&options(out.path()), &Explained(3)).unwrap();
    assert_eq!(TESTS.take(), ["1 3", "2 3", "1 2", "2 2", "1 3", "2 3"]);
    let cells = outcome.result.unwrap().cells;
    let explained: Vec<_> = cells.iter().map(|cell| cell.scores.len()).collect();
    assert_eq!(explained, [3, 3]);
    let read = results_in::<ToyShared>(out.path().join("toy_shared")).unwrap();
    let explained: Vec<_> = read.winners().map(|(_, it)| it.scores.len()).collect();
    assert_eq!(explained, [3, 3]);
}

#[test]
fn scores_that_change_again_and_again_are_an_error() {
    let out = folder();
    DAMAGED.set(Some(out.path().to_owned()));
    TESTS.take();
    let problem = sweep::<ToyShared>(&options(out.path()), &Explained(3)).unwrap_err();
    let problem = problem.to_string();
    assert!(
        problem.contains("toy_shared: another process tests"),
        "{problem}"
    );
    assert!(problem.ends_with("by --out"), "{problem}");
    let tests = TESTS.take().len();
    assert!((4..40).contains(&tests), "{tests}");
    let plan = fs::read_to_string(out.path().join("toy_shared/plan.json")).unwrap();
    assert!(plan.contains("\"finished\": false"), "{plan}");

    DAMAGED.take();
    assert!(sweep::<ToyShared>(&options(out.path()), &Explained(3)).is_ok());
}

/// Explains all images if the winners agree on none. Two winners are each right about the images of the other class.
#[experiment]
struct ToyRefused {
    #[axis(said())]
    says: u64,
}

thread_local! {
    static SAID: Cell<u64> = const { Cell::new(2) };
}

fn said() -> Vec<u64> {
    (0..SAID.get()).collect()
}

/// Classifies every image as its number.
pub struct Always(u64);

impl Model for Always {
    fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.0.to_string()).map_err(|error| Error::file(path, error))
    }

    fn load(path: &Path, _: &Device) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        Ok(Self(text.parse().map_err(Error::invalid)?))
    }

    fn predict(&self, _: &Examples) -> Result<Vec<Vec<f64>>> {
        let row = [[1.0, 0.0], [0.0, 1.0]][self.0 as usize].to_vec();
        Ok(vec![row; CLASSES.len()])
    }
}

impl Run for ToyRefused {
    type Benchmark = Six;
    type Model = Always;

    fn fit(&self, _: &Lab<Six>) -> Result<Fitted<Always>> {
        Ok(fitted(Always(self.says)))
    }

    fn test(&self, _: &Fitted<Always>, lab: &Lab<Six>) -> Result<Scores> {
        let agreed = lab.test().classified_correctly_by_all();
        let images = agreed.or_else(|_| lab.test().all())?.index;
        TESTS.with_borrow_mut(|tests| tests.push(format!("{} {}", self.says, images.len())));
        Ok(scores_of(&images, "toy_method", |_| 0.5))
    }
}

#[test]
fn a_refusal_that_a_test_handles_is_an_answer() {
    let out = folder();
    let tests = |levels: u64| {
        SAID.set(levels);
        let outcome = sweep::<ToyRefused>(&options(out.path()), &Points).unwrap();
        assert!(outcome.failures.is_empty());
        TESTS.take()
    };
    TESTS.take();
    assert_eq!(tests(2), ["0 6", "1 6"]);
    assert!(tests(2).is_empty(), "refused again");
    // Without the other level, there are images to agree on.
    assert_eq!(tests(1), ["0 3"]);
    assert!(tests(1).is_empty());
    assert_eq!(tests(2), ["0 6"]);
}

/// Otherwise a run that goes on could select another cell than one that computes everything at once.
#[test]
fn numbers_that_are_read_are_those_that_were_written() {
    let bits = |validation: &Validation| validation.accuracy.to_bits();
    for right in 0..=408 {
        let written = Validation {
            accuracy: f64::from(right) / 408.0,
            ..Validation::default()
        };
        let text = serde_json::to_vec(&written).unwrap();
        let read: Validation = serde_json::from_slice(&text).unwrap();
        assert_eq!(bits(&read), bits(&written), "{right} of 408");
    }
}

/// A run gives its cells back as the experiment's own struct, with the numbers that it computed.
#[test]
fn results_come_back_typed() {
    let out = folder();
    let whole = out.path().join("toy_sweep");
    let message = || results_in::<ToySweep>(&whole).err().unwrap().to_string();
    assert!(
        message().contains("run the experiment first"),
        "{}",
        message()
    );
    FAILING.set(Some(0.3));
    run(out.path());
    FAILING.set(None);
    let results = results_in::<ToySweep>(&whole).unwrap();
    assert_eq!((results.cells.len(), results.unfinished.len()), (12, 2));
    assert!(!results.finished && results.winners().count() == 0);
    assert_eq!(results.unfinished[0].rate, 0.3);

    let (outcome, ..) = run(out.path());
    let results = results_in::<ToySweep>(&whole).unwrap();
    assert_eq!((results.cells.len(), results.unfinished.len()), (14, 0));
    let expected = outcome.result.unwrap();
    let winners: Vec<_> = results.winners().collect();
    assert!(results.finished && winners.len() == 6);
    for ((cell, tested), expected) in winners.iter().zip(&expected.cells) {
        assert_eq!(tested.scores, expected.scores);
        assert_eq!(tested.accuracy, expected.test_accuracy);
        assert_eq!(cell.validation.accuracy, expected.validation_accuracy);
        assert_eq!(cell.history[0].loss, 1.5);
    }
    let (cell, tested) = winners[3];
    let toy = &cell.parameters;
    assert_eq!(
        (toy.corpus, toy.depth, toy.rate, toy.seed),
        (Corpus::Mri, Depth::All, 0.3, 1)
    );
    assert_eq!(tested.scores[2].value, 0.3 * 2.0);
    assert_eq!(fs::read_to_string(&cell.model).unwrap(), "0.3 1");
    assert_eq!(results.references[0].scores, expected.references[0].scores);

    // Of a run with other values, too: 17 digits come back as the number that was computed with.
    let rate = 0.1 + 0.2;
    let set = |text: &str| -> Vec<Choice> { vec![text.parse().unwrap()] };
    let part = SweepOptions {
        restriction: Restriction {
            only: set("corpus=mri"),
            set: set(&format!("rate={rate}")),
        },
        ..options(out.path())
    };
    let (outcome, fits, _) = run_with(&part);
    assert_eq!(fits.len(), 4);
    assert_eq!(
        outcome.folder,
        whole.join("partial/corpus=mri+rate=0.30000000000000004")
    );
    let results = results_in::<ToySweep>(&outcome.folder).unwrap();
    assert_eq!(results.winners().count(), 4);
    assert!(
        results
            .cells
            .iter()
            .all(|cell| cell.parameters.rate == rate)
    );
    assert_eq!(results_in::<ToySweep>(&whole).unwrap().winners().count(), 6);

    LAST_RATE.set(0.15);
    assert!(
        message().contains("a run of an earlier design"),
        "{}",
        message()
    );
    LAST_RATE.set(0.3);
    let message = results_in::<Pairs>(&whole).err().unwrap().to_string();
    assert!(
        message.contains("a run of an earlier design of `pairs`"),
        "{message}"
    );
}

/// A file that is whole may still be that of another cell.
#[test]
fn files_that_a_run_has_not_written_are_no_results() {
    let out = folder();
    run(out.path());
    let whole = out.path().join("toy_sweep");
    let results = results_in::<ToySweep>(&whole).unwrap();
    // The rate is 0.2 with the seed 0, and 0.3 with the seed 1.
    let cells: Vec<&Path> = [0, 3]
        .map(|at| results.winners().nth(at).unwrap().0)
        .map(|cell| cell.model.parent().unwrap())
        .to_vec();
    for name in [store::SCORES, store::PREDICTIONS] {
        let [path, other] = [0, 1].map(|at| cells[at].join(name));
        let own = fs::read(&path).unwrap();
        fs::copy(&other, &path).unwrap();
        let problem = results_in::<ToySweep>(&whole).err().unwrap().to_string();
        assert!(
            problem.contains(name) && problem.contains("of an earlier fit of this cell"),
            "{problem}"
        );
        fs::write(&path, own).unwrap();
        assert!(results_in::<ToySweep>(&whole).is_ok());
    }
}

/// One experiment in three versions of its code, which share a folder.
mod versions {
    macro_rules! version {
        ($name:ident, $fit:expr, $test:expr) => {
            pub mod $name {
                use crate::dsl::{FITS, Numbers, Six, TESTS, fitted, scores};
                use xai_core::prelude::*;

                #[experiment]
                pub struct Versioned {
                    #[axis([0.2, 0.4])]
                    rate: f64,
                }

                impl Run for Versioned {
                    type Benchmark = Six;
                    type Model = Numbers;
                    const FIT_VERSION: u32 = $fit;
                    const TEST_VERSION: u32 = $test;

                    fn fit(&self, _: &Lab<Six>) -> Result<Fitted<Numbers>> {
                        FITS.with_borrow_mut(|fits| fits.push(self.rate.to_string()));
                        Ok(fitted(Numbers(self.rate, 0)))
                    }

                    fn test(&self, _: &Fitted<Numbers>, lab: &Lab<Six>) -> Result<Scores> {
                        TESTS.with_borrow_mut(|tests| tests.push(self.rate.to_string()));
                        scores(lab, "toy_method", f64::from)
                    }
                }
            }
        };
    }
    version!(first, 1, 1);
    version!(other_fit, 2, 1);
    version!(other_test, 1, 2);
}

#[test]
fn a_new_version_of_the_code_computes_what_depends_on_it() {
    fn counts<R: Run<Benchmark = Six>>(out: &Path) -> (usize, usize) {
        FITS.take();
        TESTS.take();
        sweep::<R>(&options(out), &Points).unwrap();
        (FITS.take().len(), TESTS.take().len())
    }
    let reason = |out: &Path| {
        let cell = ["rate=0.4".to_owned()];
        why::<versions::other_test::Versioned>(&options(out), &Points, &cell).unwrap()
    };
    let out = folder();
    assert_eq!(counts::<versions::first::Versioned>(out.path()), (2, 2));
    assert!(reason(out.path()).contains("test  must be computed: TEST_VERSION is 2, was 1"));
    assert_eq!(
        counts::<versions::other_test::Versioned>(out.path()),
        (0, 2)
    );
    assert!(reason(out.path()).contains("test  is done"));
    let cell = ["rate=0.4".to_owned()];
    let reason =
        why::<versions::other_fit::Versioned>(&options(out.path()), &Points, &cell).unwrap();
    assert!(
        reason.contains("\n          code.FIT_VERSION is 2, was 1\n"),
        "{reason}"
    );
    assert_eq!(
        reason.matches(", was ").count(),
        1,
        "nothing else has changed: {reason}"
    );
    assert_eq!(counts::<versions::other_fit::Versioned>(out.path()), (2, 2));
    // The first version's models are still there; their scores are of another test.
    assert_eq!(counts::<versions::first::Versioned>(out.path()), (0, 2));
}

/// What a cell returns twice: nothing, its chance levels, or its scores.
#[experiment]
struct Repeated {
    #[axis([0.0, 1.0, 2.0])]
    what: f64,
}

impl Run for Repeated {
    type Benchmark = Six;
    type Model = Numbers;

    fn fit(&self, _: &Lab<Six>) -> Result<Fitted<Numbers>> {
        Ok(fitted(Numbers(0.2, 0)))
    }

    fn test(&self, _: &Fitted<Numbers>, lab: &Lab<Six>) -> Result<Scores> {
        let mut chance = scores(lab, "chance", |_| 0.25)?;
        for score in &mut chance {
            score.metric = "precision_chance".to_owned();
        }
        let one = scores(lab, "toy_method", f64::from)?;
        let mut more = scores(lab, "toy_method", |image| 2.0 * f64::from(image) + 1.0)?;
        match self.what {
            0.0 => Ok([one, chance].concat()),
            1.0 => {
                for score in &mut more {
                    score.method = "toy_method_b".into();
                }
                Ok([one, chance.clone(), more, chance].concat())
            }
            _ => Ok([one, more].concat()),
        }
    }
}

/// Their mean would be a score of no method.
#[test]
fn two_scores_of_one_image_method_and_metric_are_an_error() {
    let out = folder();
    let only = |what: &str| SweepOptions {
        restriction: Restriction {
            only: vec![format!("what={what}").parse().unwrap()],
            ..Restriction::default()
        },
        ..options(out.path())
    };
    for (what, rows) in [("0.0", 12), ("1.0", 24)] {
        let outcome = sweep::<Repeated>(&only(what), &Points).unwrap();
        assert_eq!(outcome.result.unwrap().cells[0].scores.len(), rows);
    }
    let outcome = sweep::<Repeated>(&only("2.0"), &Points).unwrap();
    assert_eq!(outcome.failures.len(), 1);
    let problem = outcome.failures[0].1.to_string();
    for part in [
        "`test` returns two values of the precision of `toy_method` on image 0: 0 and 1",
        "score.method = \"toy_method_b\".into()",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn the_plan_on_disk_says_which_code_ran() {
    let out = folder();
    run(out.path());
    let plan = fs::read(out.path().join("toy_sweep/plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    let code = &plan["code"];
    let text = |name: &str| code[name].as_str().unwrap_or_default().to_owned();
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(text("program"), blake3::hash(&program).to_hex().to_string());
    let lock = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap();
    assert_eq!(text("cargo_lock"), blake3::hash(&lock).to_hex().to_string());
    assert_eq!(text("version"), env!("CARGO_PKG_VERSION"));
    let git = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.git")
        .exists();
    assert_eq!(text("commit").len(), if git { 40 } else { 0 });
    assert_eq!(code["dirty"].is_boolean(), git);
    let command = plan["command"].as_array().unwrap();
    assert_eq!(command.len(), std::env::args().count());
    assert_eq!(
        (&plan["device"], &plan["finished"]),
        (&"flex".into(), &true.into())
    );
    let winners = plan["cells"].as_array().unwrap().iter();
    assert_eq!(winners.filter(|cell| cell["winner"] == true).count(), 6);
}

#[test]
fn keys_tell_types_apart() {
    assert_ne!(Key::of(&1).unwrap(), Key::of(&1.0).unwrap());
}

/// Pairs, a plain range, and no `select`: every cell is a winner.
#[experiment(zip(width, divisor))]
struct Pairs {
    #[axis([64, 32])]
    width: usize,
    #[axis(vec![1, 2])]
    divisor: usize,
    #[seed(0..=1)]
    seed: u64,
}

#[test]
fn zipped_parameters_step_together() {
    let plan = Plan::new(&Pairs::spec(), Scale::Desk).unwrap();
    let cells: Vec<_> = plan
        .cells
        .iter()
        .map(Pairs::at)
        .map(|at| (at.width, at.divisor, at.seed))
        .collect();
    assert_eq!(cells, [(64, 1, 0), (64, 1, 1), (32, 2, 0), (32, 2, 1)]);
}

/// Designs that only the plan can refuse; their fields are never read.
mod refused {
    #![allow(dead_code)]
    use xai_core::prelude::*;

    #[experiment(zip(a, b))]
    pub struct Uneven {
        #[axis(vec![1, 2])]
        a: u8,
        #[axis(vec![1])]
        b: u8,
    }

    #[experiment]
    pub struct Twice {
        #[axis(vec![0.0, -0.0])]
        rate: f64,
    }

    #[experiment]
    pub struct Nothing {
        #[axis(Vec::new())]
        rate: f64,
    }

    #[experiment(skip("all of it", |rate| rate > 0.0))]
    pub struct Skipped {
        #[axis([1.0])]
        rate: f64,
    }
}

#[test]
fn what_the_compiler_cannot_see_is_one_clear_error() {
    fn message<E: Experiment>() -> String {
        Plan::new(&E::spec(), Scale::Desk).unwrap_err().to_string()
    }
    assert_eq!(
        message::<refused::Uneven>(),
        "zip pairs `a` with 2 values and `b` with 1; give both the same number"
    );
    assert_eq!(
        message::<refused::Twice>(),
        "`rate` has the value 0.0 twice; remove one"
    );
    assert_eq!(
        message::<refused::Nothing>(),
        "`rate` has no values; give it at least one"
    );
    assert_eq!(
        message::<refused::Skipped>(),
        "`skipped` has nothing to run: its `skip` rules leave out every cell"
    );
}

/// Values with commas, with blanks at their ends, or empty go between quotes.
#[test]
fn values_can_be_named_whatever_they_are() {
    for (text, name, values) in [
        ("depth=1conv,all", "depth", vec!["1conv", "all"]),
        (" depth = 1conv , all ", "depth", vec!["1conv", "all"]),
        (r#"note="a, b",c"#, "note", vec!["a, b", "c"]),
        (
            r#"note=" a ","","\"q\"", d e "#,
            "note",
            vec![" a ", "", "\"q\"", "d e"],
        ),
        (r#"note=a=b"#, "note", vec!["a=b"]),
    ] {
        let choice: Choice = text.parse().unwrap();
        assert_eq!(
            (choice.name.as_str(), &choice.values),
            (name, &values.iter().map(|v| v.to_string()).collect()),
            "{text}"
        );
        // It is written as it can be read.
        assert_eq!(
            choice.to_string().parse::<Choice>().unwrap(),
            choice,
            "{text}"
        );
    }
    for text in [
        "depth",
        "=1",
        "depth=",
        "depth=1,",
        "depth=,1",
        r#"depth="1"#,
        r#"depth="1"2"#,
        r#"depth="1",,"#,
    ] {
        let problem = text.parse::<Choice>().unwrap_err().to_string();
        assert!(
            problem.contains("is not of the form NAME=VALUE"),
            "{problem}"
        );
    }
}
