//! The interop commands and other examples, started as another program would start them.

mod common;
mod explain_image;
mod explain_scan;
mod make_dataset;
mod make_tetromino;
mod npy;
mod own_arrays;
mod pictures;
mod score_maps;
