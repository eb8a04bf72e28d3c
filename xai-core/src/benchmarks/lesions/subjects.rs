//! Which subjects an experiment uses, and for what.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;

use super::imaging::{Cohort, Scanned, ScannedSubject, Sex, Source};
use super::scans::KEPT_SLICES;
use super::settings::Settings;
use super::variants::Lesions;
use crate::error::{Error, Result};
use crate::sweep::context::Context;
use crate::sweep::watch::Progress;

/// The synthetic cohort of the benchmark, and another one for pre-training.
const BENCHMARK_COHORT: u64 = 0;
const PRETRAINING_COHORT: u64 = 1;
/// Slices per subject in the pre-training on sex.
const SEX_SLICES: usize = 10;
/// The minimum number of scans: two pairs for pre-training, and three others.
const LEAST_SUBJECTS: usize = 8;

/// The subjects of each part. No subject is in two parts.
pub(super) struct Subjects {
    pub(super) benchmark: Box<dyn Source + Send>,
    /// For training, validation and test.
    pub(super) benchmark_parts: [Portion; 3],
    pub(super) pretraining: Box<dyn Source + Send>,
    /// For pre-training and for its held-out check: as many women as men.
    pub(super) pretraining_parts: [Portion; 2],
    /// The names of subjects whose scans cannot be used. The numbers of the others depend on them.
    pub(super) left_out: Vec<String>,
}

/// A range of subjects, and the number of slices of each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Portion {
    pub(super) subjects: Range<u64>,
    pub(super) slices: usize,
}

/// A source that counts the subjects whose slices have been taken; their images follow. After Ctrl-C, it returns
/// [`Error::Interrupted`], and no image of this call is kept.
pub(super) struct Watched<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) progress: Progress,
}

impl Source for Watched<'_> {
    fn name(&self, subject: u64) -> String {
        self.source.name(subject)
    }

    fn sex(&self, subject: u64) -> Sex {
        self.source.sex(subject)
    }

    fn slices(
        &self,
        subject: u64,
        count: usize,
        heights_mm: RangeInclusive<f32>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<(f32, Array2<f32>)>> {
        let slices = self.source.slices(subject, count, heights_mm, rng)?;
        self.progress.tick()?;
        Ok(slices)
    }

    fn seed(&self) -> u64 {
        self.source.seed()
    }
}

/// The subjects of a run: synthetic ones, or those of the given folder.
///
/// # Errors
/// With a folder: if scans cannot be used, or if there are too few.
pub(super) fn subjects(lesions: &Lesions, context: &Context) -> Result<Arc<Subjects>> {
    context.once("subjects", || {
        let wanted = Wanted::of(&lesions.settings);
        match &lesions.scans {
            None => Ok(Subjects::synthetic(&wanted)),
            Some(scans) => {
                let (people, left_out) = scans.subjects(context, wanted.total() as usize)?;
                let subjects = Subjects {
                    left_out,
                    ..Subjects::scanned(&wanted, people)?
                };
                let reporter = context.reporter();
                reporter.print(&format!("  subjects  {subjects}\n"));
                Ok(subjects)
            }
        }
    })
}

/// The number of subjects that a scale requests, and the slices of each.
struct Wanted {
    benchmark: [u64; 3],
    slices: usize,
    pretraining: [u64; 2],
}

impl Wanted {
    fn of(settings: &Settings) -> Self {
        let held_out = settings.pretraining_images / 8;
        // Even numbers of subjects, to balance the sexes.
        let pairs = |images: usize| (images / SEX_SLICES).max(1).next_multiple_of(2) as u64;
        Self {
            benchmark: [
                settings.training_subjects,
                settings.validation_subjects,
                settings.test_subjects,
            ],
            slices: settings.slices,
            pretraining: [pairs(settings.pretraining_images), pairs(held_out)],
        }
    }

    fn total(&self) -> u64 {
        self.benchmark.iter().chain(&self.pretraining).sum()
    }
}

impl Subjects {
    fn synthetic(wanted: &Wanted) -> Self {
        Self {
            benchmark: Box::new(Cohort::new(BENCHMARK_COHORT)),
            benchmark_parts: in_a_row(0, wanted.benchmark.map(|n| (n, wanted.slices))),
            pretraining: Box::new(Cohort::new(PRETRAINING_COHORT)),
            pretraining_parts: in_a_row(0, wanted.pretraining.map(|n| (n, SEX_SLICES))),
            left_out: Vec::new(),
        }
    }

    /// Assigns people to the parts. They are ordered in pairs of a woman and a man as long as there
    /// are both.
    ///
    /// If there are fewer people than requested, each part gets its share, and each subject gives
    /// more slices to keep the number of images, up to [`KEPT_SLICES`] per subject.
    fn scanned(wanted: &Wanted, people: Vec<ScannedSubject>) -> Result<Self> {
        let women = people.iter().filter(|one| one.sex == Sex::Female).count();
        let pairs = women.min(people.len() - women) as u64;
        let count = people.len() as u64;
        if people.len() < LEAST_SUBJECTS || pairs < 2 {
            return Err(Error::invalid(format!(
                "{women} women and {} men are too few: a run needs {LEAST_SUBJECTS} subjects, two of each sex at least",
                people.len() - women
            )));
        }
        // Pre-training needs pairs. At least three subjects are left for the benchmark.
        let [learn, check] = wanted.pretraining;
        let share = (learn + check) * count.min(wanted.total()) / wanted.total() / 2;
        let used = share.min(pairs).min((count - 3) / 2).max(2);
        let checked = (used * check / (learn + check)).max(1);
        let first = 2 * used;

        let rest = count - first;
        let [train, validate, test] = wanted.benchmark;
        let all = train + validate + test;
        let [validated, tested] = [validate, test].map(|n| (n * rest.min(all) / all).max(1));
        let trained = train.min(rest - validated - tested);

        // The requested number of images, from more slices per subject.
        let part = |subjects: u64, wanted: u64, slices: usize| {
            let enough = (wanted as usize * slices).div_ceil(subjects as usize);
            (subjects, enough.clamp(slices, KEPT_SLICES.max(slices)))
        };
        let source = Scanned { subjects: people };
        Ok(Self {
            pretraining_parts: in_a_row(
                0,
                [
                    part(2 * (used - checked), learn, SEX_SLICES),
                    part(2 * checked, check, SEX_SLICES),
                ],
            ),
            benchmark_parts: in_a_row(
                first,
                [
                    part(trained, train, wanted.slices),
                    part(validated, validate, wanted.slices),
                    part(tested, test, wanted.slices),
                ],
            ),
            pretraining: Box::new(source.clone()),
            benchmark: Box::new(source),
            left_out: Vec::new(),
        })
    }
}

impl fmt::Display for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [learn, check] = &self.pretraining_parts;
        let [train, validate, test] = &self.benchmark_parts;
        write!(
            f,
            "{learn} to pre-train, {check} to check it, {train} to train, {validate} to validate, {test} to test"
        )
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subjects = self.subjects.end - self.subjects.start;
        write!(f, "{subjects} (x {} slices)", self.slices)
    }
}

/// Consecutive parts with the given numbers of subjects and slices per subject.
fn in_a_row<const N: usize>(mut first: u64, sizes: [(u64, usize); N]) -> [Portion; N] {
    sizes.map(|(subjects, slices)| {
        let range = first..first + subjects;
        first = range.end;
        Portion {
            subjects: range,
            slices,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::declare::Scale;

    fn people(women: usize, men: usize) -> Vec<ScannedSubject> {
        let one = |sex, k| ScannedSubject {
            name: format!("{sex:?} {k}"),
            sex,
            slices: Default::default(),
        };
        let pairs = (0..women.min(men)).flat_map(|k| [one(Sex::Female, k), one(Sex::Male, k)]);
        let women_left = (men..women).map(|k| one(Sex::Female, k));
        let men_left = (women..men).map(|k| one(Sex::Male, k));
        pairs.chain(women_left).chain(men_left).collect()
    }

    /// Parts are consecutive and not empty, and those of the pre-training have as many women as
    /// men.
    #[test]
    fn parts_are_disjoint_and_none_is_empty() {
        for scale in [Scale::Smoke, Scale::Desk, Scale::Night, Scale::Paper] {
            let wanted = Wanted::of(&Settings::at(scale));
            for (women, men) in [
                (2, 6),
                (4, 4),
                (5, 5),
                (30, 7),
                (60, 57),
                (3, 900),
                (550, 457),
                (3000, 3000),
            ] {
                let subjects = Subjects::scanned(&wanted, people(women, men)).unwrap();
                let parts: Vec<Portion> = [
                    &subjects.pretraining_parts[..],
                    &subjects.benchmark_parts[..],
                ]
                .concat();
                let mut next = 0;
                for part in &parts {
                    assert_eq!(part.subjects.start, next);
                    assert!(
                        !part.subjects.is_empty() && part.slices <= KEPT_SLICES,
                        "{women} {men} {parts:?}"
                    );
                    next = part.subjects.end;
                }
                assert!(next <= (women + men) as u64);
                for part in &subjects.pretraining_parts {
                    let men = |n: &u64| subjects.pretraining.sex(*n) == Sex::Male;
                    let count = part.subjects.clone().filter(men).count() as u64;
                    assert_eq!(2 * count, part.subjects.end - part.subjects.start);
                }
            }
            assert!(Subjects::scanned(&wanted, people(1, 20)).is_err());
            assert!(Subjects::scanned(&wanted, people(3, 4)).is_err());
        }
    }

    #[test]
    fn enough_scans_give_what_the_scale_asks_for() {
        let wanted = Wanted::of(&Settings::at(Scale::Desk));
        let subjects = Subjects::scanned(&wanted, people(400, 300)).unwrap();
        let synthetic = Subjects::synthetic(&wanted);
        for (real, drawn) in subjects
            .benchmark_parts
            .iter()
            .zip(&synthetic.benchmark_parts)
        {
            assert_eq!(
                real.subjects.end - real.subjects.start,
                drawn.subjects.end - drawn.subjects.start
            );
            assert_eq!(real.slices, drawn.slices);
        }
        assert_eq!(subjects.pretraining_parts, synthetic.pretraining_parts);
        // The 1,007 subjects of the Human Connectome Project give about the published numbers of
        // images.
        let wanted = Wanted::of(&Settings::at(Scale::Paper));
        let subjects = Subjects::scanned(&wanted, people(550, 457)).unwrap();
        let images = subjects
            .benchmark_parts
            .map(|part| (part.subjects.end - part.subjects.start) * part.slices as u64);
        for (images, published) in images.into_iter().zip([2_500, 2_500, 8_539]) {
            assert!(
                (0.8..1.1).contains(&(images as f64 / f64::from(published))),
                "{images}"
            );
        }
    }
}
