//! Tables and figures: what a finished sweep looks like in a paper.
//!
//! [`write`] makes the files, [`table_text`] the table that the terminal shows, [`write_page`] the page. One table row, one
//! box, is one combination of the axes' levels and one method, over all images and training seeds. What is measured, and
//! what the classes are called, the result says.

mod analysis;
mod canvas;
mod chart;
mod curves;
mod draw;
mod figure;
mod font;
mod forest;
mod heat_color;
mod heat_maps;
mod html;
mod layout;
mod legend;
mod outline;
mod page;
mod plate;
mod scale;
mod snapshot;
mod style;
mod summary;
mod table;
mod write;

pub use crate::attribution::methods::method_title;
pub use html::write_page;
pub use plate::{Picture, Plate, Row};
pub use snapshot::snapshot;
pub use write::{table_text, text_of_all, write, write_all, write_analysis, write_plate};
