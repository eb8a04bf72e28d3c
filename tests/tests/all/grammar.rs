//! Every form of the grammar as the book shows it, and its result.

#![allow(dead_code)] // designs are laid out here, not run

use xai_core::lesions::LesionArgs;
use xai_core::lesions::prelude::*;
use xai_core::metrics::Auroc;
use xai_core::sweep::declare::Experiment;
use xai_core::sweep::declare::Value;
use xai_core::sweep::plan::{Plan, Restriction};

/// The values of each parameter, the number of cells, and what is left out.
fn plan<E: Experiment>(scale: Scale) -> String {
    // A run that was given no weights.
    let lesions = Lesions::open(&LesionArgs::default(), scale).unwrap();
    let absent = |name: &str, value: &Value| lesions.absent(name, value);
    let plan = Plan::restricted(&E::spec(), scale, &absent, &Restriction::default()).unwrap();
    let mut lines = vec![format!("{} cells", plan.cells.len())];
    for factor in &plan.factors {
        let levels: Vec<_> = factor.levels.iter().map(ToString::to_string).collect();
        lines.push(format!("{}: {}", factor.name, levels.join(", ")));
    }
    for skipped in &plan.skipped {
        lines.push(format!(
            "less {} at {}: {}",
            skipped.cells, skipped.at, skipped.reason
        ));
    }
    lines.join("\n")
}

// ANCHOR: roles
/// What depends on how much is fine-tuned?
#[experiment(select(max = |v| v.accuracy))]
struct Roles {
    #[axis]
    depth: Depth,
    #[tune([0.001, 0.003])]
    rate: f64,
    #[seed(3)]
    seed: u64,
}
// ANCHOR_END: roles

// ANCHOR: levels
#[derive(Clone, Copy, PartialEq, Level)]
enum Noise {
    None,
    #[level(title = "Salt and pepper")]
    SaltAndPepper, // called salt_and_pepper
    #[level("3T", title = "3 tesla")]
    Scanner,
}
// ANCHOR_END: levels

// ANCHOR: values
const WIDTHS: [usize; 2] = [8, 16];

#[experiment]
struct Values {
    #[axis] // every level of the enum
    noise: Noise,
    #[axis([Depth::Conv1, Depth::All])]
    depth: Depth,
    #[axis([false, true])]
    flipped: bool,
    #[axis(["adam", "sgd"])]
    optimizer: String,
    #[axis(1..=3)]
    blocks: usize,
    #[axis(linear(0.1..=0.3, 3))]
    dropout: f64,
    #[axis(log(1e-4..=1e-2, 5))]
    decay: f64,
    #[axis(WIDTHS)]
    width: usize,
    #[axis(WIDTHS.map(|width| 2 * width))]
    height: usize,
}
// ANCHOR_END: values

#[test]
fn values() {
    insta::assert_snapshot!(plan::<Values>(Scale::Smoke), @"
    4320 cells
    noise: none, salt_and_pepper, 3T
    depth: 1conv, all
    flipped: false, true
    optimizer: adam, sgd
    blocks: 1, 2, 3
    dropout: 0.1, 0.2, 0.3
    decay: 0.0001, 0.000316228, 0.001, 0.00316228, 0.01
    width: 8, 16
    height: 16, 32
    ");
}

// ANCHOR: seeds
#[experiment]
struct Seeds {
    #[seed(3)] // 0, 1, 2
    training: u64,
    #[seed([7, 11])]
    data: u64,
    #[seed(5..=6)]
    order: u64,
    #[seed(|scale| scale.pick(1, 1, 3))]
    resampling: u64,
}
// ANCHOR_END: seeds

#[test]
fn seeds() {
    insta::assert_snapshot!(plan::<Seeds>(Scale::Paper), @"
    36 cells
    training: 0, 1, 2
    data: 7, 11
    order: 5, 6
    resampling: 0, 1, 2
    ");
}

// ANCHOR: dependent
#[experiment(select(min = |v| v.loss))]
struct Dependent {
    #[axis([Depth::Conv1, Depth::All])]
    depth: Depth,
    #[axis(|scale| if scale == Scale::Smoke { [8] } else { [8, 16] })]
    width: usize,
    #[tune(|depth, width| match depth {
        Depth::All => log(1e-4..=1e-2, 3),
        _ if width > 8 => [0.03],
        _ => [0.01, 0.03],
    })]
    rate: f64,
}
// ANCHOR_END: dependent

#[test]
fn each_branch_is_a_domain_of_its_own() {
    let cells = |scale| {
        let plan = Plan::new(&Dependent::spec(), scale).unwrap();
        let cells: Vec<_> = plan.cells.iter().map(ToString::to_string).collect();
        cells.join("\n")
    };
    insta::assert_snapshot!(cells(Scale::Smoke), @"
    depth=1conv width=8 rate=0.01
    depth=1conv width=8 rate=0.03
    depth=all width=8 rate=0.0001
    depth=all width=8 rate=0.001
    depth=all width=8 rate=0.01
    ");
    insta::assert_snapshot!(cells(Scale::Desk), @"
    depth=1conv width=8 rate=0.01
    depth=1conv width=8 rate=0.03
    depth=1conv width=16 rate=0.03
    depth=all width=8 rate=0.0001
    depth=all width=8 rate=0.001
    depth=all width=8 rate=0.01
    depth=all width=16 rate=0.0001
    depth=all width=16 rate=0.001
    depth=all width=16 rate=0.01
    ");
}

// ANCHOR: zip
#[experiment(zip(size, batch))]
struct Zipped {
    #[axis([64, 96, 224])]
    size: usize,
    #[axis([32, 16, 4])]
    batch: usize,
}
// ANCHOR_END: zip

// ANCHOR: skip
#[experiment(
    skip("shapes have no noise of a scanner", |corpus, noise| {
        corpus == Corpus::Shapes && noise == Noise::Scanner
    }),
    skip("one layer is enough to see that it works", |scale, depth| {
        scale == Scale::Smoke && depth != Depth::Conv1
    }),
)]
struct Skipping {
    #[axis]
    corpus: Corpus,
    #[axis]
    noise: Noise,
    #[axis([Depth::Conv1, Depth::All])]
    depth: Depth,
}
// ANCHOR_END: skip

#[test]
fn pairs_and_what_is_left_out() {
    insta::assert_snapshot!(plan::<Zipped>(Scale::Smoke), @"
    3 cells
    size: 64, 96, 224
    batch: 32, 16, 4
    ");
    insta::assert_snapshot!(plan::<Skipping>(Scale::Smoke), @"
    5 cells
    corpus: shapes, mri
    noise: none, salt_and_pepper, 3T
    depth: 1conv, all
    less 6 at corpus=imagenet: no --weights were given
    less 5 at scale=smoke depth=all: one layer is enough to see that it works
    less 2 at corpus=shapes noise=3T: shapes have no noise of a scanner
    ");
}

// ANCHOR: closest
#[experiment(select(closest = 0.89, by = |v| v.accuracy))]
struct SameAccuracy {
    #[axis]
    depth: Depth,
    #[tune(log(1e-4..=1e-2, 9))]
    rate: f64,
}
// ANCHOR_END: closest

// ANCHOR: explain
/// The share of a map that is positive, and the scores of two more methods.
fn look(model: &Network, images: &Images) -> Result<(f32, Scores)> {
    let maps = explain!(
        model = *model,
        input = *images,
        target = 1,
        methods = [DeepLift, Lrp::epsilon(1e-9)],
    )?;
    let map = &maps.deep_lift.values;
    let positive = map.iter().filter(|&&value| value > 0.0).count();
    let scores = explain!(
        model = *model,
        input = *images,
        methods = [Saliency, Sobel],
        score = Precision
    )?;
    Ok((positive as f32 / map.len() as f32, scores))
}
// ANCHOR_END: explain

// ANCHOR: combine
/// Evidence for the class alone, summed over channels.
fn evidence(model: &Network, images: &Images) -> Result<Scores> {
    let positive_sum = Combine {
        sign: Sign::Positive,
        channels: Channels::Sum,
    };
    explain!(
        model = *model,
        input = *images,
        methods = [InputXGradient, Lrp::epsilon(1e-9)],
        combine = positive_sum,
        score = (Precision, Auroc)
    )
}
// ANCHOR_END: combine

/// The map of raw intensity is the image, so that each policy's brightest pixel is known by hand.
#[test]
fn combined_as_the_argument_says() {
    // Red, green and blue of two pixels; the truth is the second.
    let precision = |first: [f32; 3], second: [f32; 3], combine: Combine| {
        let pixels =
            ndarray::Array4::from_shape_fn((1, 3, 1, 2), |(_, c, _, x)| [first, second][x][c]);
        let images = Images::new(pixels, vec![0]).with_truth(ndarray::array![[[false, true]]]);
        let scores = explain!(
            input = images,
            methods = [Intensity],
            combine = combine,
            score = Precision
        );
        let scores = scores.unwrap();
        assert_eq!(scores[1].method, "chance");
        assert_eq!(scores[1].metric, "precision_chance");
        assert_eq!(scores[1].value, 0.5);
        assert_eq!(scores.len(), 2);
        scores[0].value
    };
    // Luma weighs green five times as much as blue.
    let (green, blue) = ([0.0, 0.5, 0.0], [0.0, 0.0, 0.9]);
    assert_eq!(precision(green, blue, Combine::default()), 0.0);
    assert_eq!(precision(green, blue, Channels::Sum.into()), 1.0);
    let (even, odd) = ([0.4, 0.4, 0.4], [0.0, 0.0, 0.9]);
    assert_eq!(precision(even, odd, Channels::Sum.into()), 0.0);
    assert_eq!(precision(even, odd, Channels::MaxAbs.into()), 1.0);
}

// ANCHOR: panel
/// Methods that are known only at run time.
fn look_at_more(model: &Network, images: &Images, steps: &[usize]) -> Result<usize> {
    let methods = steps.iter().map(|&steps| IntegratedGradients { steps });
    let panel = methods.fold(Panel::new(), Panel::with);
    Ok(panel.explain(model, images, 1)?.len())
}
// ANCHOR_END: panel

mod elsewhere {
    pub use ::xai_core as bench;
}

// ANCHOR: crate
#[derive(Clone, Level)]
#[level(crate = crate::grammar::elsewhere::bench)]
enum Side {
    Left,
    Right,
}

#[experiment(crate = crate::grammar::elsewhere::bench)]
struct Elsewhere {
    #[axis]
    side: Side,
}
// ANCHOR_END: crate

/// Expansions name nothing that a file can redefine.
mod names_of_others {
    use xai_core::prelude::{Level, experiment};

    struct Result;
    struct Option;
    struct Vec;
    struct Spec;
    struct Point;
    struct Experiment;
    fn domain() {}
    fn levels() {}

    #[derive(Clone, Level)]
    pub enum String {
        Some,
        Ok,
    }

    #[experiment]
    pub struct Others {
        #[axis]
        string: String,
        #[seed(2)]
        r#type: u64,
    }
}

#[experiment]
struct Corpora {
    #[axis]
    corpus: Corpus,
    #[axis([Depth::Conv1, Depth::All])]
    depth: Depth,
}

/// ImageNet is there for runs that were given weights, the shapes in its place for all others.
#[test]
fn a_level_may_need_what_the_run_was_given() {
    let given = |weights: bool, only: &[&str]| {
        let by = Restriction {
            only: only.iter().map(|choice| choice.parse().unwrap()).collect(),
            ..Restriction::default()
        };
        let without = Lesions::open(&LesionArgs::default(), Scale::Desk).unwrap();
        let absent = |name: &str, value: &Value| {
            let shapes = value.to_string() == "shapes";
            if weights {
                shapes.then(|| "they take its place".to_owned())
            } else {
                without.absent(name, value)
            }
        };
        Plan::restricted(&Corpora::spec(), Scale::Desk, &absent, &by)
    };
    insta::assert_snapshot!(plan::<Corpora>(Scale::Desk), @"
    4 cells
    corpus: shapes, mri
    depth: 1conv, all
    less 2 at corpus=imagenet: no --weights were given
    ");
    let plan = given(true, &[]).unwrap();
    let levels: Vec<_> = plan.factors[0]
        .levels
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(levels, ["imagenet", "mri"]);
    assert!(
        plan.skipped[0].reason.contains("take its place"),
        "{:?}",
        plan.skipped
    );
    assert!(plan.restricted.is_none());

    let problem = given(false, &["corpus=imagenet"]).unwrap_err().to_string();
    assert!(
        problem.contains("corpus=imagenet is skipped: no --weights were given"),
        "{problem}"
    );
    assert_eq!(given(true, &["corpus=imagenet"]).unwrap().cells.len(), 2);
}

#[test]
fn names_and_paths() {
    insta::assert_snapshot!(plan::<Elsewhere>(Scale::Smoke), @"
    2 cells
    side: left, right
    ");
    insta::assert_snapshot!(plan::<names_of_others::Others>(Scale::Smoke), @"
    4 cells
    string: some, ok
    type: 0, 1
    ");
}
