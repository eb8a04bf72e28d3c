//! What the programs that draw the data share.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::exit_code;
use clap::Args;
use ndarray::Array2;
use xai_core::lesions::imaging::{Cohort, Folder};
use xai_core::lesions::making::{Class, Defects, Protocol};
use xai_core::report::{Picture, Plate, Row, write_plate};
use xai_core::{Error, Result};

/// Pictures in rows, with a legend of the lesions that [`lesions_outlined`] shows.
pub fn plate(rows: Vec<Row>) -> Plate {
    let outlined = ["regular lesions", "irregular lesions"];
    Plate {
        rows,
        outlined: outlined.map(str::to_owned).to_vec(),
    }
}

/// A picture with the outlines of lesions of a class.
pub fn lesions_outlined(picture: Picture, class: Class, lesions: Array2<bool>) -> Picture {
    let place = match class {
        Class::Regular => 0,
        Class::Irregular => 1,
    };
    picture.outlined(place, lesions)
}

/// Which data are drawn, and where the figure is written.
#[derive(Args)]
pub struct Pictured {
    /// Defects of the public code to repeat: `none`, `all` or a list such as D1,D2.
    #[arg(long, default_value = "none")]
    defects: Defects,
    /// Seed of the lesions in the slices.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder of real scans instead of synthetic subjects: BIDS, HCP, or with a table (CSV or TSV) of file and sex.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// List scans that cannot be used and leave them out, instead of stopping.
    #[arg(long, requires = "data")]
    pub skip_bad: bool,
    /// Folder for figure.svg and figure.png; created if necessary [default: runs/ and the example's name].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Pictured {
    /// The protocol with the requested defects.
    pub fn protocol(&self) -> Protocol {
        Protocol {
            defects: self.defects,
            ..Protocol::corrected()
        }
    }

    /// Slices into which lesions are painted, each of another subject: synthetic ones at these heights (mm), or the same
    /// number from the scans.
    ///
    /// # Errors
    /// If scans cannot be used.
    pub fn slices(&self, heights_mm: &[f32]) -> Result<Vec<Array2<f64>>> {
        let Some(data) = &self.data else {
            let cohort = Cohort::new(0);
            let slice = |(subject, &height): (u64, _)| {
                cohort.subject(subject).slices(&[height])[0].mapv(f64::from)
            };
            return Ok((0..).zip(heights_mm).map(slice).collect());
        };
        let folder = Folder::open(data)?;
        println!("{folder}");
        let (slices, left_out) = folder.slices(heights_mm.len(), self.skip_bad)?;
        if self.skip_bad {
            left_out
                .iter()
                .for_each(|problem| eprintln!("left out: {problem}"));
        }
        Ok(slices.iter().map(|slice| slice.mapv(f64::from)).collect())
    }

    /// What to do with a slice that has no room for lesions: with `--skip-bad`, it is listed.
    ///
    /// # Errors
    /// Without `--skip-bad`.
    pub fn no_room(&self, slice: usize) -> Result<()> {
        let problem = format!("slice {slice} has no room for lesions");
        if !self.skip_bad {
            return Err(Error::invalid(format!(
                "{problem}; leave it out with --skip-bad"
            )));
        }
        eprintln!("left out: {problem}");
        Ok(())
    }

    /// Writes the picture of the example `name`, or prints the error.
    pub fn finish(&self, name: &str, plate: Result<Plate>) -> ExitCode {
        let out = self
            .out
            .clone()
            .unwrap_or_else(|| format!("runs/{name}").into());
        let written = plate.and_then(|plate| write_plate(&plate, &out));
        exit_code(written.map(|paths| paths.iter().for_each(|path| println!("{}", path.display()))))
    }
}
