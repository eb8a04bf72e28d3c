//! Copies of numbers between the host and a device. They are counted, because a GPU waits for them.
//! A test compares the cost of a panel and of a training step with the numbers in the book.

use std::cell::Cell;

use burn::tensor::{Int, TensorData};

use super::{Backend, Device, Tensor};
use crate::error::{Error, Result};

/// The number of copies and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// To the device.
    pub uploads: usize,
    /// Bytes copied to the device.
    pub uploaded: usize,
    /// From the device. The host waits for each of these.
    pub downloads: usize,
    /// Bytes copied from the device.
    pub downloaded: usize,
}

thread_local! {
    static COPIES: Cell<Copies> = const {
        Cell::new(Copies { uploads: 0, uploaded: 0, downloads: 0, downloaded: 0 })
    };
}

/// The copies of this thread so far, to and from any device.
pub fn copies() -> Copies {
    COPIES.get()
}

fn count(change: impl Fn(&mut Copies)) {
    let mut copies = COPIES.get();
    change(&mut copies);
    COPIES.set(copies);
}

fn count_upload(numbers: usize) {
    count(|copies| {
        copies.uploads += 1;
        copies.uploaded += numbers * size_of::<f32>();
    });
}

/// A tensor of these numbers on the device.
pub(crate) fn upload<const D: usize>(
    numbers: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    count_upload(numbers.len());
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// The same for integers.
pub(crate) fn upload_integers(
    numbers: Vec<i32>,
    device: &Device,
) -> burn::tensor::Tensor<Backend, 1, Int> {
    count_upload(numbers.len());
    let shape = [numbers.len()];
    burn::tensor::Tensor::from_ints(TensorData::new(numbers, shape), device)
}

/// Reads a tensor's numbers in row-major order. Waits until the device has computed them.
///
/// # Errors
/// If they are not 32-bit floats, which is possible in a user's own module.
pub(crate) fn download<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let numbers = tensor.into_data().into_vec::<f32>();
    let numbers = numbers.map_err(|problem| Error::invalid(format!("{problem:?}")))?;
    count(|copies| {
        copies.downloads += 1;
        copies.downloaded += numbers.len() * size_of::<f32>();
    });
    Ok(numbers)
}
