//! The file of pre-trained weights given by `--weights`.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use serde::Serialize;

use super::settings::Settings;
use crate::device::{Device, DeviceChoice, Tensor};
use crate::error::{Error, Result};
use crate::network::{Layer, Network, load_for_fine_tuning};

const WANTED: &str = "--weights takes a VGG-16 without batch norm: torchvision's `vgg16` checkpoint as .pth or \
    .safetensors, or an ONNX file of such a network; without it, the corpus `shapes` takes the place of ImageNet";

/// The pixels that the network in a file of weights expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pixels {
    /// RGB from 0 to 1, as the benchmark's images are. The paper used torchvision's weights in this
    /// way, without their mean and standard deviation
    Unit,
    /// BGR from 0 to 255 less ImageNet's mean, as the networks of Caffe and Keras expect. The first
    /// convolution is changed so that it takes pixels from 0 to 1
    Caffe,
}

/// What Caffe and Keras subtract from ImageNet's pixels: blue, green, red.
const CAFFE_MEAN: [f64; 3] = [103.939, 116.779, 123.68];

/// A name in every file that Keras, or a converter from Keras, makes of a VGG-16.
const KERAS: &[u8] = b"block1_conv1";

/// A file with weights of a VGG-16, and its fingerprint.
pub(super) struct Weights {
    path: PathBuf,
    fingerprint: String,
    pixels: Pixels,
}

impl Weights {
    /// Reads the file once, so that an unusable one is reported before anything is computed. Without
    /// `pixels`, a file with Keras's names is taken as [`Pixels::Caffe`], and any other as
    /// [`Pixels::Unit`].
    ///
    /// # Errors
    /// If it cannot be read, or its weights do not fit `settings.network`.
    pub fn open(path: &Path, pixels: Option<Pixels>, settings: &Settings) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
        let pixels = pixels.unwrap_or_else(|| {
            let keras = bytes.windows(KERAS.len()).any(|part| part == KERAS);
            if keras { Pixels::Caffe } else { Pixels::Unit }
        });
        let weights = Self {
            path: path.to_owned(),
            fingerprint: blake3::hash(&bytes).to_hex().to_string(),
            pixels,
        };
        drop(bytes);
        match weights.network(settings, &DeviceChoice::Flex.open()?) {
            Ok(_) => Ok(weights),
            Err(Error::File { path, problem }) => {
                Err(Error::file(path, format!("{problem}\n{WANTED}")))
            }
            Err(other) => Err(other),
        }
    }

    /// The hash of the file's content.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pixels that the file's network expects.
    pub fn pixels(&self) -> Pixels {
        self.pixels
    }

    /// The network with the file's weights. Fully connected layers that the file lacks, or that are
    /// for another image size, keep their initial weights. The last layer always does.
    pub fn network(&self, settings: &Settings, device: &Device) -> Result<Network> {
        let mut network = settings.network.init(false, 0, device);
        load_for_fine_tuning(&mut network, &self.path)?;
        if self.pixels == Pixels::Caffe {
            match network.layers.first_mut() {
                Some(Layer::Conv2d(first)) if first.weight.dims()[1] == 3 => {
                    let bias = first.bias.clone();
                    let (weight, bias) = from_caffe(first.weight.clone(), bias);
                    (first.weight, first.bias) = (weight, Some(bias));
                }
                _ => {
                    let problem = "its first layer is no convolution of three channels, as pixels of Caffe need";
                    return Err(Error::file(&self.path, problem));
                }
            }
        }
        Ok(network)
    }
}

/// A first convolution `w`, `b` of pixels `255 x - mean` with the channels BGR, for pixels `x` with
/// the channels RGB: `w' = 255 w` with the channels reversed, `b' = b - sum(w mean)`. Both give the
/// same outputs where the kernel lies within the image. Beyond the border, the former pads with the
/// mean colour and the latter with black, which is also the background of a slice.
fn from_caffe(weight: Tensor<4>, bias: Option<Tensor<1>>) -> (Tensor<4>, Tensor<1>) {
    let device = weight.device();
    let [outputs, channels, height, width] = weight.dims();
    let pixels = height * width;
    let numbers = |data: TensorData| data.iter::<f64>().collect::<Vec<_>>();
    let old = numbers(weight.into_data());
    let mut bias = bias.map_or(vec![0.0; outputs], |bias| numbers(bias.into_data()));
    let mut new = Vec::with_capacity(old.len());
    for (kernels, bias) in old.chunks(channels * pixels).zip(&mut bias) {
        for (kernel, mean) in kernels.chunks(pixels).zip(CAFFE_MEAN) {
            *bias -= mean * kernel.iter().sum::<f64>();
        }
        let reversed = kernels.chunks(pixels).rev().flatten();
        new.extend(reversed.map(|value| (255.0 * value) as f32));
    }
    let bias: Vec<f32> = bias.into_iter().map(|value| value as f32).collect();
    (
        Tensor::from_data(
            TensorData::new(new, [outputs, channels, height, width]),
            &device,
        ),
        Tensor::from_data(TensorData::new(bias, [outputs]), &device),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Conv2d;

    /// Pixels of Caffe through the old convolution, and pixels from 0 to 1 through the new one. Beyond the
    /// border, Caffe's zeros are the mean colour.
    #[test]
    fn a_convolution_for_caffe_takes_pixels_from_0_to_1() {
        let device = Device::default();
        let numbers = |count: usize| (0..count).map(|at| (at * 37 % 101) as f32 / 101.0 - 0.4);
        let data = |shape: &[usize]| {
            TensorData::new(
                numbers(shape.iter().product()).collect::<Vec<f32>>(),
                shape.to_vec(),
            )
        };
        let weight = Tensor::<4>::from_data(data(&[4, 3, 3, 3]), &device);
        let bias = Tensor::<1>::from_data(data(&[4]), &device);
        let rgb: Vec<f64> = numbers(90).map(|value| f64::from(value.abs())).collect();
        // Pixels `x` with a border of `around(channel)`.
        let tensor = |channels: [usize; 3],
                      around: &dyn Fn(usize) -> f64,
                      of: &dyn Fn(usize, f64) -> f64| {
            let mut values = Vec::new();
            for channel in channels {
                for (row, column) in (0..8).flat_map(|row| (0..7).map(move |column| (row, column)))
                {
                    let within = (1..7).contains(&row) && (1..6).contains(&column);
                    values.push(if within {
                        of(channel, rgb[channel * 30 + (row - 1) * 5 + column - 1]) as f32
                    } else {
                        around(channel) as f32
                    });
                }
            }
            Tensor::<4>::from_data(TensorData::new(values, [1, 3, 8, 7]), &device)
        };
        let mean = |rgb: usize| CAFFE_MEAN[2 - rgb];
        let caffe = tensor([2, 1, 0], &|_| 0.0, &|channel, x| 255.0 * x - mean(channel));
        let ours = tensor([0, 1, 2], &|channel| mean(channel) / 255.0, &|_, x| x);

        let wanted = Conv2d::new(weight.clone(), Some(bias.clone()), [1, 1], [0, 0]).forward(caffe);
        let (weight, bias) = from_caffe(weight, Some(bias));
        let found = Conv2d::new(weight, Some(bias), [1, 1], [0, 0]).forward(ours);
        let off = (found - wanted.clone()).abs().max().into_scalar();
        let most = wanted.abs().max().into_scalar();
        assert!(most > 10.0 && off < 1e-5 * most, "{off} of {most}");
    }
}
