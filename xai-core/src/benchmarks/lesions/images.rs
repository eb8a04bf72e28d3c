//! The benchmark's images. They are made once, kept in a stage, and read by every later process.

use serde_json::json;

use super::making::{Defect, Defects, Samples};
use super::scans::with_data;
use super::subjects::{Watched, subjects};
use super::variants::Lesions;
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::key::FIT_CODE;
use crate::sweep::context::Context;

/// The file of a stage.
const FILE: &str = "images.safetensors";

/// The images of a split. The splits share no subject, except under D7.
///
/// Images without defects come from their stage. Images with defects are needed by few experiments
/// and are made by each process, because at the paper's scale they take several gigabytes.
pub(super) fn split(lesions: &Lesions, which: Split, context: &Context) -> Result<Dataset> {
    let subjects = subjects(lesions, context)?;
    let protocol = lesions.protocol(which);
    let [train, validation, test] = &subjects.benchmark_parts;
    let counts = [train, validation, test].map(|part| part.subjects.end - part.subjects.start);
    let [of_train, of_validation, of_test] = protocol.splits(counts);
    let (part, slices) = match which {
        Split::Train => (of_train, train.slices),
        Split::Validation => (of_validation, validation.slices),
        // Under D7, the test uses the slices of the validation.
        Split::Test if protocol.defects.has(Defect::KnownSubjects) => (of_test, validation.slices),
        Split::Test => (of_test, test.slices),
    };
    let first = train.subjects.start;
    let people = first + part.subjects.start..first + part.subjects.end;
    let size = lesions.settings.image_size;
    let make = || -> Result<Dataset> {
        let count = (people.end - people.start) as usize;
        let source = Watched {
            source: &*subjects.benchmark,
            progress: context.progress(count, &format!("making {which} images")),
        };
        dataset(protocol.samples(&source, people.clone(), slices, size, part.seed)?)
    };
    if protocol.defects != Defects::NONE {
        return make();
    }
    let inputs = json!({
        "protocol": format!("{protocol:?}"),
        "subjects": people,
        "slices": slices,
        "size": size,
        "seed": part.seed,
        "code": FIT_CODE,
    });
    let inputs = with_data(inputs, lesions.scans.as_deref(), &subjects.left_out);
    let folder = context.stage("images", &inputs, |folder| make()?.save(&folder.join(FILE)))?;
    Dataset::load(&folder.join(FILE))
}

fn dataset(samples: Samples) -> Result<Dataset> {
    let truth = samples.truth.mapv(|truth| truth > 0.0);
    Dataset::grey(samples.images, samples.class)?
        .with_truth(truth)?
        .with_group(samples.subject)
}
