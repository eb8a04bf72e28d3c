//! Tables and figures of a finished sweep, in a form for papers.
//!
//! [`write()`] makes the files, [`table_text`] the table for the terminal, and [`write_page`] the
//! page. Each row of a table, and each box of a figure, is one combination of the axes' levels and
//! one method, over all images and training seeds. The result names the metrics and the classes.

mod analysis;
mod archive;
mod canvas;
mod chart;
mod checks;
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
mod main_figure;
mod matrix;
mod outline;
mod page;
mod plate;
mod png_file;
mod quality;
mod scale;
mod snapshot;
mod style;
mod summary;
mod table;
mod write;

pub use crate::attribution::methods::method_title;
pub use archive::{licence_of_crate, write_crate};
pub use html::{has_page, write_page};
pub use plate::{Picture, Plate, Row};
pub use snapshot::snapshot;
pub use write::{table_text, text_of_all, write, write_all, write_analysis, write_plate};
