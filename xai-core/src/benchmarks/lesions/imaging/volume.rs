//! A three-dimensional image, read from NIfTI and reordered so that its axes are known.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use ndarray::{Array3, Axis, Ix3};
use nifti::{InMemNiftiVolume, IntoNdArray, NiftiHeader};

use crate::benchmarks::lesions::imaging::affine::Affine;
use crate::benchmarks::lesions::imaging::grid::Grid;
use crate::benchmarks::lesions::imaging::header::{self, Header};
use crate::benchmarks::lesions::imaging::there;
use crate::error::{Error, Result};

/// A volume in RAS order: the first axis runs (most nearly) to the subject's right, the second to
/// the front (anterior), and the third to the top (superior).
#[derive(Clone, Debug)]
pub struct Volume {
    /// Grey values `[x, y, z]`, with the file's slope and intercept applied.
    pub voxels: Array3<f32>,
    /// From voxel indices to millimetres. Not diagonal if the image is oblique.
    pub affine: Affine,
}

impl Volume {
    /// Reads a `.nii` or `.nii.gz` file; see [`Volume::read`].
    ///
    /// # Errors
    /// Every error names the file and says what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::open_with_grid(path)?.0)
    }

    /// Reads a file as [`Volume::open`] does, and returns the file's own grid as well. Images of the
    /// volume's shape can be written on it.
    ///
    /// # Errors
    /// As [`Volume::open`].
    pub fn open_with_grid(path: impl AsRef<Path>) -> Result<(Self, Grid)> {
        let path = path.as_ref();
        let file = there::open(path)?;
        read(BufReader::new(file)).map_err(|e| Error::file(path, e))
    }

    /// Reads a NIfTI-1 or NIfTI-2 image, gzipped or not.
    ///
    /// The axes are permuted and flipped to the nearest RAS order, without changing a grey value.
    /// An oblique image is resampled only when it is cut; see [`Brain`](super::Brain). An image
    /// without an orientation (neither sform nor qform) is an error.
    pub fn read(file: impl BufRead) -> Result<Self> {
        Ok(read(file)?.0)
    }

    /// Size of a voxel along x, y and z in millimetres.
    pub fn spacing_mm(&self) -> [f64; 3] {
        [0, 1, 2].map(|k| self.affine.spacing(k))
    }
}

fn read(mut file: impl BufRead) -> Result<(Volume, Grid)> {
    let start = file.fill_buf().map_err(header::damaged)?;
    if start.is_empty() {
        return Err(Error::invalid("the file is empty; get it again"));
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        unpacked(Members::of(file))
    } else {
        unpacked(file)
    }
}

fn unpacked(mut file: impl Read) -> Result<(Volume, Grid)> {
    let Header {
        nifti,
        shape,
        orientation,
    } = header::read(&mut file)?;
    // A last axis of length one (a single time point) does not count as a fourth dimension.
    if shape.len() < 3 || shape[3..].iter().any(|&n| n != 1) {
        return Err(Error::invalid(format!(
            "the image has the shape {shape:?}; one volume of three dimensions is needed"
        )));
    }
    let shape = [shape[0], shape[1], shape[2]];
    let affine = Affine::of_header(&orientation)?;
    let voxels = match nb_bytes(&nifti, shape) {
        Some(bytes) => InMemNiftiVolume::from_raw_data(&nifti, exactly(&mut file, bytes)?),
        None => {
            return Err(header::damaged(
                "its header says that it is larger than any memory",
            ));
        }
    };
    let voxels = voxels.map_err(header::damaged)?;
    // Read to the end, where gzip stores its checksum.
    io::copy(&mut file, &mut io::sink()).map_err(header::damaged)?;
    let voxels = voxels
        .into_ndarray::<f32>()
        .map_err(|e| {
            Error::invalid(format!(
                "voxels of an unusable kind ({e}); convert them to float32"
            ))
        })?
        .into_shape_with_order((shape, ndarray::Order::F))
        .map_err(Error::invalid)?
        .into_dimensionality::<Ix3>()
        .map_err(Error::invalid)?;
    let (volume, order, flipped) = to_ras(voxels, affine);
    Ok((volume, Grid::new(order, flipped, orientation)))
}

/// The number of bytes of an image's voxels. `None` if it exceeds the address space.
fn nb_bytes(header: &NiftiHeader, shape: [usize; 3]) -> Option<usize> {
    let width = header.data_type().ok()?.size_of();
    let mut sizes = shape.into_iter().chain([width]);
    let bytes = sizes.try_fold(1usize, |bytes, size| bytes.checked_mul(size))?;
    isize::try_from(bytes).is_ok().then_some(bytes)
}

/// Reads `count` bytes. Memory grows with the bytes read, because a damaged header may state any
/// number.
fn exactly(file: &mut impl Read, count: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let step = bytes.len().max(1 << 20).min(count - bytes.len());
        bytes.reserve_exact(step);
        let read = file.by_ref().take(step as u64).read_to_end(&mut bytes);
        if read.map_err(header::damaged)? < step {
            let found = bytes.len();
            let problem = format!("{count} bytes of voxels are expected, and {found} are there");
            return Err(header::damaged(problem));
        }
    }
    Ok(bytes)
}

/// The members of a gzip file, one after the other. There may be zeros between them and at the end,
/// which tapes and some archives add. `flate2`'s own reader for several members treats such a file
/// as damaged.
struct Members<R: BufRead> {
    /// `None` only between two members.
    member: Option<GzDecoder<R>>,
    ended: bool,
}

impl<R: BufRead> Members<R> {
    fn of(file: R) -> Self {
        Self {
            member: Some(GzDecoder::new(file)),
            ended: false,
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let (false, Some(member)) = (self.ended || buffer.is_empty(), &mut self.member) {
            let read = member.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let mut file = self.member.take().expect("it was there").into_inner();
            self.ended = loop {
                let rest = file.fill_buf()?;
                let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
                match (rest.len(), zeros) {
                    (0, _) => break true,
                    (_, 0) => break false,
                    _ => file.consume(zeros),
                }
            };
            self.member = Some(GzDecoder::new(file));
        }
        Ok(0)
    }
}

/// Permutes and flips the axes to the RAS order nearest to the affine map. Returns also the file's
/// axis that each axis of the volume was, and whether it was flipped.
fn to_ras(voxels: Array3<f32>, affine: Affine) -> (Volume, [usize; 3], [bool; 3]) {
    const ORDERS: [[usize; 3]; 6] = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    // How well array axis k points along anatomical axis r, independent of the voxel size.
    let cosine = |r: usize, k: usize| affine.matrix[r][k] / affine.spacing(k);
    let fit = |order: &[usize; 3]| (0..3).map(|r| cosine(r, order[r]).abs()).sum::<f64>();
    let mut order = ORDERS[0];
    for candidate in ORDERS {
        if fit(&candidate) > fit(&order) + 1e-9 {
            order = candidate;
        }
    }
    let mut turned = Affine {
        matrix: affine.matrix.map(|row| order.map(|k| row[k])),
        offset: affine.offset,
    };
    let mut voxels = voxels.permuted_axes(order);
    let flipped = [0, 1, 2].map(|axis| turned.matrix[axis][axis] < 0.0);
    for axis in 0..3 {
        if flipped[axis] {
            // The last voxel along this axis becomes the first.
            let mut last = [0.0; 3];
            last[axis] = voxels.len_of(Axis(axis)) as f64 - 1.0;
            turned.offset = turned.apply(last);
            for row in &mut turned.matrix {
                row[axis] = -row[axis];
            }
            voxels.invert_axis(Axis(axis));
        }
    }
    let volume = Volume {
        voxels,
        affine: turned,
    };
    (volume, order, flipped)
}
