//! Access to a tensor's numbers. Kernels read them in place and return new tensors without copying.

use std::ops::Deref;

use burn::tensor::{Int, TensorData};

use crate::device::{Backend, Device, Tensor};

/// An integer tensor, e.g. the positions of maxima.
pub type IntTensor = burn::tensor::Tensor<Backend, 4, Int>;

pub(super) use place::{Identity, change, identity, numbers, places};

/// A tensor of these numbers.
pub(super) fn from_numbers<const D: usize>(
    numbers: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// A tensor on the CPU for tests, of [`kernels::numbers`](super::kernels::numbers).
#[cfg(test)]
pub(super) fn some_tensor<const D: usize>(shape: [usize; D], seed: usize) -> Tensor<D> {
    let device = crate::device::DeviceChoice::Flex.open().expect("a CPU");
    let numbers = super::kernels::numbers(shape.iter().product(), seed);
    from_numbers(numbers, shape, &device)
}

/// Burn's CPU backend shows where its numbers are.
#[cfg(not(feature = "gpu"))]
mod place {
    use std::marker::PhantomData;
    use std::sync::{Arc, Weak};

    use burn::backend::flex::FlexTensor;
    use burn::tensor::{Bytes, TensorPrimitive};

    use super::*;

    /// The numbers of a tensor in order, in place.
    pub struct Numbers<E>(FlexTensor, PhantomData<E>);

    impl Deref for Numbers<f32> {
        type Target = [f32];
        fn deref(&self) -> &[f32] {
            self.0.as_slice().expect("our tensors hold 32-bit floats")
        }
    }

    impl Deref for Numbers<i32> {
        type Target = [i32];
        fn deref(&self) -> &[i32] {
            self.0
                .as_slice()
                .expect("our positions are 32-bit integers")
        }
    }

    /// The numbers of a tensor. They are copied only if they are not stored in order.
    pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Numbers<f32> {
        let tensor = tensor.into_primitive().tensor();
        Numbers(tensor.to_contiguous(), PhantomData)
    }

    /// The same for positions.
    pub fn places(tensor: IntTensor) -> Numbers<i32> {
        Numbers(tensor.into_primitive().to_contiguous(), PhantomData)
    }

    /// Modifies numbers in place. If a tensor is also in use elsewhere, its numbers are copied
    /// first.
    pub fn change<const D: usize, const K: usize>(
        tensors: [Tensor<D>; K],
        change: impl FnOnce([&mut [f32]; K]),
    ) -> [Tensor<D>; K] {
        let mut own = tensors.map(|tensor| {
            let tensor = tensor.into_primitive().tensor();
            tensor.to_contiguous()
        });
        change(own.each_mut().map(FlexTensor::storage_mut));
        own.map(|own| Tensor::from_primitive(TensorPrimitive::Float(own)))
    }

    /// An identity that stays the same as long as nobody modifies the numbers, and ends with them.
    ///
    /// (While a weak reference exists, nothing is modified in place, because of `Arc::get_mut` and
    /// `Arc::make_mut`.)
    pub type Identity = Weak<Bytes>;

    /// The identity of numbers that outlive this use of them.
    pub fn identity(numbers: &Numbers<f32>) -> Option<Identity> {
        Some(Arc::downgrade(&numbers.0.data_arc()))
    }
}

/// `Dispatch` gives numbers away only as copies, unless a tensor is used nowhere else.
#[cfg(feature = "gpu")]
mod place {
    use std::sync::Weak;

    use super::*;

    /// The numbers of a tensor.
    pub struct Numbers<E>(Vec<E>);

    impl<E> Deref for Numbers<E> {
        type Target = [E];
        fn deref(&self) -> &[E] {
            &self.0
        }
    }

    /// The numbers of a tensor.
    pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Numbers<f32> {
        let data = tensor.into_data().into_vec();
        Numbers(data.expect("our tensors hold 32-bit floats"))
    }

    /// The same for positions.
    pub fn places(tensor: IntTensor) -> Numbers<i32> {
        let data = tensor.into_data().into_vec();
        Numbers(data.expect("our positions are 32-bit integers"))
    }

    /// Modifies numbers.
    pub fn change<const D: usize, const K: usize>(
        tensors: [Tensor<D>; K],
        change: impl FnOnce([&mut [f32]; K]),
    ) -> [Tensor<D>; K] {
        let mut own = tensors.map(|tensor| {
            let (shape, device) = (tensor.dims(), tensor.device());
            (numbers(tensor).0, shape, device)
        });
        change(own.each_mut().map(|(numbers, ..)| numbers.as_mut_slice()));
        own.map(|(numbers, shape, device)| from_numbers(numbers, shape, &device))
    }

    /// Copies have no identity.
    pub type Identity = Weak<()>;

    /// None.
    pub fn identity(_: &Numbers<f32>) -> Option<Identity> {
        None
    }
}
