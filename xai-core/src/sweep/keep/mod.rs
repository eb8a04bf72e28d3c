//! The files on disk: cells with their manifests, shared stages, tables and heat maps, and claims
//! of processes.

mod claims;
mod manifest;
mod maps;
mod predictions;
mod provenance;
mod references;
mod stages;
mod store;
mod tables;

pub(crate) use claims::{Attempt, Claim, Holder, Patience};
pub(crate) use manifest::note_other;
pub use manifest::{
    Asked, ChosenByWinners, FileRecord, MAPS, MODEL, Manifest, Outside, PREDICTIONS, SCORES,
    Scored, Status,
};
pub use maps::read_maps;
pub(crate) use maps::write_maps;
pub use predictions::{Predictions, Regressed};
pub(crate) use provenance::provenance;
pub use references::Reference;
pub(crate) use references::{read_references, write_references};
pub(crate) use stages::code_of_stage;
pub(crate) use store::Sources;
pub use store::Store;
pub use tables::{read_scores, write_scores};

/// The file that describes a sweep.
pub(crate) const PLAN: &str = "plan.json";
